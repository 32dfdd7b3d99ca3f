//! DaemonSets: a pod on every node that takes it.
//!
//! Updates delete outdated pods within `maxUnavailable` and let new ones take their place; with `maxSurge` new ones come first.

use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::history::History;
use super::manager::{Controller, Next};
use super::objects::{controller_key, deleting, label, list, name, namespace, number, scaled, set, text};
use super::pods::{available_at, claim, from_template, is_finished, is_ready};
use super::store::Store;
use crate::scheduler::takes;
use crate::status::Status;

/// The label with the hash of the template that a pod was made from.
const HASH_LABEL: &str = "controller-revision-hash";

/// What DaemonSet pods tolerate without saying so: key and effect.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// The DaemonSet controller.
#[derive(Debug)]
pub(crate) struct DaemonSets {
    store: Store,
    events: Recorder,
}

impl DaemonSets {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("daemonset-controller");
        let events = Recorder::new(&store, "daemonset-controller");
        Self { store, events }
    }

    fn create(&mut self, set: &Value, pod: Value) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (kind, pods) = (kinds.daemon_sets.clone(), kinds.pods.clone());
        match self.store.create(&pods, namespace(set), pod) {
            Ok(pod) => {
                let message = format!("Created pod: {}", name(&pod));
                self.events.event(&kind, set, Level::Normal, "SuccessfulCreate", &message);
                Ok(())
            }
            Err(error) => {
                let message = format!("Error creating: {error}");
                self.events.event(&kind, set, Level::Warning, "FailedCreate", &message);
                Err(error)
            }
        }
    }

    fn delete(&mut self, set: &Value, pod: &Value) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (kind, pods) = (kinds.daemon_sets.clone(), kinds.pods.clone());
        self.store.delete(&pods, pod)?;
        let message = format!("Deleted pod: {}", name(pod));
        self.events.event(&kind, set, Level::Normal, "SuccessfulDelete", &message);
        Ok(())
    }

    /// Makes the pods of each node right; says how many nodes should have one.
    fn place(&mut self, set: &Value, hash: &str, pods: &[Arc<Value>]) -> Result<(i64, i64), Status> {
        let kind = self.store.kinds().daemon_sets.clone();
        let (mut desired, mut misplaced) = (0, 0);
        let surges = surge(set, 1) > 0;
        for node in self.store.list(&self.store.kinds().nodes.clone(), "") {
            let wanted = pod_for(set, &kind, hash, name(&node));
            let here: Vec<_> = pods.iter().filter(|pod| meant_for(pod) == name(&node)).collect();
            let takes = takes(&wanted, &node);
            desired += i64::from(takes);
            misplaced += i64::from(!takes && !here.is_empty());
            let gone: Vec<_> = here.iter().filter(|pod| is_finished(pod) && !deleting(pod)).collect();
            for pod in &gone {
                self.delete(set, pod)?;
            }
            if takes && here.is_empty() {
                self.create(set, wanted)?;
            }
            let mut kept: Vec<bool> = Vec::new();
            for pod in here.iter().filter(|pod| !deleting(pod) && !is_finished(pod)) {
                // While a node has two, one is of the old template and one of the new.
                let fresh = label(pod, HASH_LABEL) == Some(hash);
                let room = takes && if surges { !kept.contains(&fresh) } else { kept.is_empty() };
                if room {
                    kept.push(fresh);
                } else {
                    self.delete(set, pod)?;
                }
            }
        }
        Ok((desired, misplaced))
    }

    fn update(&mut self, set: &Value, hash: &str, pods: &[Arc<Value>], desired: i64) -> Result<(), Status> {
        if text(set, "/spec/updateStrategy/type") == "OnDelete" {
            return Ok(());
        }
        let extra = surge(set, desired);
        if extra > 0 {
            return self.surge(set, hash, pods, extra);
        }
        let limit = set.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable");
        let limit = scaled(limit.filter(|limit| !limit.is_null()), desired, true, "1").max(1);
        let ready = pods.iter().filter(|pod| is_ready(pod) && !deleting(pod)).count();
        let mut room = limit - (desired - i64::try_from(ready).unwrap_or(i64::MAX));
        for pod in pods.iter().filter(|pod| label(pod, HASH_LABEL) != Some(hash) && !deleting(pod)) {
            if !is_ready(pod) {
                self.delete(set, pod)?;
            } else if room > 0 {
                room -= 1;
                self.delete(set, pod)?;
            }
        }
        Ok(())
    }
}

