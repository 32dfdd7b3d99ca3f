//! ResourceQuotas: what a namespace uses, and whether a new or changed object still fits (the `ResourceQuota` plug-in).
//!
//! Usage is counted from the objects that are there, in the same transaction as the write, so that no two writes can
//! share what is left. Not modelled: quotas by priority class other than `scopeSelector` with `PriorityClass`, and
//! volumes by attributes class.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sim_core::ledger::Txn;

use crate::api::meta;
use crate::controllers::quantity::Quantity;
use crate::registry::Kind;
use crate::status::Status;

const QUOTAS: &str = "core/resourcequotas";

/// Compute resources by the names that quotas give them: within `requests` without a prefix as well.
const COMPUTE: [(&str, &str, &str); 8] = [
    ("cpu", "requests", "cpu"),
    ("memory", "requests", "memory"),
    ("ephemeral-storage", "requests", "ephemeral-storage"),
    ("requests.cpu", "requests", "cpu"),
    ("requests.memory", "requests", "memory"),
    ("requests.ephemeral-storage", "requests", "ephemeral-storage"),
    ("limits.cpu", "limits", "cpu"),
    ("limits.memory", "limits", "memory"),
];

/// An amount, and whether it is shown with binary suffixes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Amount {
    quantity: Quantity,
    binary: bool,
}

impl Amount {
    fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => {
                Self { quantity: Quantity::parse(text).unwrap_or_default(), binary: text.ends_with('i') }
            }
            other => Self::count(other.as_i64().unwrap_or_default()),
        }
    }

    fn count(count: i64) -> Self {
        Self { quantity: Quantity::units(count.into()), binary: false }
    }

    fn plus(self, other: Self) -> Self {
        Self { quantity: self.quantity.plus(other.quantity), binary: self.binary || other.binary }
    }

    fn shown(self) -> String {
        self.quantity.shown(self.binary)
    }
}

/// Amounts by the resource names of quotas.
type Usage = BTreeMap<String, Amount>;

fn pod_is_over(pod: &Value) -> bool {
    matches!(meta::text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// What one object uses.
fn usage(kind: &Kind, object: &Value) -> Usage {
    let mut usage = Usage::new();
    let mut add = |name: &str, amount: Amount| {
        let slot = usage.entry(name.to_owned()).or_default();
        *slot = slot.plus(amount);
    };
    let full =
        if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) };
    add(&format!("count/{full}"), Amount::count(1));
    if !kind.group.is_empty() {
        return usage;
    }
    match kind.kind.as_str() {
        "Pod" if pod_is_over(object) => {}
        "Pod" => {
            add("pods", Amount::count(1));
            for (name, section, resource) in COMPUTE {
                if let Some(amount) = of_pod(object, section, resource) {
                    add(name, amount);
                }
            }
        }
        "Service" => {
            add("services", Amount::count(1));
            let ports = object["spec"]["ports"].as_array().map_or(0, Vec::len);
            let ports = i64::try_from(ports).unwrap_or_default();
            match meta::text(object, "/spec/type") {
                "NodePort" => add("services.nodeports", Amount::count(ports)),
                "LoadBalancer" => {
                    add("services.loadbalancers", Amount::count(1));
                    if object["spec"]["allocateLoadBalancerNodePorts"] != json!(false) {
                        add("services.nodeports", Amount::count(ports));
                    }
                }
                _ => {}
            }
        }
        "PersistentVolumeClaim" => {
            let size = Amount::of(&object["spec"]["resources"]["requests"]["storage"]);
            add("persistentvolumeclaims", Amount::count(1));
            add("requests.storage", size);
            let class = meta::text(object, "/spec/storageClassName");
            if !class.is_empty() {
                let of_class = format!("{class}.storageclass.storage.k8s.io");
                add(&format!("{of_class}/requests.storage"), size);
                add(&format!("{of_class}/persistentvolumeclaims"), Amount::count(1));
            }
        }
        "ConfigMap" | "Secret" | "ReplicationController" | "ResourceQuota" => {
            add(&kind.plural, Amount::count(1))
        }
        _ => {}
    }
    usage
}

