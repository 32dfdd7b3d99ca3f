//! The rules by which an object may become another: what a write cannot touch, and what a change counts as.

use serde_json::Value;

use super::meta;
use crate::registry::{Kind, Sub};

/// Metadata that only the server writes.
const FIXED: [&str; 8] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
];

/// Takes into `after` what a write through `sub` may not change, from `before`.
pub(super) fn hold_fixed(kind: &Kind, sub: Sub, before: &Value, after: &mut Value) {
    match sub {
        Sub::Status => keep_all_but_status(before, after),
        Sub::Main if kind.has(Sub::Status) => copy(before, after, "status"),
        _ => {}
    }
    let old = before.get("metadata").cloned().unwrap_or_default();
    let metadata = meta::metadata(after);
    for field in FIXED {
        match old.get(field) {
            Some(value) => {
                metadata.insert(field.into(), value.clone());
            }
            None => {
                metadata.shift_remove(field);
            }
        }
    }
    if sub != Sub::Finalize && kind.is("", "Namespace") {
        // Content finalizers are written through `finalize` only.
        let finalizers = before.pointer("/spec/finalizers").cloned();
        if let Some(finalizers) = finalizers {
            meta::child(after, "spec").insert("finalizers".into(), finalizers);
        }
    }
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => {
            meta::as_map(to).insert(field.into(), value.clone());
        }
        None => {
            meta::as_map(to).shift_remove(field);
        }
    }
}

/// Status writes change the status, labels and annotations; nothing else.
fn keep_all_but_status(before: &Value, after: &mut Value) {
    let status = after.get("status").cloned();
    let field = |name: &str| after.pointer(&format!("/metadata/{name}")).cloned();
    let (labels, annotations, managed) = (field("labels"), field("annotations"), field("managedFields"));
    *after = before.clone();
    let metadata = meta::metadata(after);
    for (name, value) in [("labels", labels), ("annotations", annotations), ("managedFields", managed)] {
        if let Some(value) = value {
            metadata.insert(name.into(), value);
        }
    }
    let map = meta::as_map(after);
    match status {
        Some(status) => {
            map.insert("status".into(), status);
        }
        None => {
            map.shift_remove("status");
        }
    }
}

/// Whether the two differ in anything that the user sees; field ownership and the resource version do not count.
pub(super) fn same(before: &Value, after: &Value) -> bool {
    equal_but(before, after, &["metadata"]) && {
        let empty = Value::Null;
        let of = |object: &'_ Value| object.get("metadata").cloned().unwrap_or_else(|| empty.clone());
        equal_but(&of(before), &of(after), &["managedFields", "resourceVersion"])
    }
}

/// Whether the same managers own the same fields in both; when they wrote them does not count.
pub(super) fn same_owners(before: &Value, after: &Value) -> bool {
    fn entries(object: &Value) -> &[Value] {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        entries.map_or(&[], Vec::as_slice)
    }
    let (before, after) = (entries(before), entries(after));
    before.len() == after.len()
        && before.iter().zip(after).all(|(one, other)| equal_but(one, other, &["time"]))
}

/// Whether the two are equal but for these fields of theirs; an absent field equals an absent one only.
fn equal_but(a: &Value, b: &Value, ignored: &[&str]) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return a == b };
    let counted = |map: &serde_json::Map<String, Value>| {
        map.keys().filter(|key| !ignored.contains(&key.as_str())).count()
    };
    counted(a) == counted(b)
        && a.iter()
            .filter(|(key, _)| !ignored.contains(&key.as_str()))
            .all(|(key, value)| b.get(key) == Some(value))
}

/// Counts the generation up when the wanted state changed.
pub(super) fn count_generation(kind: &Kind, before: &Value, after: &mut Value) {
    if kind.generation && !equal_but(before, after, &["metadata", "status"]) {
        let generation = before.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1) + 1;
        meta::metadata(after).insert("generation".into(), generation.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use serde_json::json;

    #[test]
    fn status_and_the_rest_are_written_through_different_doors() {
        let kind = Registry::builtin().by_kind("apps", "Deployment").unwrap();
        let before =
            json!({"metadata": {"name": "a", "generation": 1}, "spec": {"replicas": 1}, "status": {"x": 1}});
        let sent = json!({"metadata": {"name": "b"}, "spec": {"replicas": 2}, "status": {"x": 2}});
        let mut main = sent.clone();
        hold_fixed(&kind, Sub::Main, &before, &mut main);
        assert_eq!((&main["spec"]["replicas"], &main["status"]["x"]), (&json!(2), &json!(1)));
        assert_eq!(main["metadata"]["name"], "a");
        count_generation(&kind, &before, &mut main);
        assert_eq!(main["metadata"]["generation"], 2);
        let mut status = sent;
        hold_fixed(&kind, Sub::Status, &before, &mut status);
        assert_eq!((&status["spec"]["replicas"], &status["status"]["x"]), (&json!(1), &json!(2)));
        count_generation(&kind, &before, &mut status);
        assert_eq!(status["metadata"]["generation"], 1);
    }
}
