//! Definitions that are going: their custom resources go first.

use sim_core::ledger::Change;

use super::manager::{Controller, Next};
use super::objects::{Condition, deleting, list, set_condition};
use super::store::Store;
use crate::api::{DEFINITION_FINALIZER, Sub, meta};
use crate::registry::{DEFINITIONS, any_version};
use crate::status::Status;

/// The controller that ends custom resources with their definition.
#[derive(Debug)]
pub(crate) struct Definitions {
    store: Store,
}

impl Definitions {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.named("kube-apiserver") }
    }

    /// Tells in the definition's status that its objects are being deleted.
    fn tell(&self, name: &str) -> Result<(), Status> {
        let now = self.store.now();
        let told = self.store.modify(&self.store.kinds().definitions, Sub::Status, name, |definition| {
            let before = list(definition, "/status/conditions").to_vec();
            let mut conditions = before.clone();
            let condition = Condition {
                kind: "Terminating",
                status: "True",
                reason: "InstanceDeletionInProgress",
                message: "CustomResource deletion is in progress".into(),
            };
            set_condition(&mut conditions, &condition, now, false);
            let changed = conditions != before;
            definition["status"]["conditions"] = conditions.into();
            changed
        });
        told.map(drop)
    }
}

impl Controller for Definitions {
    fn name(&self) -> &'static str {
        "definitions"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        if *change.table == *DEFINITIONS {
            keys.push(change.key.to_string());
        } else if change.after.is_none()
            && let Some((group, plural)) = change.table.split_once('/')
        {
            let name = format!("{plural}.{group}");
            let definition = self.store.get(&self.store.kinds().definitions, &name);
            if definition.is_some_and(|definition| deleting(&definition)) {
                keys.push(name);
            }
        }
    }

    fn reconcile(&mut self, name: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().definitions.clone();
        let Some(definition) = self.store.get(&kind, name).filter(|definition| deleting(definition)) else {
            return Ok(Next::Done);
        };
        if !meta::finalizers(&definition).any(|finalizer| finalizer == DEFINITION_FINALIZER) {
            return Ok(Next::Done);
        }
        if let Some(custom) = any_version(&definition) {
            self.tell(name)?;
            for object in self.store.list(&custom, "").iter().filter(|object| !deleting(object)) {
                self.store.delete(&custom, object)?;
            }
            if !self.store.list(&custom, "").is_empty() {
                return Ok(Next::Done);
            }
        }
        let freed = self.store.modify(&kind, Sub::Main, name, |definition| {
            meta::remove_finalizer(definition, DEFINITION_FINALIZER)
        });
        freed.map(|_| Next::Done)
    }
}
