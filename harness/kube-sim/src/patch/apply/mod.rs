//! Server-side apply and the record of who owns which field (`metadata.managedFields`).
//!
//! Source: the Kubernetes description of server-side apply and the behaviour of apimachinery's managed fields.

pub(crate) mod declared;
mod fields;
mod managed;
mod walk;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::schema::ObjectType;
use crate::status::Cause;
use fields::FieldSet;
use managed::Entry;

/// What a client-side apply remembers of itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Who writes, and through what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manager<'a> {
    /// Field manager: `kubectl`, `helm`, the start of the user agent.
    pub name: &'a str,
    /// `apiVersion` that the request speaks: `apps/v1`.
    pub api_version: &'a str,
    /// `status`, `scale`, …; empty for the object itself.
    pub subresource: &'a str,
}

/// Why an apply was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The configuration cannot be applied (400).
    #[error("{0}")]
    Malformed(String),
    /// Others own fields that would change (409, reason `Conflict`).
    #[error("{message}")]
    Conflicts {
        /// `Apply failed with 1 conflict: conflict with …`.
        message: String,
        /// One cause of reason `FieldManagerConflict` per field: `details.causes`.
        causes: Vec<Cause>,
    },
}

/// Applies a configuration: the object wanted, with its `managedFields` up to date. Fields that the same manager applied
/// before and leaves out now are removed, unless somebody else owns them too.
///
/// # Errors
/// When `applied` carries `managedFields`, or when others own fields that would change and `force` is not set.
pub fn apply(
    of: &ObjectType,
    live: Option<&Value>,
    applied: &Value,
    by: &Manager<'_>,
    force: bool,
    now: Timestamp,
) -> Result<Value, ApplyError> {
    if applied["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApplyError::Malformed("metadata.managedFields must be nil".into()));
    }
    let place = of.root();
    let empty = json!({"apiVersion": applied["apiVersion"], "kind": applied["kind"]});
    let mut entries = live.map(|live| before_first_apply(of, live)).unwrap_or_default();
    let live = without_record(live.unwrap_or(&empty));
    let mut merged = walk::merge(place, Some(&live), applied);

    let mut own = Entry::new(by, true);
    own.set = walk::field_set(place, applied);
    let last = entries.iter().position(|entry| entry.same(&own)).map(|at| entries.remove(at));
    if let Some(last) = &last {
        let kept = entries
            .iter()
            .fold(own.set.with_named_fields(), |all, it| all.union(&it.set.with_named_fields()));
        walk::remove(place, &mut merged, &last.set.with_named_fields().difference(&kept));
    }
    let changes = walk::compare(place, Some(&live), Some(&merged));
    let taken = changes.added.union(&changes.modified);
    let conflicts = conflicts(&entries, &taken);
    if !force && !conflicts.is_empty() && !last_applied_covers(by, of, &live, &conflicts) {
        return Err(refuse(&conflicts));
    }
    for entry in &mut entries {
        entry.set = entry.set.difference(&taken).difference(&changes.removed);
    }
    own.strip_unowned();
    let unchanged = live == merged;
    own.time = match &last {
        Some(last) if unchanged && last.set == own.set => last.time.clone(),
        _ => Some(managed::stamp(now)),
    };
    entries.push(own);
    if by.name == "kubectl" {
        sync_last_applied(&mut merged, applied);
    }
    managed::write(&mut merged, entries);
    Ok(merged)
}

/// Records that `by` wrote `after` over `before`: what it changed is its own now, and nobody else's. Entries that
/// `after` carries are ignored unless they are an empty list, or a list of one empty entry, which clears the record, as on
/// a real server. `blank` is what an object of the kind has before anybody has written to it.
pub fn track_update(
    of: &ObjectType,
    blank: &Value,
    before: Option<&Value>,
    after: &mut Value,
    by: &Manager<'_>,
    now: Timestamp,
) {
    let cleared = match after["metadata"]["managedFields"].as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([only]) => only.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    };
    let had_entries = before.is_some_and(|before| !before["metadata"]["managedFields"].is_null());
    if cleared && had_entries {
        managed::write(after, Vec::new());
        return;
    }
    let mut empty = blank.clone();
    for field in ["apiVersion", "kind"] {
        empty[field] = after[field].clone();
    }
    let mut entries = before.map(managed::read).unwrap_or_default();
    let old = without_record(before.unwrap_or(&empty));
    let new = without_record(after);
    let changes = walk::compare(of.root(), Some(&old), Some(&new));
    let taken = changes.added.union(&changes.modified);
    for entry in &mut entries {
        let kept = if entry.applied || !entry.same(&Entry::new(by, false)) {
            entry.set.difference(&taken)
        } else {
            std::mem::take(&mut entry.set)
        };
        entry.set = kept.difference(&changes.removed);
    }
    let mut own = Entry::new(by, false);
    own.set = taken;
    own.strip_unowned();
    if !own.set.is_empty() {
        if let Some(at) = entries.iter().position(|entry| entry.same(&own)) {
            own.set = entries.remove(at).set.union(&own.set);
        }
        own.time = Some(managed::stamp(now));
        entries.push(own);
    }
    managed::write(after, entries);
}