impl DaemonSets {
    /// A new pod comes beside the old one, on so many nodes at a time, and the old one goes once the new one is ready.
    fn surge(&mut self, set: &Value, hash: &str, pods: &[Arc<Value>], most: i64) -> Result<(), Status> {
        let kind = self.store.kinds().daemon_sets.clone();
        let living = |pod: &&Arc<Value>| !deleting(pod) && !is_finished(pod);
        let (fresh, old): (Vec<_>, Vec<_>) =
            pods.iter().filter(living).partition(|pod| label(pod, HASH_LABEL) == Some(hash));
        let beside = |old: &Value| fresh.iter().find(|pod| meant_for(pod) == meant_for(old));
        let pairs = old.iter().filter(|pod| beside(pod).is_some_and(|new| !is_ready(new))).count();
        let mut room = most - i64::try_from(pairs).unwrap_or(i64::MAX);
        for pod in &old {
            match beside(pod) {
                Some(new) if is_ready(new) => self.delete(set, pod)?,
                Some(_) => {}
                // What does not work is replaced without counting.
                None if room > 0 || !is_ready(pod) => {
                    room -= i64::from(is_ready(pod));
                    self.create(set, pod_for(set, &kind, hash, meant_for(pod)))?;
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// How many pods may come before old ones go.
fn surge(set: &Value, desired: i64) -> i64 {
    let stated =
        set.pointer("/spec/updateStrategy/rollingUpdate/maxSurge").filter(|stated| !stated.is_null());
    if text(set, "/spec/updateStrategy/type") == "OnDelete" { 0 } else { scaled(stated, desired, true, "0") }
}

/// The node that a pod is on or bound for.
fn meant_for(pod: &Value) -> &str {
    let bound = text(pod, "/spec/nodeName");
    if !bound.is_empty() {
        return bound;
    }
    text(
        pod,
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0",
    )
}

fn pod_for(set: &Value, kind: &crate::registry::Kind, hash: &str, node: &str) -> Value {
    let mut pod = from_template(&set["spec"]["template"], kind, set, name(set));
    self::set(&mut pod, &["metadata", "labels", HASH_LABEL], json!(hash));
    let field = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let mut terms = list(
        &pod,
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    )
    .to_vec();
    if terms.is_empty() {
        terms.push(json!({}));
    }
    for term in &mut terms {
        term["matchFields"] = field.clone();
    }
    self::set(&mut pod, &path, json!({"nodeSelectorTerms": terms}));
    let mut tolerations = list(&pod, "/spec/tolerations").to_vec();
    tolerations.extend(
        TOLERATED.iter().map(|(key, effect)| json!({"key": key, "operator": "Exists", "effect": effect})),
    );
    self::set(&mut pod, &["spec", "tolerations"], json!(tolerations));
    pod
}

impl Controller for DaemonSets {
    fn name(&self) -> &'static str {
        "daemonset"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.daemon_sets.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.pods.table() {
            for row in change.before.iter().chain(&change.after) {
                keys.extend(controller_key(&row.value, "DaemonSet"));
            }
        } else if *change.table == *kinds.nodes.table() {
            let shape = |row: &Option<sim_core::ledger::Row>| {
                row.as_ref().map(|row| (row.value["spec"].clone(), row.value["metadata"]["labels"].clone()))
            };
            if shape(&change.before) != shape(&change.after) {
                keys.extend(
                    self.store.list(&kinds.daemon_sets, "").iter().map(|set| super::objects::key(set)),
                );
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().daemon_sets.clone();
        let Some(set) = self.store.get(&kind, at).filter(|set| !deleting(set)) else { return Ok(Next::Done) };
        let history = History::of(&self.store, &kind, &set)?;
        let hash = history.hash().to_owned();
        let pods = claim(&self.store, &kind, &set)?;
        let (desired, misplaced) = self.place(&set, &hash, &pods)?;
        self.update(&set, &hash, &pods, desired)?;
        let pods = claim(&self.store, &kind, &set)?;
        let live: Vec<_> = pods.iter().filter(|pod| !deleting(pod) && !is_finished(pod)).collect();
        let now = self.store.now();
        let min_ready = number(&set, "/spec/minReadySeconds").unwrap_or_default();
        let mut next = Next::Done;
        let (mut ready, mut available, mut updated) = (0, 0, 0);
        for pod in &live {
            ready += i64::from(is_ready(pod));
            updated += i64::from(label(pod, HASH_LABEL) == Some(&hash));
            match available_at(pod, min_ready) {
                Some(moment) if moment <= now => available += 1,
                moment => next = next.sooner(Next::at(moment)),
            }
        }
        let current = i64::try_from(live.len()).unwrap_or(i64::MAX) - misplaced;
        let mut status = json!({
            "currentNumberScheduled": current, "numberMisscheduled": misplaced, "desiredNumberScheduled": desired,
            "numberReady": ready, "observedGeneration": set["metadata"]["generation"],
        });
        let counts = [
            ("updatedNumberScheduled", updated),
            ("numberAvailable", available),
            ("numberUnavailable", desired - available),
        ];
        for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = json!(count);
        }
        let used: Vec<_> = pods.iter().filter_map(|pod| label(pod, HASH_LABEL)).collect();
        history.truncate(&self.store, &set, &used)?;
        self.store.set_status(&kind, at, status)?;
        Ok(next)
    }
}
