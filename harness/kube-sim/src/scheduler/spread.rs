//! Where other pods are counts: pod affinity, anti-affinity and topology spread.
//!
//! Required rules keep a pod off a node in the real scheduler's words; preferred ones add to a node's score. Not modelled:
//! `namespaceSelector` (read as all namespaces), `matchLabelKeys`, `minDomains`, and node inclusion policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::controllers::objects::{label, list, name, namespace, number, text};
use crate::controllers::selector::selects;

/// The pods of every node.
pub(super) type ByNode = BTreeMap<String, Vec<Arc<Value>>>;

const AFFINITY: &str = "/spec/affinity/podAffinity";
const ANTI_AFFINITY: &str = "/spec/affinity/podAntiAffinity";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// The cluster as one pod's rules see it.
pub(super) struct Surroundings<'a> {
    pub(super) nodes: &'a [Arc<Value>],
    pub(super) by_node: &'a ByNode,
}

/// Whether a term of `owner` is about `other`.
fn matches(term: &Value, owner: &Value, other: &Value) -> bool {
    let spaces = list(term, "/namespaces");
    let space = namespace(other);
    let named = if spaces.is_empty() && term["namespaceSelector"].is_null() {
        space == namespace(owner)
    } else {
        spaces.iter().any(|own| own == space) || term["namespaceSelector"].is_object()
    };
    named && selects(term.get("labelSelector"), other)
}

