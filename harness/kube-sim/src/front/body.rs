//! Reading request bodies: size, media type, JSON or YAML.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;

use super::protobuf::Messages;
use crate::status::Status;

/// The real server's limit for bodies.
const LIMIT: usize = 3 * 1024 * 1024;

/// Reads a whole body.
pub(crate) async fn read(body: Body) -> Result<Bytes, Status> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Status::too_large(LIMIT)),
        Err(error) => Err(Status::bad_request(format!("the request body could not be read: {error}"))),
    }
}

/// The media type without its parameters; JSON when none is stated.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let stated = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match stated.split(';').next().unwrap_or_default().trim() {
        "" => "application/json",
        stated => stated,
    }
}

/// An object in any of the syntaxes that clients send.
pub(crate) fn object(messages: &Messages, media: &str, body: &[u8]) -> Result<Value, Status> {
    match media {
        "application/json" => json(body),
        "application/yaml" => yaml(body),
        "application/vnd.kubernetes.protobuf" => messages.object(body),
        other => Err(Status::unsupported_media_type(format!(
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf (got {other})"
        ))),
    }
}

pub(crate) fn json(body: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(body).map_err(|error| {
        Status::bad_request(format!("the object provided is unrecognized (must be of type Object): {error}"))
    })
}

pub(crate) fn yaml(body: &[u8]) -> Result<Value, Status> {
    let text = std::str::from_utf8(body).map_err(|_| Status::bad_request("the body is not UTF-8"))?;
    serde_saphyr::from_str(text)
        .map_err(|error| Status::bad_request(format!("the body is not YAML: {error}")))
}
