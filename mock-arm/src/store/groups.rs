//! Rows of resource groups.

use std::sync::Arc;

use serde_json::Value;
use sim_core::ledger::Txn;

use super::{GROUPS, Rows, key};

/// The group's wire form, if it exists.
pub fn get<'a>(rows: &'a impl Rows, subscription: &str, group: &str) -> Option<&'a Arc<Value>> {
    rows.row(GROUPS, &key(&[subscription, group])).map(|row| &row.value)
}

/// Whether the group is on its way out.
#[must_use]
pub fn is_deleting(group: &Value) -> bool {
    group.pointer("/properties/provisioningState").is_some_and(|state| state == "Deleting")
}

/// Writes a group's wire form.
pub fn put(txn: &mut Txn<'_>, subscription: &str, group: &str, value: Value) {
    txn.put(GROUPS, &key(&[subscription, group]), value);
}

/// Removes a group.
pub fn delete(txn: &mut Txn<'_>, subscription: &str, group: &str) {
    txn.delete(GROUPS, &key(&[subscription, group]));
}
