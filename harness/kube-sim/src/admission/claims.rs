//! Volume claims: the default class, and finalizers that keep what is in use.

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use crate::api::meta;

const CLASSES: &str = "storage.k8s.io/storageclasses";
const DEFAULT: &str = "/metadata/annotations/storageclass.kubernetes.io~1is-default-class";

/// Gives a claim that names no class the default one, the youngest if there are several.
pub(super) fn complete_claim(txn: &Txn<'_>, claim: &mut Value) {
    meta::add_finalizer(claim, "kubernetes.io/pvc-protection");
    if !claim["spec"]["storageClassName"].is_null() {
        return;
    }
    let classes = txn.scan(CLASSES, "").map(|(_, row)| &*row.value);
    let default = classes.filter(|class| meta::text(class, DEFAULT) == "true");
    let default = default.max_by_key(|class| meta::text(class, "/metadata/creationTimestamp"));
    if let Some(name) = default.map(|class| meta::name(class).to_owned()) {
        meta::child(claim, "spec").insert("storageClassName".into(), json!(name));
    }
}

/// Keeps a volume for as long as it is bound.
pub(super) fn complete_volume(volume: &mut Value) {
    meta::add_finalizer(volume, "kubernetes.io/pv-protection");
}
