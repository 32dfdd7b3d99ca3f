//! Rows of resources: the resource in its newest wire form, as text, and the operation that works on it.
//!
//! The form is canonical: it has every property that any API version knows; providers leave out what a version does
//! not show. Key: subscription, group, namespace, types and names, in lower case; an extension resource's key is that of its
//! host, `providers`, namespace, types and names.

use std::sync::Arc;

use serde_json::{Map, Value};
use sim_core::ledger::{Row, Txn};

pub use super::etag;
use super::{RESOURCES, Rows, key};

/// The key of the resource with these names; `path` alternates types and names.
#[must_use]
pub fn key_of(subscription: &str, group: &str, namespace: &str, path: &[&str]) -> String {
    let mut parts = vec![subscription, group, namespace];
    parts.extend_from_slice(path);
    key(&parts)
}

/// The prefix of all keys in a group.
#[must_use]
pub fn prefix(subscription: &str, group: Option<&str>) -> String {
    let mut prefix = group.map_or_else(|| key(&[subscription]), |group| key(&[subscription, group]));
    prefix.push('/');
    prefix
}

/// The resource in a row, in a form of its own. It is read from text, so ask once.
#[must_use]
pub fn resource(row: &Row) -> Value {
    // What is stored was JSON when it was written.
    serde_json::from_str(text(row)).unwrap_or_default()
}

/// The resource in a row as the JSON that is stored.
#[must_use]
pub fn text(row: &Row) -> &str {
    row.value.get("resource").and_then(Value::as_str).unwrap_or_default()
}

/// A copy of the resource in a row, to be shown as it is.
#[must_use]
pub fn shared(row: &Row) -> Arc<Value> {
    Arc::new(resource(row))
}

/// The `provisioningState` of the resource in a row, if it has one.
#[must_use]
pub fn state(row: &Row) -> Option<&str> {
    row.value.get("state").and_then(Value::as_str)
}

/// The id of the operation that last began to work on it.
#[must_use]
pub fn operation(row: &Row) -> Option<&str> {
    row.value.get("operation").and_then(Value::as_str)
}

/// The row at `key`.
pub fn get<'a>(rows: &'a impl Rows, key: &str) -> Option<&'a Row> {
    rows.row(RESOURCES, key)
}

/// Writes a resource.
pub fn put(txn: &mut Txn<'_>, key: &str, resource: &Value, operation: Option<&str>) {
    txn.put(RESOURCES, key, stored(resource, operation));
}

/// The value of a row. The resource is kept as text, which takes a fraction of the memory of a tree.
#[must_use]
pub fn stored(resource: &Value, operation: Option<&str>) -> Value {
    let state = resource.pointer("/properties/provisioningState").cloned().unwrap_or_default();
    let mut row = Map::new();
    row.insert("resource".into(), resource.to_string().into());
    row.insert("operation".into(), operation.into());
    row.insert("state".into(), state);
    Value::Object(row)
}

/// Removes a resource.
pub fn delete(txn: &mut Txn<'_>, key: &str) {
    txn.delete(RESOURCES, key);
}
