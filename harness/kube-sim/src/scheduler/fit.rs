//! Which nodes a pod fits on, and which of them is best.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::spread::Surroundings;
use crate::controllers::objects::{label, list, name, number, text};
use crate::controllers::quantity::Quantity;
use crate::controllers::selector::requirement_holds;

/// Amounts by resource name.
type Amounts = BTreeMap<String, Quantity>;

/// The name of the best node for a pod, or the real scheduler's message about why there is none.
pub(super) fn choose(
    pod: &Value,
    nodes: &[Arc<Value>],
    by_node: &BTreeMap<String, Vec<Arc<Value>>>,
) -> Result<String, String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let around = Surroundings { nodes, by_node };
    // Nodes on which preemption could help.
    let mut room = 0;
    let mut best: Option<(i128, &str)> = None;
    for node in nodes {
        let present = by_node.get(name(node)).map_or(&[][..], Vec::as_slice);
        let mut missing = obstacles(pod, node, present);
        if missing.is_empty() {
            missing.extend(around.obstacle(pod, node).map(str::to_owned));
        }
        if missing.is_empty() {
            let score = score(pod, node, present) + i128::from(around.score(pod, node)) * 1_000_000;
            if best.is_none_or(|(known, _)| score > known) {
                best = Some((score, name(node)));
            }
        }
        room += usize::from(!missing.is_empty() && missing.iter().all(|reason| yields(reason)));
        for reason in missing {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    if let Some((_, node)) = best {
        return Ok(node.to_owned());
    }
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let mut listed: Vec<_> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    listed.sort();
    let (total, helpless) = (nodes.len(), nodes.len() - room);
    let mut preemption = Vec::new();
    for (count, why) in [
        (room, "No preemption victims found for incoming pod"),
        (helpless, "Preemption is not helpful for scheduling"),
    ] {
        if count > 0 {
            preemption.push(format!("{count} {why}"));
        }
    }
    preemption.sort();
    Err(format!(
        "0/{total} nodes are available: {}. no new claims to deallocate, preemption: 0/{total} nodes are available: {}.",
        listed.join(", "),
        preemption.join(", ")
    ))
}

/// Whether fewer pods on a node would remove an obstacle.
fn yields(reason: &str) -> bool {
    [
        "Insufficient ",
        "Too many pods",
        "node(s) didn't match pod anti-affinity",
        "node(s) didn't satisfy existing pods",
    ]
    .iter()
    .any(|start| reason.starts_with(start))
        || reason == "node(s) didn't match pod topology spread constraints"
}

/// Whether a node takes a pod by its labels and taints, whatever room there is: what DaemonSets ask.
pub(crate) fn takes(pod: &Value, node: &Value) -> bool {
    unwelcome(pod, node).is_none()
}

/// Everything that keeps a pod off a node, in the real scheduler's words.
fn obstacles(pod: &Value, node: &Value, present: &[Arc<Value>]) -> Vec<String> {
    unwelcome(pod, node).map_or_else(|| short(pod, node, present), |reason| vec![reason])
}

/// What about its labels and taints keeps a pod off a node.
fn unwelcome(pod: &Value, node: &Value) -> Option<String> {
    if node.pointer("/spec/unschedulable") == Some(&Value::Bool(true))
        && !tolerates(pod, "node.kubernetes.io/unschedulable", "", "NoSchedule")
    {
        return Some("node(s) were unschedulable".to_owned());
    }
    let taints = list(node, "/spec/taints").iter();
    let mut hard = taints.filter(|taint| matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute"));
    let untolerated = hard
        .find(|taint| !tolerates(pod, text(taint, "/key"), text(taint, "/value"), text(taint, "/effect")));
    if let Some(taint) = untolerated {
        let (key, value) = (text(taint, "/key"), text(taint, "/value"));
        return Some(format!("node(s) had untolerated taint {{{key}: {value}}}"));
    }
    if !selected(pod, node) {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    None
}

fn tolerates(pod: &Value, key: &str, value: &str, effect: &str) -> bool {
    list(pod, "/spec/tolerations").iter().any(|toleration| {
        let own_key = text(toleration, "/key");
        let own_effect = text(toleration, "/effect");
        let exists = text(toleration, "/operator") == "Exists";
        (own_effect.is_empty() || own_effect == effect)
            && (own_key == key || own_key.is_empty() && exists)
            && (exists || text(toleration, "/value") == value)
    })
}

/// Whether a node has the labels that a pod requires.
pub(super) fn selected(pod: &Value, node: &Value) -> bool {
    let labels = pod.pointer("/spec/nodeSelector").and_then(Value::as_object).into_iter().flatten();
    let mut labels = labels.map(|(key, value)| label(node, key) == value.as_str());
    let required = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    labels.all(|holds| holds)
        && pod.pointer(required).is_none_or(|required| {
            let mut terms = list(required, "/nodeSelectorTerms").iter();
            terms.any(|term| matches_term(term, node))
        })
}

/// Whether a node has what one term of a node selector wants; an empty term wants nothing and matches nothing.
fn matches_term(term: &Value, node: &Value) -> bool {
    let (labels, fields) = (list(term, "/matchExpressions"), list(term, "/matchFields"));
    let by_label = |wanted: &Value| requirement_holds(wanted, label(node, text(wanted, "/key")));
    let by_field = |wanted: &Value| {
        text(wanted, "/key") == "metadata.name" && requirement_holds(wanted, Some(name(node)))
    };
    (!labels.is_empty() || !fields.is_empty()) && labels.iter().all(by_label) && fields.iter().all(by_field)
}

/// What a pod requests in all: the sum over its containers, or the largest init container if that is more.
fn requests(pod: &Value) -> Amounts {
    let of = |container: &Value| -> Amounts {
        let requests = container.pointer("/resources/requests").and_then(Value::as_object);
        let limits = container.pointer("/resources/limits").and_then(Value::as_object);
        let stated = limits.into_iter().flatten().chain(requests.into_iter().flatten());
        stated.filter_map(|(name, amount)| Some((name.clone(), quantity(amount)?))).collect()
    };
    let mut total = Amounts::new();
    let sidecars =
        list(pod, "/spec/initContainers").iter().filter(|init| text(init, "/restartPolicy") == "Always");
    for container in list(pod, "/spec/containers").iter().chain(sidecars) {
        add(&mut total, of(container));
    }
    for init in list(pod, "/spec/initContainers") {
        for (name, amount) in of(init) {
            let slot = total.entry(name).or_default();
            *slot = (*slot).max(amount);
        }
    }
    let overhead = pod.pointer("/spec/overhead").and_then(Value::as_object).into_iter().flatten();
    add(&mut total, overhead.filter_map(|(name, amount)| Some((name.clone(), quantity(amount)?))).collect());
    total
}

fn quantity(amount: &Value) -> Option<Quantity> {
    match amount {
        Value::String(text) => Quantity::parse(text),
        other => other.as_i64().map(|units| Quantity::units(i128::from(units))),
    }
}

fn add(total: &mut Amounts, more: Amounts) {
    for (name, amount) in more {
        let slot = total.entry(name).or_default();
        *slot = slot.plus(amount);
    }
}

fn used(present: &[Arc<Value>]) -> Amounts {
    let mut total = Amounts::new();
    for pod in present {
        add(&mut total, requests(pod));
    }
    total
}

fn allocatable(node: &Value, resource: &str) -> Quantity {
    node["status"]["allocatable"].get(resource).and_then(quantity).unwrap_or_default()
}

fn short(pod: &Value, node: &Value, present: &[Arc<Value>]) -> Vec<String> {
    let used = used(present);
    let mut missing = Vec::new();
    let slots = allocatable(node, "pods");
    if Quantity::units(i128::try_from(present.len() + 1).unwrap_or(i128::MAX)) > slots {
        missing.push("Too many pods".to_owned());
    }
    for (resource, wanted) in requests(pod) {
        let taken = used.get(&resource).copied().unwrap_or_default();
        if wanted > Quantity::default() && taken.plus(wanted) > allocatable(node, &resource) {
            missing.push(format!("Insufficient {resource}"));
        }
    }
    missing
}

/// More is better: weights of preferences first, then how much stays free.
fn score(pod: &Value, node: &Value, present: &[Arc<Value>]) -> i128 {
    let preferred = "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution";
    let preferred =
        list(pod, preferred).iter().filter(|preference| matches_term(&preference["preference"], node));
    let weight: i64 = preferred.filter_map(|preference| number(preference, "/weight")).sum();
    let soft = list(node, "/spec/taints").iter().filter(|taint| text(taint, "/effect") == "PreferNoSchedule");
    let avoided =
        soft.filter(|taint| !tolerates(pod, text(taint, "/key"), text(taint, "/value"), "PreferNoSchedule"));
    let used = used(present);
    let share = |resource: &str| {
        used.get(resource).copied().unwrap_or_default().share_of(allocatable(node, resource))
    };
    let free = 2000 - share("cpu") - share("memory");
    let crowd = i128::try_from(present.len()).unwrap_or(i128::MAX);
    let avoided = i128::try_from(avoided.count()).unwrap_or(i128::MAX);
    i128::from(weight) * 1_000_000 - avoided * 10_000_000 + free * 100 - crowd
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, extra: &Value) -> Arc<Value> {
        let mut node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
            "spec": {}, "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "3"}},
        });
        node["spec"] = extra.clone();
        Arc::new(node)
    }

    fn pod(spec: Value) -> Value {
        json!({"metadata": {"name": "p"}, "spec": spec})
    }

    #[test]
    fn a_pod_goes_where_it_fits_and_where_most_is_free() {
        let nodes = [node("a", &json!({})), node("b", &json!({}))];
        let wanting = |cpu: &str| pod(json!({"containers": [{"resources": {"requests": {"cpu": cpu}}}]}));
        let by_node = BTreeMap::from([("a".to_owned(), vec![Arc::new(wanting("1"))])]);
        assert_eq!(choose(&wanting("500m"), &nodes, &by_node).as_deref(), Ok("b"));
        let error = choose(&wanting("3"), &nodes, &by_node).unwrap_err();
        assert!(error.ends_with(
                "2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption \
                 victims found for incoming pod."
            ), "{error}");
    }

    #[test]
    fn taints_selectors_and_affinity_keep_pods_off() {
        let tainted = json!({"taints": [{"key": "k", "effect": "NoSchedule"}]});
        let nodes = [node("a", &tainted)];
        let none = BTreeMap::new();
        let plain = pod(json!({"containers": []}));
        let error = choose(&plain, &nodes, &none).unwrap_err();
        assert!(error.contains("1 node(s) had untolerated taint {k: }"), "{error}");
        let tolerant = pod(json!({"tolerations": [{"key": "k", "operator": "Exists"}]}));
        assert!(choose(&tolerant, &nodes, &none).is_ok());
        let nodes = [node("a", &json!({}))];
        let picky = pod(json!({"nodeSelector": {"kubernetes.io/os": "windows"}}));
        assert!(choose(&picky, &nodes, &none).unwrap_err().contains("node affinity/selector"));
        let affine =
            pod(json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}]}]}}}}));
        assert!(choose(&affine, &nodes, &none).is_ok());
    }
}
