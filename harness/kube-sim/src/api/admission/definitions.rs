//! CustomResourceDefinitions: names are accepted and the definition is established as it is written.
//!
//! The real server does this in controllers, some moments later. Conversion webhooks are refused by name.

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use crate::api::{Api, meta};
use crate::registry::{DEFINITIONS, Kind};
use crate::status::Status;

/// The finalizer that a definition gets when it is deleted, and keeps until its objects are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

pub(super) fn on_create(api: &Api, definition: &mut Value) -> Result<(), Status> {
    if meta::text(definition, "/spec/conversion/strategy") == "Webhook" {
        return Err(Status::not_modelled("conversion of custom resources by webhook"));
    }
    complete(definition);
    let now = meta::time(api.now());
    let conflict = name_conflict(api, definition);
    let condition = |name: &str, status: &str, reason: &str, message: &str| json!({"type": name, "status": status, "lastTransitionTime": now, "reason": reason, "message": message});
    let conditions = match &conflict {
        None => json!([
            condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
            condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
        ]),
        Some(problem) => json!([
            condition("NamesAccepted", "False", "MultipleNamesConflict", problem),
            condition("Established", "False", "NotAccepted", "not all names are accepted"),
        ]),
    };
    let storage = storage_version(definition);
    let names = definition["spec"]["names"].clone();
    let status = meta::child(definition, "status");
    status.insert("conditions".into(), conditions);
    status.insert(
        "acceptedNames".into(),
        if conflict.is_none() { names } else { json!({"kind": "", "plural": ""}) },
    );
    status.insert("storedVersions".into(), json!([storage]));
    Ok(())
}

pub(super) fn on_update(definition: &mut Value) {
    complete(definition);
    let (storage, names) = (storage_version(definition), definition["spec"]["names"].clone());
    let status = meta::child(definition, "status");
    status.insert("acceptedNames".into(), names);
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Some(stored) = stored.as_array_mut().filter(|stored| !stored.contains(&json!(storage))) {
        stored.push(json!(storage));
    }
}

/// A definition that is deleted stays, terminating, until a controller has ended its objects.
pub(in crate::api) fn on_delete(api: &Api, live: &Value, definition: &mut Value) {
    if meta::is_deleting(live) {
        // Asked again, the real server says how long it waits.
        meta::metadata(definition).insert("deletionGracePeriodSeconds".into(), 0.into());
        return;
    }
    meta::add_finalizer(definition, FINALIZER);
    let metadata = meta::metadata(definition);
    metadata.shift_remove("deletionGracePeriodSeconds");
    metadata.insert("generation".into(), live["metadata"]["generation"].clone());
    let now = meta::time(api.now());
    let status = meta::child(definition, "status");
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if let Some(conditions) = conditions.as_array_mut() {
        conditions.push(json!({
            "type": "Terminating", "status": "True", "lastTransitionTime": now, "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        }));
    }
}

/// Whether there may be new objects of a custom kind.
pub(super) fn is_open(txn: &Txn<'_>, kind: &Kind, name: &str) -> Result<(), Status> {
    let definition = txn.get(DEFINITIONS, &format!("{}.{}", kind.plural, kind.group));
    if definition.is_some_and(|row| meta::is_deleting(&row.value)) {
        let why = "create not allowed while custom resource definition is terminating";
        return Err(Status::refused(kind, name, why));
    }
    Ok(())
}

fn complete(definition: &mut Value) {
    let spec = meta::child(definition, "spec");
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    let names = meta::as_map(spec.entry("names").or_insert(Value::Null));
    if let Some(kind) = names.get("kind").and_then(Value::as_str).map(ToOwned::to_owned) {
        names.entry("listKind").or_insert_with(|| format!("{kind}List").into());
        names.entry("singular").or_insert_with(|| kind.to_lowercase().into());
    }
}

fn storage_version(definition: &Value) -> String {
    let versions = definition["spec"]["versions"].as_array();
    let storage = versions.into_iter().flatten().find(|version| version["storage"] == true);
    storage.map(|version| meta::text(version, "/name").to_owned()).unwrap_or_default()
}

/// Another kind of the same group that has one of the names already.
fn name_conflict(api: &Api, definition: &Value) -> Option<String> {
    let (group, plural) =
        (meta::text(definition, "/spec/group"), meta::text(definition, "/spec/names/plural"));
    let kind = meta::text(definition, "/spec/names/kind");
    let taken = api.registry().by_kind(group, kind).filter(|other| other.plural != plural)?;
    Some(format!("\"{kind}\" is already in use by {}", taken.plural))
}
