//! Patches: from a current object and a patch to the object wanted. Pure functions over JSON.

pub mod apply;
mod strategic;

use json_patch::{Patch as JsonPatch, PatchErrorKind};
use serde_json::Value;

pub use strategic::strategic_merge;

/// Why a patch could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is not one (400).
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object (422).
    #[error("{0}")]
    Unprocessable(String),
}

/// Applies a JSON patch (RFC 6902).
///
/// # Errors
/// When `patch` is not a list of operations, names a path that is not there, or a `test` fails. Texts follow the real
/// server's (evanphx/json-patch).
pub fn json_patch(current: &Value, patch: &Value) -> Result<Value, PatchError> {
    // What is a list but holds something else than operations is refused like one that does not fit.
    let refused = |error: serde_json::Error| {
        let why = format!("error decoding patch: {error}");
        if patch.is_array() { PatchError::Unprocessable(why) } else { PatchError::Malformed(why) }
    };
    let operations: JsonPatch = serde_json::from_value(patch.clone()).map_err(refused)?;
    let mut wanted = current.clone();
    json_patch::patch(&mut wanted, &operations).map_err(|error| {
        let path = error.path.to_string();
        PatchError::Unprocessable(match error.kind {
            PatchErrorKind::TestFailed => format!("testing value {path} failed: test failed"),
            PatchErrorKind::InvalidFromPointer => {
                format!(
                    "copy or move operation does not apply: doc is missing from path: {path}: missing value"
                )
            }
            _ => format!("operation does not apply: doc is missing path: {path}: missing value"),
        })
    })?;
    Ok(wanted)
}

/// Applies a merge patch (RFC 7386): objects merge, `null` removes, anything else replaces.
#[must_use]
pub fn merge_patch(current: &Value, patch: &Value) -> Value {
    let mut wanted = current.clone();
    json_patch::merge(&mut wanted, patch);
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_patch_changes_and_says_what_does_not_fit() {
        let current = json!({"metadata": {"labels": {"a": "1"}}});
        let patch = json!([{"op": "add", "path": "/metadata/labels/b~1c", "value": "2"}]);
        assert_eq!(json_patch(&current, &patch).unwrap()["metadata"]["labels"]["b/c"], "2");
        let failing = json!([{"op": "test", "path": "/metadata/labels/a", "value": "2"}]);
        let error = json_patch(&current, &failing).unwrap_err();
        assert_eq!(error.to_string(), "testing value /metadata/labels/a failed: test failed");
        assert!(matches!(json_patch(&current, &json!({})), Err(PatchError::Malformed(_))));
    }

    #[test]
    fn merge_patch_removes_by_null() {
        let current = json!({"a": {"b": 1, "c": 2}});
        assert_eq!(
            merge_patch(&current, &json!({"a": {"b": null, "d": [1]}})),
            json!({"a": {"c": 2, "d": [1]}})
        );
    }
}
