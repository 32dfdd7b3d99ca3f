//! Reading patches: their media types, and the bodies in each of them.

use serde_json::{Map, Value, json};

use super::body;
use crate::api::{Patch, meta};
use crate::registry::Kind;
use crate::status::{Cause, Status};

/// Refuses media types that are no patches, or none for this kind.
pub(super) fn check_media(media: &str, kind: &Kind) -> Result<(), Status> {
    match media {
        "application/json-patch+json" | "application/merge-patch+json" | "application/apply-patch+yaml" => {
            Ok(())
        }
        "application/strategic-merge-patch+json" if kind.builtin => Ok(()),
        "application/strategic-merge-patch+json" => Err(Status::unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        _ => Err(Status::unsupported_media_type("415: Unsupported Media Type").with_details(json!({}))),
    }
}

/// A patch of a known media type.
pub(super) fn read(media: &str, bytes: &[u8]) -> Result<Patch, Status> {
    let decode = |lead: &str| -> Result<Value, Status> {
        serde_json::from_slice(bytes)
            .map_err(|error| Status::bad_request(format!("{lead}{}", body::go_error(&error))))
    };
    let map = |value: &Value, lead: &str| match value {
        Value::Object(_) => Ok(()),
        Value::Null => Err(Status::bad_request("Invalid JSON Patch")),
        other => Err(Status::bad_request(format!(
            "{lead}json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            body::go_name(other)
        ))),
    };
    Ok(match media {
        "application/json-patch+json" => {
            let patch = decode("error decoding patch: ")?;
            if !patch.is_array() {
                return Err(Status::bad_request(format!(
                    "error decoding patch: json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp",
                    body::go_name(&patch)
                )));
            }
            Patch::Json(patch)
        }
        "application/merge-patch+json" => {
            let patch = decode("error decoding patch: ")?;
            map(&patch, "error decoding patch: ")?;
            Patch::Merge(patch)
        }
        "application/strategic-merge-patch+json" => {
            let patch = decode("")?;
            map(&patch, "")?;
            Patch::Strategic(patch)
        }
        _ => Patch::Apply(applied(bytes)?),
    })
}

fn applied(bytes: &[u8]) -> Result<Value, Status> {
    match body::yaml(bytes)? {
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(map) => Ok(Value::Object(map)),
        other => Err(Status::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            body::go_name(&other)
        ))),
    }
}

/// What a merge patch sets; what it removes may well be unknown.
pub(super) fn without_nulls(patch: &Value) -> Value {
    match patch {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(field, value)| (field.clone(), without_nulls(value))).collect()
        }
        other => other.clone(),
    }
}

/// What a JSON patch puts into objects, as far as it does not go through lists.
pub(super) fn additions(operations: &Value) -> Value {
    let mut all = Value::Object(Map::new());
    for operation in operations.as_array().into_iter().flatten() {
        let adds = matches!(operation["op"].as_str(), Some("add" | "replace"));
        let Some(path) = operation["path"].as_str().filter(|path| adds && path.starts_with('/')) else {
            continue;
        };
        let steps: Vec<String> =
            path[1..].split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        if steps.iter().any(|step| step == "-" || step.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        let place = steps
            .into_iter()
            .fold(&mut all, |place, step| meta::as_map(place).entry(step).or_insert(Value::Null));
        *place = operation["value"].clone();
    }
    all
}

/// A patch that leads to something that cannot be read.
pub(super) fn unreadable(patch: &Value, why: &str) -> Status {
    let message = format!("Invalid value: {}: {why}", Value::from(patch.to_string()));
    let cause = Cause::new("FieldValueInvalid", "patch", message.clone());
    Status::new(422, "Invalid", format!(" \"\" is invalid: patch: {message}"))
        .with_details(json!({"causes": [cause]}))
}