impl Surroundings<'_> {
    /// The pods on nodes that share the value of `key` with `node`.
    fn beside<'a>(&'a self, node: &'a Value, key: &'a str) -> impl Iterator<Item = &'a Value> {
        let domain = label(node, key);
        let nodes = self.nodes.iter().filter(move |other| domain.is_some() && label(other, key) == domain);
        nodes.flat_map(|node| self.by_node.get(name(node)).into_iter().flatten()).map(|pod| &**pod)
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.by_node.values().flatten().map(|pod| &**pod)
    }

    /// What keeps a pod off a node because of other pods.
    pub(super) fn obstacle(&self, pod: &Value, node: &Value) -> Option<&'static str> {
        if !self.wanted_company(pod, node) {
            return Some("node(s) didn't match pod affinity rules");
        }
        let unwanted = |term: &Value| {
            let key = text(term, "/topologyKey");
            self.beside(node, key).any(|other| matches(term, pod, other))
        };
        if list(pod, &format!("{ANTI_AFFINITY}/{REQUIRED}")).iter().any(unwanted) {
            return Some("node(s) didn't match pod anti-affinity rules");
        }
        let against = |other: &Value| {
            let terms = list(other, &format!("{ANTI_AFFINITY}/{REQUIRED}")).iter();
            terms.filter(|term| matches(term, other, pod)).any(|term| {
                let key = text(term, "/topologyKey");
                self.beside(node, key).any(|beside| std::ptr::eq(beside, other))
            })
        };
        if self.all().any(against) {
            return Some("node(s) didn't satisfy existing pods anti-affinity rules");
        }
        self.uneven(pod, node)
    }

    fn wanted_company(&self, pod: &Value, node: &Value) -> bool {
        list(pod, &format!("{AFFINITY}/{REQUIRED}")).iter().all(|term| {
            let key = text(term, "/topologyKey");
            let found = self.beside(node, key).any(|other| matches(term, pod, other));
            // The first of a group that wants its own company may start anywhere.
            let first = || matches(term, pod, pod) && !self.all().any(|other| matches(term, pod, other));
            label(node, key).is_some() && (found || first())
        })
    }

    fn uneven(&self, pod: &Value, node: &Value) -> Option<&'static str> {
        let hard = list(pod, "/spec/topologySpreadConstraints").iter();
        for constraint in hard.filter(|one| text(one, "/whenUnsatisfiable") != "ScheduleAnyway") {
            let key = text(constraint, "/topologyKey");
            let Some(own) = label(node, key) else {
                return Some("node(s) didn't match pod topology spread constraints (missing required label)");
            };
            let counts = self.domains(pod, constraint, key);
            let least = counts.values().min().copied().unwrap_or_default();
            let here = counts.get(own).copied().unwrap_or_default();
            let itself = i64::from(selects(constraint.get("labelSelector"), pod));
            if here + itself - least > number(constraint, "/maxSkew").unwrap_or(1) {
                return Some("node(s) didn't match pod topology spread constraints");
            }
        }
        None
    }

    /// Matching pods by the value of `key`, on nodes that the pod could run on by their labels.
    fn domains(&self, pod: &Value, constraint: &Value, key: &str) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| super::fit::selected(pod, node)) {
            let Some(domain) = label(node, key) else { continue };
            let here = self.by_node.get(name(node)).into_iter().flatten();
            let matching = here.filter(|other| {
                namespace(other) == namespace(pod) && selects(constraint.get("labelSelector"), other)
            });
            let count = i64::try_from(matching.count()).unwrap_or(i64::MAX);
            *counts.entry(domain.to_owned()).or_default() += count;
        }
        counts
    }

    /// How much the preferences of a pod are for a node, and how far it would even things out.
    pub(super) fn score(&self, pod: &Value, node: &Value) -> i64 {
        let weigh = |pointer: &str| -> i64 {
            let preferences = list(pod, &format!("{pointer}/{PREFERRED}")).iter();
            preferences
                .filter(|preference| {
                    let term = &preference["podAffinityTerm"];
                    let key = text(term, "/topologyKey");
                    self.beside(node, key).any(|other| matches(term, pod, other))
                })
                .filter_map(|preference| number(preference, "/weight"))
                .sum()
        };
        let spread: i64 = list(pod, "/spec/topologySpreadConstraints")
            .iter()
            .map(|constraint| {
                let key = text(constraint, "/topologyKey");
                let counts = self.domains(pod, constraint, key);
                label(node, key).and_then(|own| counts.get(own)).copied().unwrap_or_default()
            })
            .sum();
        weigh(AFFINITY) - weigh(ANTI_AFFINITY) - spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, zone: &str) -> Arc<Value> {
        Arc::new(
            json!({"metadata": {"name": name, "labels": {"zone": zone, "kubernetes.io/hostname": name}}}),
        )
    }

    fn pod(spec: Value) -> Value {
        json!({"metadata": {"name": "p", "namespace": "n", "labels": {"app": "a"}}, "spec": spec})
    }

    fn term(app: &str, key: &str) -> Value {
        json!([{"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}])
    }

    #[test]
    fn company_is_sought_and_shunned() {
        let nodes = [node("n1", "x"), node("n2", "y")];
        let by_node = ByNode::from([("n1".to_owned(), vec![Arc::new(pod(json!({})))])]);
        let around = Surroundings { nodes: &nodes, by_node: &by_node };
        let shy = pod(json!({"affinity": {"podAntiAffinity": {REQUIRED: term("a", "zone")}}}));
        assert_eq!(around.obstacle(&shy, &nodes[0]), Some("node(s) didn't match pod anti-affinity rules"));
        assert_eq!(around.obstacle(&shy, &nodes[1]), None);
        let clingy = pod(json!({"affinity": {"podAffinity": {REQUIRED: term("a", "zone")}}}));
        assert_eq!(around.obstacle(&clingy, &nodes[0]), None);
        assert_eq!(around.obstacle(&clingy, &nodes[1]), Some("node(s) didn't match pod affinity rules"));
        let lonely = ByNode::new();
        let around = Surroundings { nodes: &nodes, by_node: &lonely };
        assert_eq!(around.obstacle(&clingy, &nodes[1]), None, "the first of its kind starts anywhere");
        let guarded = ByNode::from([("n1".to_owned(), vec![Arc::new(shy)])]);
        let around = Surroundings { nodes: &nodes, by_node: &guarded };
        let plain = pod(json!({}));
        assert_eq!(
            around.obstacle(&plain, &nodes[0]),
            Some("node(s) didn't satisfy existing pods anti-affinity rules")
        );
    }

    #[test]
    fn pods_are_spread_within_their_skew() {
        let nodes = [node("n1", "x"), node("n2", "y")];
        let by_node = ByNode::from([("n1".to_owned(), vec![Arc::new(pod(json!({})))])]);
        let around = Surroundings { nodes: &nodes, by_node: &by_node };
        let even = pod(json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "a"}}}]}));
        assert_eq!(
            around.obstacle(&even, &nodes[0]),
            Some("node(s) didn't match pod topology spread constraints")
        );
        assert_eq!(around.obstacle(&even, &nodes[1]), None);
        assert!(around.score(&even, &nodes[1]) > around.score(&even, &nodes[0]));
    }
}
