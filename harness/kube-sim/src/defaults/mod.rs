//! What the API server fills in where an object is silent. Source: the defaulting functions and create strategies of
//! Kubernetes v1.34.
//!
//! Not here, because they need more than the object: cluster addresses, node ports, service accounts, tolerations by
//! taint, priorities. Not modelled: defaults of LimitRange items, of flow control and of volume kinds of cloud vendors.

mod objects;
mod pod;
mod workloads;

pub(crate) use workloads::TEMPLATE_GENERATION;

use serde_json::{Map, Value, json};

pub(crate) type Object = Map<String, Value>;

/// Fills in an object of a built-in kind. A field that is `null` is a field that is not there. Running it again changes nothing.
pub fn apply(group: &str, kind: &str, object: &mut Value) {
    let Value::Object(object) = object else { return };
    match (group, kind) {
        ("", "Pod") => pod::pod(object),
        ("", "PodTemplate") => pod::template(object, "template"),
        ("", "ReplicationController") => workloads::replication_controller(object),
        ("apps", "Deployment") => workloads::deployment(object),
        ("apps", "ReplicaSet") => workloads::replica_set(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps", "DaemonSet") => workloads::daemon_set(object),
        ("batch", "Job") => workloads::job(object),
        ("batch", "CronJob") => workloads::cron_job(object),
        _ => objects::apply(group, kind, object),
    }
}

/// Sets a field that is missing or null.
pub(crate) fn set(object: &mut Object, field: &str, value: impl Into<Value>) {
    match object.get_mut(field) {
        Some(present) if !present.is_null() => {}
        Some(present) => *present = value.into(),
        None => drop(object.insert(field.to_owned(), value.into())),
    }
}

/// Sets a field that is missing, null or an empty text: for fields whose empty value means "not given".
pub(crate) fn set_text(object: &mut Object, field: &str, value: &str) {
    if object.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
        object.insert(field.to_owned(), json!(value));
    }
}

/// A field that is an object, made when it is missing.
pub(crate) fn object<'a>(owner: &'a mut Object, field: &str) -> Option<&'a mut Object> {
    set(owner, field, json!({}));
    owner.get_mut(field).and_then(Value::as_object_mut)
}

/// A field that is an object, if it is there.
pub(crate) fn present<'a>(owner: &'a mut Object, field: &str) -> Option<&'a mut Object> {
    owner.get_mut(field).and_then(Value::as_object_mut)
}

/// The objects in a list, if it is there.
pub(crate) fn items<'a>(owner: &'a mut Object, field: &str) -> impl Iterator<Item = &'a mut Object> {
    let list = owner.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A text field; empty when missing.
pub(crate) fn text<'a>(object: &'a Object, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
