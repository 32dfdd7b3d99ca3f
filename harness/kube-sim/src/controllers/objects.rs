//! Reading and writing Kubernetes objects as JSON: the few questions that all controllers ask.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) use crate::api::meta::{
    controller as controller_of, is_deleting as deleting, micro_time, name, text, time as stamp, uid,
};
use crate::registry::Kind;

/// The number at a JSON pointer.
pub(crate) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The list at a JSON pointer; empty when there is none.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The moment at a JSON pointer.
pub(crate) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// `metadata.namespace`; empty for cluster-wide objects.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// An annotation.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// A label.
pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// `namespace/name`, or `name`: the key in the ledger.
pub(crate) fn key(object: &Value) -> String {
    join(namespace(object), name(object))
}

/// The key of a name in a namespace; an empty namespace means cluster-wide.
pub(crate) fn join(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// Namespace (empty when cluster-wide) and name of a key.
pub(crate) fn split(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or(("", key))
}

/// The moment `seconds` after `moment`.
pub(crate) fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// Whether `owner`, an object of `kind`, controls `object`.
pub(crate) fn controlled_by(object: &Value, owner: &Value) -> bool {
    controller_of(object).is_some_and(|reference| text(reference, "/uid") == uid(owner))
}

/// The key of the controller of `object`, if that is a `kind`.
pub(crate) fn controller_key(object: &Value, kind: &str) -> Option<String> {
    let owner = controller_of(object).filter(|owner| text(owner, "/kind") == kind)?;
    Some(join(namespace(object), text(owner, "/name")))
}

/// The owner reference with which `owner` controls another object.
pub(crate) fn owner_reference(kind: &Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(), "kind": kind.kind, "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Sets a value at a path of keys, making objects on the way (and in place of anything else).
pub(crate) fn set(object: &mut Value, path: &[&str], value: Value) {
    let mut slot = object;
    for key in path {
        if !slot.is_object() {
            *slot = json!({});
        }
        slot = &mut slot[*key];
    }
    *slot = value;
}

/// Sets an annotation. Returns whether that changed anything.
pub(crate) fn annotate(object: &mut Value, key: &str, value: &str) -> bool {
    if annotation(object, key) == Some(value) {
        return false;
    }
    set(object, &["metadata", "annotations", key], json!(value));
    true
}

/// A condition about to be set.
#[derive(Debug, Clone)]
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: String,
}

/// `True` or `False`.
pub(crate) fn truth(holds: bool) -> &'static str {
    if holds { "True" } else { "False" }
}

/// The condition of this type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|condition| condition["type"] == json!(kind))
}

/// Whether the condition of this type is `True`.
pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == json!("True"))
}

/// Sets a condition in a list. The transition time moves only when the status changes; `lastUpdateTime` is kept up
/// when `updates` is set, which is what Deployments do.
pub(crate) fn set_condition(
    conditions: &mut Vec<Value>,
    wanted: &Condition<'_>,
    now: Timestamp,
    updates: bool,
) {
    let status = wanted.status;
    let existing = conditions.iter_mut().find(|condition| condition["type"] == json!(wanted.kind));
    let known = existing.as_ref().filter(|condition| condition["status"] == json!(status));
    if known.is_some_and(|condition| {
        text(condition, "/reason") == wanted.reason && text(condition, "/message") == wanted.message
    }) {
        return;
    }
    let since = known.and_then(|condition| condition.get("lastTransitionTime").cloned());
    let mut fresh = json!({"type": wanted.kind, "status": status});
    if updates {
        fresh["lastUpdateTime"] = json!(stamp(now));
    }
    fresh["lastTransitionTime"] = since.unwrap_or_else(|| json!(stamp(now)));
    if !wanted.reason.is_empty() {
        fresh["reason"] = json!(wanted.reason);
    }
    if !wanted.message.is_empty() {
        fresh["message"] = json!(wanted.message);
    }
    match existing {
        Some(slot) => *slot = fresh,
        None => conditions.push(fresh),
    }
}

/// A value that may be a number or a percentage, as `maxSurge` is, of `total`.
pub(crate) fn scaled(value: Option<&Value>, total: i64, round_up: bool, default: &str) -> i64 {
    let default = json!(default);
    let value = value.unwrap_or(&default);
    if let Some(count) = value.as_i64() {
        return count;
    }
    let percent: i64 =
        value.as_str().and_then(|text| text.trim_end_matches('%').parse().ok()).unwrap_or_default();
    let hundredths = percent.saturating_mul(total);
    if round_up { (hundredths + 99) / 100 } else { hundredths / 100 }
}

/// The same value with all keys in order: equal content has equal text then.
pub(crate) fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_transition_time_while_the_status_stays() {
        let mut conditions = Vec::new();
        let first = Condition { kind: "Ready", status: "True", reason: "A", message: String::new() };
        set_condition(&mut conditions, &first, Timestamp::UNIX_EPOCH, true);
        let later = after(Timestamp::UNIX_EPOCH, 5);
        set_condition(&mut conditions, &Condition { reason: "B", ..first.clone() }, later, true);
        assert_eq!(conditions[0]["lastTransitionTime"], json!("1970-01-01T00:00:00Z"));
        assert_eq!(conditions[0]["lastUpdateTime"], json!("1970-01-01T00:00:05Z"));
        set_condition(&mut conditions, &Condition { status: "False", ..first }, later, true);
        assert_eq!(conditions[0]["lastTransitionTime"], json!("1970-01-01T00:00:05Z"));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn percentages_round_as_asked() {
        assert_eq!(scaled(Some(&json!("25%")), 3, true, "0"), 1);
        assert_eq!(scaled(Some(&json!("25%")), 3, false, "0"), 0);
        assert_eq!(scaled(Some(&json!(2)), 3, false, "0"), 2);
        assert_eq!(scaled(None, 4, true, "25%"), 1);
    }
}
