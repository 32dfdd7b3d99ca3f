//! Admission: what the real server's built-in plug-ins add to an object, or refuse, beyond the rules of its kind.
//!
//! LimitRanger, ResourceQuota, PodSecurity, DefaultStorageClass, the protection of claims and volumes in use, and the
//! check that nobody hands out rights beyond their own. Evictions are held against disruption budgets here too.

mod claims;
mod escalation;
mod eviction;
mod limits;
pub(crate) mod quota;
mod security;
#[cfg(test)]
mod tests;

use serde_json::Value;
use sim_core::ledger::Txn;

use crate::api::{Api, Caller};
use crate::registry::Kind;
use crate::status::Status;

pub(crate) use self::eviction::evict;

/// Completes a new object, before it is validated.
pub(crate) fn complete(txn: &Txn<'_>, kind: &Kind, object: &mut Value) {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Pod") => limits::complete_pod(txn, object),
        ("", "LimitRange") => limits::complete_range(object),
        ("", "PersistentVolumeClaim") => claims::complete_claim(txn, object),
        ("", "PersistentVolume") => claims::complete_volume(object),
        _ => {}
    }
}

/// Refuses what an object must not be; `before` is `None` for a new one.
///
/// # Errors
/// 403 with the real plug-ins' words.
pub(crate) fn check(
    txn: &Txn<'_>,
    caller: &Caller,
    kind: &Kind,
    before: Option<&Value>,
    object: &Value,
) -> Result<(), Status> {
    escalation::check(txn, caller, kind, before, object)?;
    if before.is_none() {
        limits::check(txn, kind, object)?;
        security::enforce(txn, kind, object)?;
    }
    quota::check(txn, kind, before, object)
}

/// What the caller is warned of: an object that the namespace's pod security level would not let run.
#[must_use]
pub(crate) fn warnings(api: &Api, kind: &Kind, object: &Value) -> Vec<String> {
    security::warnings(api, kind, object)
}
