//! The description of this interface, in OpenAPI 3.1.

use axum::http::header;
use axum::response::IntoResponse;

/// The description as it is served.
pub const OPENAPI: &str = include_str!("openapi.json");

pub(super) async fn read() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
