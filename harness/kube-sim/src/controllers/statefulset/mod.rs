//! StatefulSets: numbered pods, made in order and taken down in reverse.
//!
//! Updates replace outdated pods one by one from the highest number down to `partition`; pods below it come back with the
//! template that they had.

mod claims;

use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::history::History;
use super::manager::{Controller, Next};
use super::objects::{controller_key, deleting, label, name, namespace, number, set, text};
use super::pods::{available_at, claim, from_template, is_finished, is_ready};
use super::store::Store;
use crate::status::Status;

/// The label with the revision that a pod was made from.
const REVISION_LABEL: &str = "controller-revision-hash";

/// The StatefulSet controller.
#[derive(Debug)]
pub(crate) struct StatefulSets {
    store: Store,
    events: Recorder,
}

impl StatefulSets {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("statefulset-controller");
        let events = Recorder::new(&store, "statefulset-controller");
        Self { store, events }
    }

    fn create(&mut self, set: &Value, ordinal: i64, history: &History) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (kind, pods) = (kinds.stateful_sets.clone(), kinds.pods.clone());
        let pod_name = format!("{}-{ordinal}", name(set));
        let revision = revision_for(set, ordinal, history);
        let template = history.template(revision).unwrap_or_else(|| set["spec"]["template"].clone());
        for claim in claims::ensure(&self.store, set, &pod_name)? {
            let message = format!("create Claim {claim} Pod {pod_name} in StatefulSet {} success", name(set));
            self.events.event(&kind, set, Level::Normal, "SuccessfulCreate", &message);
        }
        let mut pod = from_template(&template, &kind, set, name(set));
        if let Some(metadata) = pod["metadata"].as_object_mut() {
            metadata.shift_remove("generateName");
        }
        self::set(&mut pod, &["metadata", "name"], json!(pod_name));
        let ordinal = ordinal.to_string();
        for (label, value) in [
            ("apps.kubernetes.io/pod-index", ordinal.as_str()),
            (REVISION_LABEL, revision),
            ("statefulset.kubernetes.io/pod-name", pod_name.as_str()),
        ] {
            self::set(&mut pod, &["metadata", "labels", label], json!(value));
        }
        self::set(&mut pod, &["spec", "hostname"], json!(pod_name));
        let subdomain = text(set, "/spec/serviceName");
        if !subdomain.is_empty() {
            self::set(&mut pod, &["spec", "subdomain"], json!(subdomain));
        }
        claims::mount(set, &mut pod, &pod_name);
        let title = name(set);
        match self.store.create(&pods, namespace(set), pod) {
            Ok(_) => {
                let message = format!("create Pod {pod_name} in StatefulSet {title} successful");
                self.events.event(&kind, set, Level::Normal, "SuccessfulCreate", &message);
                Ok(())
            }
            Err(error) => {
                let message = format!("create Pod {pod_name} in StatefulSet {title} failed error: {error}");
                self.events.event(&kind, set, Level::Warning, "FailedCreate", &message);
                Err(error)
            }
        }
    }

    fn delete(&mut self, set: &Value, pod: &Value) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (kind, pods) = (kinds.stateful_sets.clone(), kinds.pods.clone());
        self.store.delete(&pods, pod)?;
        let message = format!("delete Pod {} in StatefulSet {} successful", name(pod), name(set));
        self.events.event(&kind, set, Level::Normal, "SuccessfulDelete", &message);
        Ok(())
    }

    /// One step: the first thing that has to happen, or everything at once with `podManagementPolicy: Parallel`.
    fn step(&mut self, set: &Value, pods: &[Arc<Value>], history: &History) -> Result<(), Status> {
        let revision = history.newest();
        let replicas = number(set, "/spec/replicas").unwrap_or(1);
        let start = number(set, "/spec/ordinals/start").unwrap_or_default();
        let parallel = text(set, "/spec/podManagementPolicy") == "Parallel";
        let by_ordinal = |ordinal: i64| pods.iter().find(|pod| ordinal_of(set, pod) == Some(ordinal));
        for ordinal in start..start + replicas {
            match by_ordinal(ordinal) {
                None => self.create(set, ordinal, history)?,
                Some(pod) if is_finished(pod) && !deleting(pod) => self.delete(set, pod)?,
                Some(pod) if is_ready(pod) && !deleting(pod) => continue,
                Some(_) => {}
            }
            if !parallel {
                return Ok(());
            }
        }
        let mut extra: Vec<_> = pods
            .iter()
            .filter(|pod| {
                ordinal_of(set, pod).is_none_or(|ordinal| !(start..start + replicas).contains(&ordinal))
            })
            .collect();
        extra.sort_by_key(|pod| std::cmp::Reverse(ordinal_of(set, pod)));
        for pod in extra {
            if !deleting(pod) {
                claims::condemn(&self.store, set, pod)?;
                self.delete(set, pod)?;
            }
            if !parallel {
                return Ok(());
            }
        }
        if text(set, "/spec/updateStrategy/type") == "OnDelete" {
            return Ok(());
        }
        let partition = number(set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or_default();
        for ordinal in (start.max(partition)..start + replicas).rev() {
            let Some(pod) = by_ordinal(ordinal) else { return Ok(()) };
            if label(pod, REVISION_LABEL) != Some(revision) {
                if !deleting(pod) {
                    self.delete(set, pod)?;
                }
                return Ok(());
            }
            if !is_ready(pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn status(&self, set: &Value, pods: &[Arc<Value>], revision: &str) -> (Value, Next) {
        let now = self.store.now();
        let min_ready = number(set, "/spec/minReadySeconds").unwrap_or_default();
        let live: Vec<_> = pods.iter().filter(|pod| !is_finished(pod)).collect();
        let mut next = Next::Done;
        let (mut ready, mut available, mut updated) = (0, 0, 0);
        for pod in live.iter().filter(|pod| !deleting(pod)) {
            ready += i64::from(is_ready(pod));
            updated += i64::from(label(pod, REVISION_LABEL) == Some(revision));
            match available_at(pod, min_ready) {
                Some(moment) if moment <= now => available += 1,
                moment => next = next.sooner(Next::at(moment)),
            }
        }
        let replicas = i64::try_from(live.len()).unwrap_or(i64::MAX);
        let wanted = number(set, "/spec/replicas").unwrap_or(1);
        let settled = updated == wanted && ready == wanted && replicas == wanted;
        let before = text(set, "/status/currentRevision");
        let current = if settled || before.is_empty() { revision } else { before };
        let staying = live.iter().filter(|pod| !deleting(pod));
        let of_current = staying.filter(|pod| label(pod, REVISION_LABEL) == Some(current)).count();
        let mut status = json!({
            "observedGeneration": set["metadata"]["generation"], "replicas": replicas,
            "availableReplicas": available, "collisionCount": 0,
            "currentRevision": current, "updateRevision": revision,
        });
        let counts = [
            ("readyReplicas", ready),
            ("updatedReplicas", updated),
            ("currentReplicas", i64::try_from(of_current).unwrap_or(i64::MAX)),
        ];
        for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = json!(count);
        }
        (status, next)
    }
}

/// The revision that a new pod is made from: the present one, unless an update has not come to its number yet.
fn revision_for<'a>(set: &'a Value, ordinal: i64, history: &'a History) -> &'a str {
    let current = text(set, "/status/currentRevision");
    let start = number(set, "/spec/ordinals/start").unwrap_or_default();
    let partition = number(set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or_default();
    let left = number(set, "/status/currentReplicas").unwrap_or_default();
    let rolling = text(set, "/spec/updateStrategy/type") != "OnDelete";
    let kept = if partition > 0 { ordinal < start + partition } else { ordinal < start + left };
    if rolling && kept && !current.is_empty() { current } else { history.newest() }
}

fn ordinal_of(set: &Value, pod: &Value) -> Option<i64> {
    name(pod).strip_prefix(name(set))?.strip_prefix('-')?.parse().ok()
}

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.stateful_sets.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.pods.table() {
            for row in change.before.iter().chain(&change.after) {
                keys.extend(controller_key(&row.value, "StatefulSet"));
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().stateful_sets.clone();
        let Some(set) = self.store.get(&kind, at).filter(|set| !deleting(set)) else { return Ok(Next::Done) };
        let history = History::of(&self.store, &kind, &set)?;
        let pods = claim(&self.store, &kind, &set)?;
        self.step(&set, &pods, &history)?;
        let pods = claim(&self.store, &kind, &set)?;
        let (status, next) = self.status(&set, &pods, history.newest());
        let mut used: Vec<_> = pods.iter().filter_map(|pod| label(pod, REVISION_LABEL)).collect();
        used.push(text(&status, "/currentRevision"));
        history.truncate(&self.store, &set, &used)?;
        self.store.set_status(&kind, at, status)?;
        Ok(next)
    }
}
