//! The world's control interface, from inside of the process.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::theatre::Theatre;

/// Puts a value somewhere. An error is what the interface says.
pub(super) async fn put(theatre: &Theatre, path: &str, body: &Value) -> Result<(), String> {
    let request = Request::put(path)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .map_err(|error| error.to_string())?;
    // The router cannot fail; what it refuses is an answer.
    let Ok(answer) = theatre.world.cloud().admin_router().oneshot(request).await;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let bytes = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    Err(format!("{status}: {}", String::from_utf8_lossy(&bytes.unwrap_or_default())))
}
