//! One pod on one node, as its kubelet sees it.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;

use super::container::Container;
use super::volumes::Volumes;
use crate::controllers::objects::{list, namespace, number, text, uid};

/// What a kubelet knows about a pod beyond the object.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) uid: String,
    pub(crate) key: String,
    /// Index of the node.
    pub(crate) node: usize,
    pub(crate) host_ip: String,
    /// The pod's address, once it has one.
    pub(crate) ip: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) containers: IndexMap<String, Container>,
    pub(crate) volumes: Volumes,
    pub(crate) mounted: bool,
    /// Something that its volumes show has changed.
    pub(crate) stale: bool,
    /// What was last reported about its volumes.
    pub(crate) mount_error: Option<String>,
    /// Why it failed as a whole: reason and message.
    pub(crate) failed: Option<(String, String)>,
    pub(crate) terminating: bool,
    /// Tables and names of the ConfigMaps and Secrets that it mentions.
    pub(crate) mentions: BTreeSet<(String, String)>,
}

impl Worker {
    /// A pod that was just seen on a node.
    pub(crate) fn new(
        pod: &Value,
        key: &str,
        node: usize,
        host_ip: &str,
        volumes: Volumes,
        now: Timestamp,
    ) -> Self {
        let has_init = !list(pod, "/spec/initContainers").is_empty();
        let mut containers = IndexMap::new();
        for (field, statuses) in
            [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")]
        {
            let reason = if has_init { "PodInitializing" } else { "ContainerCreating" };
            for spec in list(pod, &format!("/spec/{field}")) {
                let name = text(spec, "/name");
                // Containers that ran before this kubelet started are started anew.
                let before = list(pod, &format!("/status/{statuses}"));
                let before = before.iter().find(|status| text(status, "/name") == name);
                let restarts = before
                    .filter(|status| !text(status, "/containerID").is_empty())
                    .and_then(|status| status["restartCount"].as_i64())
                    .map_or(0, |restarts| restarts + 1);
                containers.insert(name.to_owned(), Container::waiting(reason, restarts));
            }
        }
        Self {
            uid: uid(pod).to_owned(),
            key: key.to_owned(),
            node,
            host_ip: host_ip.to_owned(),
            ip: None,
            started: now,
            containers,
            volumes,
            mounted: false,
            stale: false,
            mount_error: None,
            failed: None,
            terminating: false,
            mentions: mentions(pod),
        }
    }

    /// Whether nothing runs any more.
    pub(crate) fn all_ended(&self) -> bool {
        self.containers.values().all(|container| container.run().is_none())
    }

    /// Whether the pod mentions this object.
    pub(crate) fn mentions(&self, space: &str, table: &str, name: &str) -> bool {
        self.key.split_once('/').is_some_and(|(own, _)| own == space)
            && self.mentions.contains(&(table.to_owned(), name.to_owned()))
    }
}

/// How long a pod may take to end, in seconds.
pub(crate) fn grace(pod: &Value) -> i64 {
    number(pod, "/spec/terminationGracePeriodSeconds").unwrap_or(30).max(0)
}

/// The ConfigMaps and Secrets that a pod mentions, by ledger table and name.
fn mentions(pod: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    collect(&pod["spec"], &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (field, value) in map {
                let (table, name) = match field.as_str() {
                    "configMap" | "configMapRef" | "configMapKeyRef" => {
                        ("core/configmaps", text(value, "/name"))
                    }
                    "secretRef" | "secretKeyRef" => ("core/secrets", text(value, "/name")),
                    "secret" => {
                        let name = text(value, "/secretName");
                        ("core/secrets", if name.is_empty() { text(value, "/name") } else { name })
                    }
                    _ => ("", ""),
                };
                if !name.is_empty() {
                    found.insert((table.to_owned(), name.to_owned()));
                }
                collect(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The reference that events about a container carry.
pub(crate) fn container_reference(pod: &Value, container: &str) -> Value {
    let init = list(pod, "/spec/initContainers").iter().any(|spec| text(spec, "/name") == container);
    let field = if init { "initContainers" } else { "containers" };
    serde_json::json!({
        "kind": "Pod", "namespace": namespace(pod), "name": pod["metadata"]["name"], "uid": uid(pod),
        "apiVersion": "v1", "resourceVersion": pod["metadata"]["resourceVersion"],
        "fieldPath": format!("spec.{field}{{{container}}}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_mentions_what_its_volumes_and_variables_need() {
        let pod = json!({"spec": {
            "containers": [{"envFrom": [{"configMapRef": {"name": "a"}}],
                "env": [{"valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}}]}],
            "volumes": [{"secret": {"secretName": "c"}}, {"projected": {"sources": [{"configMap": {"name": "d"}}]}}],
        }});
        let found: Vec<_> = mentions(&pod).into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, ["a", "d", "b", "c"]);
    }
}
