//! ReplicaSets and ReplicationControllers: as many pods as asked for.

use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::manager::{Controller, Next};
use super::objects::{
    Condition, controller_key, deleting, key, list, name, namespace, number, set_condition, text,
};
use super::pods;
use super::selector::has_labels;
use super::store::Store;
use crate::registry::Kind;
use crate::status::Status;

/// The controller of one of the two kinds.
#[derive(Debug)]
pub(crate) struct ReplicaSets {
    store: Store,
    events: Recorder,
    kind: Arc<Kind>,
    name: &'static str,
}

impl ReplicaSets {
    /// The controller of ReplicaSets.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("replicaset-controller");
        let events = Recorder::new(&store, "replicaset-controller");
        let kind = store.kinds().replica_sets.clone();
        Self { store, events, kind, name: "replicaset" }
    }

    /// The controller of ReplicationControllers.
    pub(crate) fn replication_controllers(store: &Store) -> Self {
        let store = store.named("replication-controller");
        let events = Recorder::new(&store, "replication-controller");
        let kind = store.kinds().replication_controllers.clone();
        Self { store, events, kind, name: "replicationcontroller" }
    }

    /// Creates or deletes pods until `wanted` are active. Returns the refusal that stopped it.
    fn scale(&mut self, set: &Value, active: &[Arc<Value>], wanted: usize) -> Result<(), Status> {
        let (kind, pod_kind) = (self.kind.clone(), self.store.kinds().pods.clone());
        for _ in active.len()..wanted {
            let pod = pods::from_template(&set["spec"]["template"], &kind, set, name(set));
            match self.store.create(&pod_kind, namespace(set), pod) {
                Ok(pod) => {
                    let message = format!("Created pod: {}", name(&pod));
                    self.events.event(&kind, set, Level::Normal, "SuccessfulCreate", &message);
                }
                Err(error) => {
                    let message = format!("Error creating: {error}");
                    self.events.event(&kind, set, Level::Warning, "FailedCreate", &message);
                    return Err(error);
                }
            }
        }
        let mut spare: Vec<_> = active.iter().collect();
        spare.sort_by(|one, two| pods::by_dispensability(one, two));
        for pod in spare.into_iter().take(active.len().saturating_sub(wanted)) {
            self.store.delete(&pod_kind, pod)?;
            let message = format!("Deleted pod: {}", name(pod));
            self.events.event(&kind, set, Level::Normal, "SuccessfulDelete", &message);
        }
        Ok(())
    }

    /// The status as it should be, and when a pod becomes available without any change.
    fn status(&self, set: &Value, failure: Option<&Status>) -> Result<(Value, Next), Status> {
        let kind = self.kind.clone();
        let owned = pods::claim(&self.store, &kind, set)?;
        let now = self.store.now();
        let min_ready = number(set, "/spec/minReadySeconds").unwrap_or_default();
        let labels = set.pointer("/spec/template/metadata/labels");
        let mut next = Next::Done;
        let (mut total, mut labelled, mut ready, mut available) = (0, 0, 0, 0);
        for pod in owned.iter().filter(|pod| pods::is_active(pod)) {
            total += 1;
            labelled += i64::from(has_labels(labels, pod));
            ready += i64::from(pods::is_ready(pod));
            match pods::available_at(pod, min_ready) {
                Some(at) if at <= now => available += 1,
                at => next = next.sooner(Next::at(at)),
            }
        }
        let mut status = json!({"replicas": total});
        let counts =
            [("fullyLabeledReplicas", labelled), ("readyReplicas", ready), ("availableReplicas", available)];
        for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = json!(count);
        }
        status["observedGeneration"] = set["metadata"]["generation"].clone();
        let mut conditions = list(set, "/status/conditions").to_vec();
        let known = conditions.iter().any(|condition| text(condition, "/type") == "ReplicaFailure");
        match failure {
            None => conditions.retain(|condition| text(condition, "/type") != "ReplicaFailure"),
            // The first failure stays: messages name generated pods and would change with every attempt.
            Some(_) if known => {}
            Some(failure) => {
                let message = failure.to_string();
                let failed =
                    Condition { kind: "ReplicaFailure", status: "True", reason: "FailedCreate", message };
                set_condition(&mut conditions, &failed, now, false);
            }
        }
        if !conditions.is_empty() {
            status["conditions"] = json!(conditions);
        }
        Ok((status, next))
    }
}

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        self.name
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *self.kind.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.pods.table() {
            for row in change.before.iter().chain(&change.after) {
                keys.extend(controller_key(&row.value, &self.kind.kind));
            }
            if let Some(row) = &change.after {
                pods::possible_owners(&self.store, &self.kind, &row.value, keys);
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.kind.clone();
        let Some(set) = self.store.get(&kind, at) else { return Ok(Next::Done) };
        let mut failure = None;
        if !deleting(&set) {
            let owned = pods::claim(&self.store, &kind, &set)?;
            let active: Vec<_> = owned.into_iter().filter(|pod| pods::is_active(pod)).collect();
            let wanted = number(&set, "/spec/replicas").unwrap_or(1);
            failure = self.scale(&set, &active, usize::try_from(wanted).unwrap_or_default()).err();
        }
        let (status, next) = self.status(&set, failure.as_ref())?;
        self.store.set_status(&kind, &key(&set), status)?;
        failure.map_or(Ok(next), Err)
    }
}