fn containers<'a>(pod: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    pod["spec"][list].as_array().into_iter().flatten()
}

/// The sum over a pod's containers, or its largest init container if that is more; `None` when nothing is stated.
fn of_pod(pod: &Value, section: &str, resource: &str) -> Option<Amount> {
    let of = |container: &Value| container["resources"][section].get(resource).map(Amount::of);
    let sum = containers(pod, "containers").filter_map(of).reduce(Amount::plus);
    let most = containers(pod, "initContainers").filter_map(of).max_by_key(|amount| amount.quantity);
    match (sum, most) {
        (Some(sum), Some(most)) if most.quantity > sum.quantity => Some(most),
        (None, most) => most,
        (sum, _) => sum,
    }
}

/// Whether a quota's scopes take an object in.
fn in_scope(quota: &Value, kind: &Kind, object: &Value) -> bool {
    let stated = quota["spec"]["scopes"].as_array().into_iter().flatten();
    let stated = stated.map(|scope| json!({"scopeName": scope, "operator": "Exists"}));
    let selected =
        quota["spec"]["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten().cloned();
    let mut all = stated.chain(selected).peekable();
    if all.peek().is_some() && !kind.is("", "Pod") {
        return false;
    }
    all.all(|wanted| {
        let best_effort = meta::text(object, "/status/qosClass") == "BestEffort"
            || COMPUTE.iter().all(|(_, section, resource)| {
                *resource == "ephemeral-storage" || of_pod(object, section, resource).is_none()
            });
        let terminating = !object["spec"]["activeDeadlineSeconds"].is_null();
        match meta::text(&wanted, "/scopeName") {
            "BestEffort" => best_effort,
            "NotBestEffort" => !best_effort,
            "Terminating" => terminating,
            "NotTerminating" => !terminating,
            "PriorityClass" => {
                let class = object["spec"]
                    .get("priorityClassName")
                    .and_then(Value::as_str)
                    .filter(|name| !name.is_empty());
                crate::controllers::selector::requirement_holds(&wanted, class)
            }
            _ => false,
        }
    })
}

/// What a namespace uses of a quota's resources. `all` gives every stored object of the namespace with its kind.
pub(crate) fn used<'a>(
    quota: &Value,
    all: impl Iterator<Item = (&'a Kind, &'a Value)>,
) -> Map<String, Value> {
    let mut sums: BTreeMap<String, Amount> =
        limits(quota).map(|(name, _)| (name, Amount::default())).collect();
    for (kind, object) in all.filter(|(kind, object)| in_scope(quota, kind, object)) {
        for (name, amount) in usage(kind, object) {
            if let Some(slot) = sums.get_mut(&name) {
                *slot = slot.plus(amount);
            }
        }
    }
    let hard: BTreeMap<_, _> = limits(quota).collect();
    let shown = |(name, amount): (String, Amount)| {
        let binary = amount.binary
            || (amount.quantity != Quantity::default() && hard.get(&name).is_some_and(|hard| hard.binary));
        (name, Value::from(Amount { binary, ..amount }.shown()))
    };
    sums.into_iter().map(shown).collect()
}

fn limits(quota: &Value) -> impl Iterator<Item = (String, Amount)> {
    let hard = quota["spec"]["hard"].as_object().into_iter().flatten();
    hard.map(|(name, limit)| (name.clone(), Amount::of(limit)))
}

/// The resources of a quota that objects of this kind can use.
fn concerns(kind: &Kind, name: &str) -> bool {
    let full =
        if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) };
    if name == format!("count/{full}") {
        return true;
    }
    if !kind.group.is_empty() {
        return false;
    }
    match kind.kind.as_str() {
        "Pod" => name == "pods" || COMPUTE.iter().any(|(own, ..)| *own == name),
        "Service" => name.starts_with("services"),
        "PersistentVolumeClaim" => {
            matches!(name, "persistentvolumeclaims" | "requests.storage")
                || name.contains(".storageclass.storage.k8s.io/")
        }
        _ => name == kind.plural,
    }
}

