//! PodDisruptionBudgets: how many of the pods that they select may be evicted now.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::manager::{Controller, Next};
use super::objects::{
    Condition, after, controller_of, deleting, join, key, list, namespace, number, scaled, set_condition,
    text, truth,
};
use super::pods::{is_finished, is_ready};
use super::selector::selects;
use super::store::Store;
use crate::status::Status;

/// How long an eviction counts as under way, in seconds, when its pod does not go.
const UNDER_WAY: i64 = 120;

/// The disruption controller.
#[derive(Debug)]
pub(crate) struct Budgets {
    store: Store,
    events: Recorder,
}

impl Budgets {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("disruption-controller");
        let events = Recorder::new(&store, "controllermanager");
        Self { store, events }
    }

    /// How many pods the owners of `pods` want in all.
    fn wanted(&self, pods: &[std::sync::Arc<Value>]) -> i64 {
        let mut owners: BTreeMap<String, i64> = BTreeMap::new();
        let mut alone = 0;
        for pod in pods {
            let Some(owner) = controller_of(pod) else {
                alone += 1;
                continue;
            };
            let registry = self.store.api().registry();
            let group = text(owner, "/apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
            let kind = registry.by_kind(group, text(owner, "/kind"));
            let owner =
                kind.and_then(|kind| self.store.get(&kind, &join(namespace(pod), text(owner, "/name"))));
            if let Some(owner) = owner {
                owners.insert(key(&owner), number(&owner, "/spec/replicas").unwrap_or(1));
            }
        }
        owners.values().sum::<i64>() + alone
    }

    fn status(&mut self, budget: &Value) -> (Value, Next) {
        let now = self.store.now();
        let kinds = self.store.kinds();
        let (kind, pod_kind) = (kinds.budgets.clone(), kinds.pods.clone());
        let mut pods = self.store.list(&pod_kind, namespace(budget));
        pods.retain(|pod| selects(budget.pointer("/spec/selector"), pod) && !is_finished(pod));
        if pods.is_empty() {
            self.events.event(&kind, budget, Level::Normal, "NoPods", "No matching pods found");
        }
        let mut next = Next::Done;
        let mut under_way = serde_json::Map::new();
        for (name, since) in
            budget.pointer("/status/disruptedPods").and_then(Value::as_object).into_iter().flatten()
        {
            let until =
                since.as_str().and_then(|since| since.parse().ok()).map(|since| after(since, UNDER_WAY));
            let there = pods.iter().any(|pod| super::objects::name(pod) == name && !deleting(pod));
            if let Some(until) = until.filter(|until| there && *until > now) {
                next = next.sooner(Next::At(until));
                under_way.insert(name.clone(), since.clone());
            }
        }
        let healthy = pods.iter().filter(|pod| {
            is_ready(pod) && !deleting(pod) && !under_way.contains_key(super::objects::name(pod))
        });
        let healthy = i64::try_from(healthy.count()).unwrap_or(i64::MAX);
        let count = i64::try_from(pods.len()).unwrap_or(i64::MAX);
        let field = |name: &str| budget["spec"].get(name).filter(|value| !value.is_null());
        let (expected, desired) = match (field("maxUnavailable"), field("minAvailable")) {
            (Some(limit), _) => {
                let expected = self.wanted(&pods);
                (expected, (expected - scaled(Some(limit), expected, true, "0")).max(0))
            }
            (None, Some(limit)) if limit.is_string() => {
                let expected = self.wanted(&pods);
                (expected, scaled(Some(limit), expected, true, "0"))
            }
            (None, limit) => (count, scaled(limit, count, true, "0")),
        };
        let allowed = if expected <= 0 { 0 } else { (healthy - desired).max(0) };
        let mut conditions = list(budget, "/status/conditions").to_vec();
        let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
        let condition = Condition {
            kind: "DisruptionAllowed",
            status: truth(allowed > 0),
            reason,
            message: String::new(),
        };
        set_condition(&mut conditions, &condition, now, false);
        for condition in &mut conditions {
            condition["message"] = json!(text(condition, "/message"));
            condition["observedGeneration"] = budget["metadata"]["generation"].clone();
        }
        let mut status = json!({
            "conditions": conditions, "currentHealthy": healthy, "desiredHealthy": desired,
            "disruptionsAllowed": allowed, "expectedPods": expected,
            "observedGeneration": budget["metadata"]["generation"],
        });
        if !under_way.is_empty() {
            status["disruptedPods"] = Value::Object(under_way);
        }
        (status, next)
    }
}

impl Controller for Budgets {
    fn name(&self) -> &'static str {
        "disruption"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.budgets.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.pods.table() {
            for row in change.before.iter().chain(&change.after) {
                let budgets = self.store.list(&kinds.budgets, namespace(&row.value));
                let selecting =
                    budgets.iter().filter(|budget| selects(budget.pointer("/spec/selector"), &row.value));
                keys.extend(selecting.map(|budget| key(budget)));
            }
        } else if [
            &kinds.deployments,
            &kinds.replica_sets,
            &kinds.stateful_sets,
            &kinds.replication_controllers,
        ]
        .iter()
        .any(|kind| *change.table == *kind.table())
        {
            let space = change.key.split_once('/').map_or("", |(space, _)| space);
            keys.extend(self.store.list(&kinds.budgets, space).iter().map(|budget| key(budget)));
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().budgets.clone();
        let Some(budget) = self.store.get(&kind, at).filter(|budget| !deleting(budget)) else {
            return Ok(Next::Done);
        };
        let (status, next) = self.status(&budget);
        self.store.set_status(&kind, at, status)?;
        Ok(next)
    }
}
