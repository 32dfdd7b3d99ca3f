//! Turning values into HTTP answers.

use std::io::Write as _;

use axum::body::Body;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use super::negotiate::Syntax;
use super::protobuf::Messages;
use crate::status::Status;

/// Bodies from this size on are compressed for clients that take it, as the real server does.
const COMPRESS_FROM: usize = 128 * 1024;

/// Whether the client takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let stated = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    stated.split(',').any(|one| one.trim().split(';').next() == Some("gzip"))
}

/// An answer with these bytes.
pub(crate) fn bytes(code: StatusCode, content_type: &str, body: Vec<u8>, gzip: bool) -> Response {
    let compressed = (gzip && body.len() >= COMPRESS_FROM).then(|| compress(&body)).flatten();
    let packed = compressed.is_some();
    let mut response = Response::new(Body::from(compressed.unwrap_or(body)));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

fn compress(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// An answer in JSON.
pub(crate) fn json(code: StatusCode, value: &Value, gzip: bool) -> Response {
    bytes(code, "application/json", to_bytes(value), gzip)
}

/// The JSON text of a value.
pub(crate) fn to_bytes(value: &Value) -> Vec<u8> {
    // A value has text keys only, so it can always be written.
    serde_json::to_vec(value).unwrap_or_default()
}

/// An answer in the syntax that was negotiated.
pub(crate) fn value(
    code: StatusCode,
    value: &Value,
    syntax: Syntax,
    messages: &Messages,
    gzip: bool,
) -> Response {
    match syntax {
        Syntax::Json => json(code, value, gzip),
        Syntax::Protobuf => match messages.encode(value) {
            Some(body) => bytes(code, "application/vnd.kubernetes.protobuf", body, gzip),
            None => json(code, value, gzip),
        },
        Syntax::Yaml => match serde_saphyr::to_string(value) {
            Ok(text) => bytes(code, "application/yaml", text.into_bytes(), gzip),
            Err(error) => refusal(&Status::internal(error)),
        },
    }
}

/// An answer of text.
pub(crate) fn text(code: StatusCode, body: impl Into<String>) -> Response {
    bytes(code, "text/plain; charset=utf-8", body.into().into_bytes(), false)
}

/// What the real server says of a path that nothing in it knows: clients tell it from an object that is not there.
pub(crate) fn page_not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// A refusal.
pub(crate) fn refusal(status: &Status) -> Response {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(code, &status.to_value(), false);
    if code == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"kubernetes-master\""));
    }
    let wait = status.details.as_ref().and_then(|details| details["retryAfterSeconds"].as_u64());
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

/// Adds a `Warning` header, which kubectl prints.
pub(crate) fn warn(response: &mut Response, text: &str) {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let clean = clean.replace('\\', "\\\\").replace('"', "\\\"");
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{clean}\"")) {
        response.headers_mut().append("warning", value);
    }
}
