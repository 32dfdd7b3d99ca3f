//! Nodes that are not well: taints by their conditions, and pods that have to leave.
//!
//! After the node life-cycle and taint eviction controllers. A node that stopped reporting is `Unknown`: it is tainted at
//! once, its pods stop being ready, and those that do not tolerate that for longer are deleted when their time is over
//! (300 s unless they say otherwise). Pods of such a node stay `Terminating` until it reports again.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::manager::{Controller, Next};
use super::objects::{
    Condition, after, condition, deleting, join, key, list, name, namespace, number, set, set_condition,
    stamp, text, time,
};
use super::pods::{is_finished, is_ready};
use super::store::Store;
use crate::api::Sub;
use crate::status::Status;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Conditions of a node, the status that is bad, and the taint that goes with it.
const TAINTS: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
];

/// The controller of nodes' taints and of what follows from them.
#[derive(Debug)]
pub(crate) struct NodeLifecycle {
    store: Store,
    node_events: Recorder,
    eviction_events: Recorder,
}

impl NodeLifecycle {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("node-controller");
        let node_events = Recorder::new(&store, "node-controller");
        let eviction_events = Recorder::new(&store, "taint-eviction-controller");
        Self { store, node_events, eviction_events }
    }

    /// Makes the taints that stand for conditions agree with them. Says whether the node became unwell.
    fn taint(&self, node: &Value) -> Result<bool, Status> {
        let bad = |kind: &str, status: &str| {
            condition(node, kind).is_some_and(|found| text(found, "/status") == status)
        };
        let ready = condition(node, "Ready").is_some();
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        for (kind, status, taint) in TAINTS.iter().filter(|_| ready) {
            if bad(kind, status) {
                wanted.push((taint, "NoSchedule"));
                if *kind == "Ready" {
                    wanted.push((taint, "NoExecute"));
                }
            }
        }
        if node.pointer("/spec/unschedulable") == Some(&json!(true)) {
            wanted.push(("node.kubernetes.io/unschedulable", "NoSchedule"));
        }
        let own = |taint: &Value| {
            let key = text(taint, "/key");
            key == "node.kubernetes.io/unschedulable" || TAINTS.iter().any(|(_, _, known)| *known == key)
        };
        let now = stamp(self.store.now());
        let kind = self.store.kinds().nodes.clone();
        let mut fell = false;
        self.store.modify(&kind, Sub::Main, name(node), |node| {
            let before = list(node, "/spec/taints").to_vec();
            let mut taints = before.clone();
            let stated = |taint: &Value| (text(taint, "/key").to_owned(), text(taint, "/effect").to_owned());
            let is_wanted = |taint: &Value| {
                let (key, effect) = stated(taint);
                wanted.iter().any(|(one, of)| *one == key && *of == effect)
            };
            taints.retain(|taint| !own(taint) || is_wanted(taint));
            for (key, effect) in &wanted {
                if !taints.iter().any(|taint| stated(taint) == ((*key).to_owned(), (*effect).to_owned())) {
                    let mut taint = json!({"key": key, "effect": effect, "timeAdded": now});
                    if *effect == "NoSchedule"
                        && *key != UNREACHABLE
                        && *key != NOT_READY
                        && let Some(map) = taint.as_object_mut()
                    {
                        map.shift_remove("timeAdded");
                    }
                    fell |= *effect == "NoExecute";
                    taints.push(taint);
                }
            }
            if taints == before {
                return false;
            }
            if taints.is_empty() {
                if let Some(spec) = node["spec"].as_object_mut() {
                    spec.shift_remove("taints");
                }
            } else {
                set(node, &["spec", "taints"], json!(taints));
            }
            true
        })?;
        Ok(fell)
    }

    /// The pods of a node that stopped reporting are not ready.
    fn unready(&mut self, pod: &Value) -> Result<(), Status> {
        let pods = self.store.kinds().pods.clone();
        let now = self.store.now();
        self.store.modify(&pods, Sub::Status, &key(pod), |pod| {
            let before = list(pod, "/status/conditions").to_vec();
            let mut conditions = before.clone();
            let unready =
                Condition { kind: "Ready", status: "False", reason: "NodeLost", message: String::new() };
            let known =
                condition(pod, "Ready").map(|known| text(known, "/reason").to_owned()).unwrap_or_default();
            set_condition(&mut conditions, &Condition { reason: &known, ..unready }, now, false);
            set(pod, &["status", "conditions"], json!(conditions));
            conditions != before
        })?;
        self.node_events.event(&pods, pod, Level::Warning, "NodeNotReady", "Node is not ready");
        Ok(())
    }

    fn evict(&mut self, pod: &Value) -> Result<(), Status> {
        let pods = self.store.kinds().pods.clone();
        let now = self.store.now();
        let place = join(namespace(pod), name(pod));
        let message = format!("Marking for deletion Pod {place}");
        self.eviction_events.event(&pods, pod, Level::Normal, "TaintManagerEviction", &message);
        let marked = self.store.modify(&pods, Sub::Status, &key(pod), |pod| {
            let mut conditions = list(pod, "/status/conditions").to_vec();
            let disrupted = Condition {
                kind: "DisruptionTarget",
                status: "True",
                reason: "DeletionByTaintManager",
                message: "Taint manager: deleting due to NoExecute taint".into(),
            };
            set_condition(&mut conditions, &disrupted, now, false);
            set(pod, &["status", "conditions"], json!(conditions));
            true
        });
        if marked.is_err_and(|status| !status.is_not_found()) {
            tracing::debug!(pod = place, "a pod that has to leave could not be marked");
        }
        self.store.delete(&pods, pod)
    }

    /// Deletes the pods that do not tolerate the node's taints any longer.
    fn sweep(&mut self, node: &Value, pods: &[Arc<Value>]) -> Result<Next, Status> {
        let now = self.store.now();
        let taints: Vec<_> =
            list(node, "/spec/taints").iter().filter(|taint| text(taint, "/effect") == "NoExecute").collect();
        let mut next = Next::Done;
        for pod in pods.iter().filter(|pod| !deleting(pod) && !is_finished(pod)) {
            let due = taints.iter().filter_map(|taint| leaves_at(pod, taint, now)).min();
            match due {
                Some(due) if due <= now => self.evict(pod)?,
                due => next = next.sooner(Next::at(due)),
            }
        }
        Ok(next)
    }
}