/// Refuses an object that takes its namespace beyond a quota.
pub(super) fn check(
    txn: &Txn<'_>,
    kind: &Kind,
    before: Option<&Value>,
    object: &Value,
) -> Result<(), Status> {
    let Some(namespace) = meta::namespace(object) else { return Ok(()) };
    let prefix = format!("{namespace}/");
    for (_, row) in txn.scan(QUOTAS, &prefix) {
        let quota = &*row.value;
        let names: Vec<_> = limits(quota).filter(|(name, _)| concerns(kind, name)).collect();
        if names.is_empty() || !in_scope(quota, kind, object) {
            continue;
        }
        let title = meta::name(quota);
        if before.is_none() && kind.is("", "Pod") {
            missing(kind, title, &names, object)?;
        }
        let (wanted, had) =
            (usage(kind, object), before.map(|before| usage(kind, before)).unwrap_or_default());
        let others = txn.scan(kind.table(), &prefix).map(|(_, row)| (kind, &*row.value));
        let used = used(quota, others);
        let mut exceeded = [Vec::new(), Vec::new(), Vec::new()];
        for (name, hard) in names {
            let of = |usage: &Usage| usage.get(&name).copied().unwrap_or_default();
            let more = Amount {
                quantity: of(&wanted).quantity.minus(of(&had).quantity),
                binary: of(&wanted).binary,
            };
            let present = used.get(&name).map(Amount::of).unwrap_or_default();
            if more.quantity > Quantity::default() && present.plus(more).quantity > hard.quantity {
                for (texts, amount) in exceeded.iter_mut().zip([more, present, hard]) {
                    texts.push(format!("{name}={}", amount.shown()));
                }
            }
        }
        let [requested, present, limited] = exceeded.map(|texts| texts.join(","));
        if !requested.is_empty() {
            let why = format!(
                "exceeded quota: {title}, requested: {requested}, used: {present}, limited: {limited}"
            );
            return Err(Status::refused(kind, meta::name(object), &why));
        }
    }
    Ok(())
}

/// Refuses a pod with a container that leaves out what a quota counts.
fn missing(kind: &Kind, quota: &str, names: &[(String, Amount)], pod: &Value) -> Result<(), Status> {
    let mut lacking = Vec::new();
    for (name, section, resource) in COMPUTE {
        if resource == "ephemeral-storage" || names.iter().all(|(own, _)| own != name) {
            continue;
        }
        let all = ["containers", "initContainers"].into_iter().flat_map(|list| containers(pod, list));
        let without = all.filter(|one| one["resources"][section].get(resource).is_none_or(Value::is_null));
        let without: BTreeSet<_> = without.map(|one| meta::text(one, "/name")).collect();
        if !without.is_empty() {
            lacking.push(format!("{name} for: {}", without.into_iter().collect::<Vec<_>>().join(",")));
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    lacking.sort();
    let why = format!("failed quota: {quota}: must specify {}", lacking.join("; "));
    Err(Status::refused(kind, meta::name(pod), &why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn usage_is_summed_and_shown_as_kubernetes_does() {
        let registry = Registry::builtin();
        let pods = registry.by_kind("", "Pod").unwrap();
        let quota = json!({"spec": {"hard": {"pods": "4", "requests.memory": "1Gi", "limits.cpu": "2"}}});
        let pod = json!({"spec": {"containers": [
            {"resources": {"requests": {"memory": "128Mi"}, "limits": {"cpu": "250m"}}},
            {"resources": {"requests": {"memory": "128Mi"}, "limits": {"cpu": "250m"}}}]}});
        let over = json!({"status": {"phase": "Succeeded"}, "spec": pod["spec"]});
        let used = used(&quota, [(&*pods, &pod), (&*pods, &over)].into_iter());
        assert_eq!(Value::from(used), json!({"limits.cpu": "500m", "pods": "1", "requests.memory": "256Mi"}));
    }

    #[test]
    fn scopes_choose_pods() {
        let pods = Registry::builtin().by_kind("", "Pod").unwrap();
        let quota = json!({"spec": {"scopes": ["BestEffort"], "hard": {"pods": "1"}}});
        assert!(in_scope(&quota, &pods, &json!({"spec": {"containers": [{}]}})));
        let asking = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}});
        assert!(!in_scope(&quota, &pods, &asking));
    }
}
