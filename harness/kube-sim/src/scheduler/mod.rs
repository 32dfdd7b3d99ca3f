//! The scheduler: pods to nodes.
//!
//! A node must have what the pod requests, carry the labels of `nodeSelector` and of required node affinity, and no
//! taint that the pod does not tolerate; among those that do, the one with the most left wins, preferences first.
//! Unschedulable pods get the real scheduler's condition and event and are tried again when nodes or pods change.
//! Not modelled: preemption, volume topology, scheduling gates other than by their presence, and profiles.

mod fit;
mod spread;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use crate::api::Sub;
use crate::controllers::events::{Level, Recorder};
use crate::controllers::manager::{Controller, Next};
use crate::controllers::objects::{
    Condition, deleting, join, list, name, namespace, set, set_condition, text,
};
use crate::controllers::pods::is_finished;
use crate::controllers::store::Store;
use crate::status::Status;

pub(crate) use self::fit::takes;

/// The scheduler of pods that name no other.
#[derive(Debug)]
pub(crate) struct Scheduler {
    store: Store,
    events: Recorder,
    /// Keys of pods that found no node.
    waiting: std::collections::BTreeSet<String>,
}

impl Scheduler {
    /// A scheduler over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("kube-scheduler");
        let events = Recorder::new(&store, "default-scheduler");
        Self { store, events, waiting: std::collections::BTreeSet::new() }
    }

    fn bind(&mut self, pod: &Value, key: &str, node: &str) -> Result<(), Status> {
        let kind = self.store.kinds().pods.clone();
        let now = self.store.now();
        let bound = self.store.modify(&kind, Sub::Binding, key, |pod| {
            if !text(pod, "/spec/nodeName").is_empty() {
                return false;
            }
            set(pod, &["spec", "nodeName"], json!(node));
            let mut conditions = list(pod, "/status/conditions").to_vec();
            conditions.retain(|condition| condition["type"] != json!("PodScheduled"));
            let scheduled =
                Condition { kind: "PodScheduled", status: "True", reason: "", message: String::new() };
            set_condition(&mut conditions, &scheduled, now, false);
            set(pod, &["status", "conditions"], json!(conditions));
            true
        })?;
        if text(&bound, "/spec/nodeName") == node {
            let message = format!("Successfully assigned {} to {node}", join(namespace(pod), name(pod)));
            self.events.event(&kind, pod, Level::Normal, "Scheduled", &message);
        }
        Ok(())
    }

    fn report(&mut self, pod: &Value, key: &str, reason: &str, message: String) -> Result<(), Status> {
        let kind = self.store.kinds().pods.clone();
        let now = self.store.now();
        let mut changed = false;
        self.store.modify(&kind, Sub::Status, key, |pod| {
            let before = list(pod, "/status/conditions").to_vec();
            let mut conditions = before.clone();
            let unscheduled =
                Condition { kind: "PodScheduled", status: "False", reason, message: message.clone() };
            set_condition(&mut conditions, &unscheduled, now, false);
            changed = conditions != before;
            set(pod, &["status", "conditions"], json!(conditions));
            changed
        })?;
        if changed && reason == "Unschedulable" {
            self.events.event(&kind, pod, Level::Warning, "FailedScheduling", &message);
        }
        Ok(())
    }

    /// What a pod's claims have against scheduling it, in the real scheduler's words.
    fn unbound_claim(&self, pod: &Value, nodes: usize) -> Option<String> {
        let claims = list(pod, "/spec/volumes").iter();
        let claims = claims.map(|volume| text(volume, "/persistentVolumeClaim/claimName"));
        for claim in claims.filter(|claim| !claim.is_empty()) {
            let found = self.store.get(&self.store.kinds().claims, &join(namespace(pod), claim));
            let why = match found {
                None => format!("persistentvolumeclaim \"{claim}\" not found"),
                Some(found) if deleting(&found) => {
                    format!("persistentvolumeclaim \"{claim}\" is being deleted")
                }
                Some(found) if text(&found, "/status/phase") != "Bound" => {
                    "pod has unbound immediate PersistentVolumeClaims".to_owned()
                }
                Some(_) => continue,
            };
            return Some(format!("0/{nodes} nodes are available: {why}. not found"));
        }
        None
    }
}

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.pods.table() {
            let left = change.after.as_ref().is_none_or(|row| is_finished(&row.value));
            let unbound =
                change.after.as_ref().is_some_and(|row| text(&row.value, "/spec/nodeName").is_empty());
            if unbound {
                keys.push(change.key.to_string());
            } else if left {
                self.waiting.remove(&*change.key);
                keys.extend(self.waiting.iter().cloned());
            }
        } else if *change.table == *kinds.claims.table() {
            keys.extend(self.waiting.iter().cloned());
        } else if *change.table == *kinds.nodes.table() {
            let spec = |row: &Option<sim_core::ledger::Row>| {
                row.as_ref().map(|row| (row.value["spec"].clone(), row.value["metadata"]["labels"].clone()))
            };
            if spec(&change.before) != spec(&change.after) {
                keys.extend(self.waiting.iter().cloned());
            }
        }
    }

    fn reconcile(&mut self, key: &str) -> Result<Next, Status> {
        let kinds = self.store.kinds();
        let (pod_kind, node_kind) = (kinds.pods.clone(), kinds.nodes.clone());
        let pod = self.store.get(&pod_kind, key);
        let ours = |pod: &Arc<Value>| {
            let wanted = text(pod, "/spec/schedulerName");
            text(pod, "/spec/nodeName").is_empty()
                && !deleting(pod)
                && !is_finished(pod)
                && matches!(wanted, "" | "default-scheduler")
        };
        let Some(pod) = pod.filter(ours) else {
            self.waiting.remove(key);
            return Ok(Next::Done);
        };
        let gates = list(&pod, "/spec/schedulingGates");
        if !gates.is_empty() {
            let message = "Scheduling is blocked due to non-empty scheduling gates".to_owned();
            self.report(&pod, key, "SchedulingGated", message)?;
            return Ok(Next::Done);
        }
        let nodes = self.store.list(&node_kind, "");
        let mut by_node: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
        for other in self.store.list(&pod_kind, "") {
            let node = text(&other, "/spec/nodeName").to_owned();
            if !node.is_empty() && !is_finished(&other) {
                by_node.entry(node).or_default().push(other);
            }
        }
        let unbound = self.unbound_claim(&pod, nodes.len());
        match unbound.map_or_else(|| fit::choose(&pod, &nodes, &by_node), Err) {
            Ok(node) => {
                self.waiting.remove(key);
                self.bind(&pod, key, &node)?;
            }
            Err(message) => {
                self.waiting.insert(key.to_owned());
                self.report(&pod, key, "Unschedulable", message)?;
            }
        }
        Ok(Next::Done)
    }
}