/// When a taint makes a pod leave; `None` when it tolerates it for ever.
fn leaves_at(pod: &Value, taint: &Value, now: Timestamp) -> Option<Timestamp> {
    let since = time(taint, "/timeAdded").unwrap_or(now);
    let tolerating = list(pod, "/spec/tolerations").iter().filter(|toleration| {
        let (own, effect) = (text(toleration, "/key"), text(toleration, "/effect"));
        let exists = text(toleration, "/operator") == "Exists";
        matches!(effect, "" | "NoExecute")
            && (own == text(taint, "/key") || (own.is_empty() && exists))
            && (exists || text(toleration, "/value") == text(taint, "/value"))
    });
    let mut limits: Vec<Option<i64>> =
        tolerating.map(|toleration| number(toleration, "/tolerationSeconds")).collect();
    if limits.is_empty() {
        return Some(since);
    }
    limits.retain(Option::is_some);
    limits.into_iter().flatten().min().map(|seconds| after(since, seconds.max(0)))
}

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        "nodelifecycle"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.nodes.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.pods.table() {
            let node = |row: &Option<sim_core::ledger::Row>| {
                row.as_ref().map(|row| text(&row.value, "/spec/nodeName").to_owned()).unwrap_or_default()
            };
            // Only a pod that is new on a node is news here.
            let (before, after) = (node(&change.before), node(&change.after));
            if !after.is_empty() && before != after {
                keys.push(after);
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kinds = self.store.kinds();
        let (kind, pod_kind) = (kinds.nodes.clone(), kinds.pods.clone());
        let Some(node) = self.store.get(&kind, at).filter(|node| !deleting(node)) else {
            return Ok(Next::Done);
        };
        let fell = self.taint(&node)?;
        let tainted = list(&node, "/spec/taints").iter().any(|taint| text(taint, "/effect") == "NoExecute");
        if !fell && !tainted {
            return Ok(Next::Done);
        }
        let mut pods = self.store.list(&pod_kind, "");
        pods.retain(|pod| text(pod, "/spec/nodeName") == at);
        if fell {
            let message = format!("Node {at} status is now: NodeNotReady");
            self.node_events.event(&kind, &node, Level::Normal, "NodeNotReady", &message);
            for pod in pods.iter().filter(|pod| is_ready(pod)) {
                self.unready(pod)?;
            }
        }
        let node = self.store.get(&kind, at).unwrap_or(node);
        self.sweep(&node, &pods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_toleration_says_when_a_pod_leaves() {
        let now: Timestamp = "2030-01-01T01:00:00Z".parse().unwrap();
        let taint = json!({"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": "2030-01-01T00:00:00Z"});
        let since = time(&taint, "/timeAdded").unwrap();
        let pod = |tolerations: Value| json!({"spec": {"tolerations": tolerations}});
        assert_eq!(leaves_at(&pod(json!([])), &taint, now), Some(since));
        let one = json!({"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
        assert_eq!(leaves_at(&pod(json!([one])), &taint, now), Some(after(since, 300)));
        let ever = json!({"operator": "Exists"});
        assert_eq!(leaves_at(&pod(json!([ever])), &taint, now), None);
        assert_eq!(leaves_at(&pod(json!([ever, one])), &taint, now), Some(after(since, 300)));
    }
}
