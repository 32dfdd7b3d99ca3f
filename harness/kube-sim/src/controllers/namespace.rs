//! Namespaces that are going: their content goes first.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::manager::{Controller, Next};
use super::objects::{Condition, deleting, list, set_condition, split, truth};
use super::store::Store;
use crate::api::Sub;
use crate::registry::Kind;
use crate::status::Status;

/// The finalizer in `spec.finalizers` that stands for the content.
const FINALIZER: &str = "kubernetes";

/// The namespace controller.
#[derive(Debug)]
pub(crate) struct Namespaces {
    store: Store,
}

/// What is left in a namespace.
#[derive(Debug, Default)]
struct Remains {
    /// Objects by resource.
    resources: BTreeMap<String, usize>,
    /// Objects by finalizer.
    finalizers: BTreeMap<String, usize>,
    /// What could not be deleted.
    failures: Vec<String>,
}

impl Namespaces {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.named("namespace-controller") }
    }

    fn delete_content(&self, space: &str) -> Remains {
        let mut remains = Remains::default();
        let mut tables: Vec<String> = Vec::new();
        for kind in self.store.api().registry().all() {
            if !kind.namespaced || !kind.stored || tables.iter().any(|table| table == kind.table()) {
                continue;
            }
            tables.push(kind.table().to_owned());
            for object in self.store.list(&kind, space) {
                if !deleting(&object)
                    && let Err(error) = self.store.delete(&kind, &object)
                {
                    remains.failures.push(error.to_string());
                }
            }
            remains.count(&kind, &self.store.list(&kind, space));
        }
        remains
    }
}

impl Remains {
    fn count(&mut self, kind: &Kind, objects: &[std::sync::Arc<Value>]) {
        if objects.is_empty() {
            return;
        }
        let group = if kind.group.is_empty() { String::new() } else { kind.group.clone() };
        self.resources.insert(format!("{}.{group}", kind.plural), objects.len());
        for object in objects {
            for finalizer in list(object, "/metadata/finalizers").iter().filter_map(Value::as_str) {
                *self.finalizers.entry(finalizer.to_owned()).or_default() += 1;
            }
        }
    }

    /// The namespace's conditions in the real controller's words.
    fn conditions(&self) -> Vec<Condition<'static>> {
        let listed = |counts: &BTreeMap<String, usize>, what: &str| {
            let entries =
                counts.iter().map(|(name, count)| format!("{name} {what} {count} resource instances"));
            entries.collect::<Vec<_>>().join(", ")
        };
        let of = |kind, holds, reasons: (&'static str, &'static str), messages: (String, &str)| Condition {
            kind,
            status: truth(holds),
            reason: if holds { reasons.0 } else { reasons.1 },
            message: if holds { messages.0 } else { messages.1.to_owned() },
        };
        vec![
            of(
                "NamespaceDeletionDiscoveryFailure",
                false,
                ("", "ResourcesDiscovered"),
                (String::new(), "All resources successfully discovered"),
            ),
            of(
                "NamespaceDeletionGroupVersionParsingFailure",
                false,
                ("", "ParsedGroupVersions"),
                (String::new(), "All legacy kube types successfully parsed"),
            ),
            of(
                "NamespaceDeletionContentFailure",
                !self.failures.is_empty(),
                ("ContentDeletionFailed", "ContentDeleted"),
                (
                    self.failures.join("; "),
                    "All content successfully deleted, may be waiting on finalization",
                ),
            ),
            of(
                "NamespaceContentRemaining",
                !self.resources.is_empty(),
                ("SomeResourcesRemain", "ContentRemoved"),
                (
                    format!("Some resources are remaining: {}", listed(&self.resources, "has")),
                    "All content successfully removed",
                ),
            ),
            of(
                "NamespaceFinalizersRemaining",
                !self.finalizers.is_empty(),
                ("SomeFinalizersRemain", "ContentHasNoFinalizers"),
                (
                    format!(
                        "Some content in the namespace has finalizers remaining: {}",
                        listed(&self.finalizers, "in")
                    ),
                    "All content-preserving finalizers finished",
                ),
            ),
        ]
    }
}

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let namespaces = &self.store.kinds().namespaces;
        if *change.table == *namespaces.table() {
            keys.push(change.key.to_string());
        } else if change.after.is_none() {
            let (space, _) = split(&change.key);
            let going = || self.store.get(namespaces, space).is_some_and(|object| deleting(&object));
            if !space.is_empty() && going() {
                keys.push(space.to_owned());
            }
        }
    }

    fn reconcile(&mut self, space: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().namespaces.clone();
        let Some(namespace) = self.store.get(&kind, space).filter(|namespace| deleting(namespace)) else {
            return Ok(Next::Done);
        };
        if !list(&namespace, "/spec/finalizers").contains(&json!(FINALIZER)) {
            return Ok(Next::Done);
        }
        let remains = self.delete_content(space);
        let now = self.store.now();
        if !remains.resources.is_empty() {
            self.store.modify(&kind, Sub::Status, space, |namespace| {
                let before = list(namespace, "/status/conditions").to_vec();
                let mut conditions = before.clone();
                for condition in remains.conditions() {
                    set_condition(&mut conditions, &condition, now, false);
                }
                namespace["status"]["conditions"] = json!(conditions);
                conditions != before
            })?;
            return Ok(Next::Done);
        }
        let finalized = self.store.modify(&kind, Sub::Finalize, space, |namespace| {
            let rest = list(namespace, "/spec/finalizers").iter().filter(|one| **one != json!(FINALIZER));
            let rest: Vec<_> = rest.cloned().collect();
            namespace["spec"]["finalizers"] = json!(rest);
            true
        });
        finalized.map(|_| Next::Done)
    }
}
