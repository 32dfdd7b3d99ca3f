//! Errors of the control API: what happened, and what to do next.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why a control request failed; the body is `{"error": {"code", "message", "next"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status; not part of the body.
    #[serde(skip)]
    status: u16,
    /// What happened.
    pub error: Detail,
}

/// What happened, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// For programs: `Invalid`, `NotFound`, `OperationEnded`, …
    pub code: String,
    /// For people.
    pub message: String,
    /// What to do next.
    pub next: String,
}

impl Problem {
    /// A problem with an HTTP status.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>, next: impl Into<String>) -> Self {
        let error = Detail { code: code.into(), message: message.into(), next: next.into() };
        Self { status: status.as_u16(), error }
    }

    /// Something that is not there.
    pub fn not_found(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message, next)
    }

    /// A body or a query that cannot be used.
    pub fn invalid(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Invalid", message, next)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

/// Reads a JSON body; `example` is shown when that fails.
///
/// # Errors
/// A [`Problem`] that says where the body is wrong.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::invalid(format!("the body cannot be used: {error}"), format!("send, for example, {example}"))
    })
}

/// What a route answers to a method that it does not take.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        format!("{} does not take {method}", uri.path()),
        "see the header 'allow'",
    )
}