/// The object without `managedFields` and without the metadata that a server writes of its own accord.
fn without_record(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.shift_remove("managedFields");
    }
    object
}

/// The entries of a live object; one that has none belongs to `before-first-apply`.
fn before_first_apply(of: &ObjectType, live: &Value) -> Vec<Entry> {
    let entries = managed::read(live);
    if !entries.is_empty() {
        return entries;
    }
    let api_version = live["apiVersion"].as_str().unwrap_or_default();
    let mut entry = Entry::new(&Manager { name: "before-first-apply", api_version, subresource: "" }, false);
    let bare = json!({"apiVersion": live["apiVersion"], "kind": live["kind"]});
    entry.set = walk::compare(of.root(), Some(&bare), Some(&without_record(live))).added;
    entry.strip_unowned();
    entry.time = live["metadata"]["creationTimestamp"].as_str().map(ToOwned::to_owned);
    vec![entry]
}

fn conflicts(entries: &[Entry], taken: &FieldSet) -> Vec<(Entry, FieldSet)> {
    entries
        .iter()
        .map(|entry| (entry.clone(), entry.set.intersection(taken)))
        .filter(|(_, fields)| !fields.is_empty())
        .collect()
}

/// Whether `kubectl` only takes over what its own client-side apply wrote before.
fn last_applied_covers(
    by: &Manager<'_>,
    of: &ObjectType,
    live: &Value,
    conflicts: &[(Entry, FieldSet)],
) -> bool {
    if by.name != "kubectl" {
        return false;
    }
    let stated = live["metadata"]["annotations"][LAST_APPLIED].as_str();
    let Some(last) = stated.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return false };
    let same_version = last["apiVersion"] == live["apiVersion"];
    let allowed = walk::field_set(of.root(), &last);
    same_version && conflicts.iter().all(|(_, fields)| fields.difference(&allowed).is_empty())
}

/// Keeps the client-side apply's memory, where there is one, in step with a server-side apply by `kubectl`.
fn sync_last_applied(merged: &mut Value, applied: &Value) {
    let metadata = merged.get_mut("metadata");
    let Some(Value::Object(annotations)) = metadata.and_then(|it| it.get_mut("annotations")) else { return };
    if annotations.get(LAST_APPLIED).and_then(Value::as_str).is_none_or(str::is_empty) {
        return;
    }
    let mut remembered = applied.clone();
    if let Some(Value::Object(metadata)) = remembered.get_mut("metadata")
        && let Some(Value::Object(own)) = metadata.get_mut("annotations")
    {
        own.shift_remove(LAST_APPLIED);
        if own.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    annotations.insert(LAST_APPLIED.into(), json!(format!("{remembered}\n")));
}

fn refuse(conflicts: &[(Entry, FieldSet)]) -> ApplyError {
    let mut causes = Vec::new();
    let mut by_manager: Vec<(String, Vec<String>)> = Vec::new();
    for (entry, fields) in conflicts {
        let manager = entry.describe();
        for path in fields.paths() {
            causes.push(Cause::new("FieldManagerConflict", path, format!("conflict with {manager}")));
        }
        by_manager.push((manager, fields.paths()));
    }
    by_manager.sort();
    let message = match causes.as_slice() {
        [only] => format!("Apply failed with 1 conflict: {}: {}", only.message, only.field),
        many => {
            let mut lines = Vec::new();
            for (manager, paths) in by_manager {
                lines.push(format!("conflicts with {manager}:"));
                lines.extend(paths.into_iter().map(|path| format!("- {path}")));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    ApplyError::Conflicts { message, causes }
}

#[cfg(test)]
mod tests;
