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
///
/// `kind` is what the path is about.
pub(crate) fn object(messages: &Messages, media: &str, kind: &str, body: &[u8]) -> Result<Value, Status> {
    match media {
        "application/json" => json(kind, body),
        "application/yaml" => yaml_object(kind, body),
        "application/vnd.kubernetes.protobuf" => messages.object(body),
        _ => Err(Status::unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

fn unrecognized(kind: &str, why: &str, shown: &str) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({shown})"
    ))
}

/// An object in JSON. Nothing but `null` is taken for an object that says nothing.
pub(crate) fn json(kind: &str, body: &[u8]) -> Result<Value, Status> {
    plain_json(body).map_err(|why| unrecognized(kind, &why, &shown(body)))
}

/// The same, with no more than the decoder's own words for what is wrong.
pub(crate) fn plain_json(body: &[u8]) -> Result<Value, String> {
    const HEAD: &str = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
    let refused = |why: String| format!("couldn't get version/kind; json parse error: {why}");
    let value: Value = serde_json::from_slice(body).map_err(|error| refused(go_error(&error)))?;
    match &value {
        Value::Null => Ok(Value::Object(serde_json::Map::new())),
        Value::Object(map) => {
            let wrong = ["apiVersion", "kind"].into_iter().find_map(|field| {
                let value = map.get(field).filter(|value| !value.is_string() && !value.is_null())?;
                Some(format!(
                    "json: cannot unmarshal {} into Go struct field .{field} of type string",
                    go_name(value)
                ))
            });
            wrong.map_or(Ok(value), |why| Err(refused(why)))
        }
        other => {
            Err(refused(format!("json: cannot unmarshal {} into Go value of type {HEAD}", go_name(other))))
        }
    }
}

/// What the real server shows of a body that it cannot read: its beginning, in hexadecimal unless it looks like JSON.
fn shown(body: &[u8]) -> String {
    const MOST: usize = 32;
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    if body.first() == Some(&b'{') {
        let text = String::from_utf8_lossy(body);
        let cut: String = text.chars().take(MOST - 2).collect();
        return if body.len() > MOST { format!("{cut} ...") } else { text.into_owned() };
    }
    body.iter().take(MOST / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// What Go's decoder says of JSON that it cannot read.
pub(crate) fn go_error(error: &serde_json::Error) -> String {
    if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
}

/// What Go calls the type of a JSON value.
pub(crate) fn go_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn yaml_object(kind: &str, body: &[u8]) -> Result<Value, Status> {
    let value = yaml(body).map_err(|status| unrecognized(kind, &status.message, &shown(body)))?;
    match value {
        Value::Object(_) => Ok(value),
        Value::Null => Ok(Value::Object(serde_json::Map::new())),
        other => json(kind, other.to_string().as_bytes()),
    }
}

/// A value in YAML.
pub(crate) fn yaml(body: &[u8]) -> Result<Value, Status> {
    let text = std::str::from_utf8(body).map_err(|_| Status::bad_request("the body is not UTF-8"))?;
    serde_saphyr::from_str(text).map_err(|error| {
        Status::bad_request(format!("error decoding YAML: error converting YAML to JSON: {error}"))
    })
}
