//! ResourceQuotas: how much of each a namespace uses, as their status shows it.

use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::manager::{Controller, Next};
use super::objects::{deleting, key, namespace, split};
use super::store::Store;
use crate::admission::quota;
use crate::registry::Kind;
use crate::status::Status;

/// The controller of quotas' status.
#[derive(Debug)]
pub(crate) struct Quotas {
    store: Store,
}

impl Quotas {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.named("resourcequota-controller") }
    }

    /// Everything in a namespace, with its kind.
    fn content(&self, space: &str) -> Vec<(Arc<Kind>, Arc<Value>)> {
        let (mut all, mut tables) = (Vec::new(), Vec::new());
        for kind in self.store.api().registry().all() {
            if !kind.namespaced || !kind.stored || tables.iter().any(|table| table == kind.table()) {
                continue;
            }
            tables.push(kind.table().to_owned());
            all.extend(self.store.list(&kind, space).into_iter().map(|object| (kind.clone(), object)));
        }
        all
    }
}

impl Controller for Quotas {
    fn name(&self) -> &'static str {
        "resourcequota"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let quotas = &self.store.kinds().quotas;
        if *change.table == *quotas.table() {
            keys.push(change.key.to_string());
            return;
        }
        // Events are many and no quota is about them.
        let (space, _) = split(&change.key);
        let counted = change.before.is_none() || change.after.is_none() || *change.table == *"core/pods";
        if !space.is_empty() && counted && *change.table != *self.store.kinds().events.table() {
            keys.extend(self.store.list(quotas, space).iter().map(|quota| key(quota)));
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().quotas.clone();
        let Some(quota) = self.store.get(&kind, at).filter(|quota| !deleting(quota)) else {
            return Ok(Next::Done);
        };
        let content = self.content(namespace(&quota));
        let used = quota::used(&quota, content.iter().map(|(kind, object)| (&**kind, &**object)));
        let status = json!({"hard": quota["spec"]["hard"], "used": used});
        self.store.set_status(&kind, at, status)?;
        Ok(Next::Done)
    }
}
