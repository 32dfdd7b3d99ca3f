//! Nodes: what a kubelet registers, and its heartbeats.

use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::faults::Hook;
use sim_core::ledger::Change;

use super::config::{KubeletConfig, NodeSpec};
use crate::KUBERNETES_VERSION;
use crate::api::Sub;
use crate::controllers::manager::{Controller, Next, Nudger};
use crate::controllers::objects::{Condition, after, list, micro_time, set_condition, stamp, time, truth};
use crate::controllers::store::Store;
use crate::status::Status;

/// The namespace of the nodes' leases.
const LEASES: &str = "kube-node-lease";

/// How long a lease lasts, and how often it is renewed.
const LEASE_SECONDS: i64 = 40;
const RENEW_SECONDS: i64 = 10;

/// How often the conditions are reported anew when nothing changes.
const REPORT_SECONDS: i64 = 300;

/// Heartbeats come at most so often in wall time: a fast clock must not spend itself on them.
const FASTEST_MILLIS: u64 = 250;

/// The kubelets' side of Node objects.
#[derive(Debug)]
pub(crate) struct Nodes {
    store: Store,
    config: KubeletConfig,
}

/// The address of a node: a simulated network that nothing routes.
pub(crate) fn address(index: usize) -> String {
    format!("172.18.{}.{}", index / 250, index % 250 + 2)
}

impl Nodes {
    /// Registers the nodes of `config` as soon as the loop runs.
    pub(crate) fn new(store: &Store, config: KubeletConfig, nudger: &Nudger) -> Self {
        for node in &config.nodes {
            nudger.nudge(&node.name, store.clock().busy());
        }
        Self { store: store.named("kubelet"), config }
    }

    fn register(&self, index: usize, spec: &NodeSpec) -> Result<(), Status> {
        let node = self.object(index, spec);
        let created = self.store.create(&self.store.kinds().nodes, "", node.clone());
        if created.as_ref().is_err_and(|status| status.reason != "AlreadyExists") {
            return created.map(drop);
        }
        self.store.modify(&self.store.kinds().nodes, Sub::Status, &spec.name, |object| {
            if object["status"]["nodeInfo"].is_object() {
                return false;
            }
            object["status"] = node["status"].clone();
            true
        })?;
        Ok(())
    }

    fn object(&self, index: usize, spec: &NodeSpec) -> Value {
        let mut labels = json!({
            "beta.kubernetes.io/arch": spec.arch, "beta.kubernetes.io/os": spec.os,
            "kubernetes.io/arch": spec.arch, "kubernetes.io/hostname": spec.name, "kubernetes.io/os": spec.os,
        });
        let mut node_spec = json!({"podCIDR": format!("10.244.{}.0/24", index % 256)});
        node_spec["podCIDRs"] = json!([node_spec["podCIDR"]]);
        if !spec.provider_id.is_empty() {
            node_spec["providerID"] = json!(spec.provider_id);
        }
        if spec.control_plane {
            labels["node-role.kubernetes.io/control-plane"] = json!("");
        }
        let own = spec.control_plane.then_some("node-role.kubernetes.io/control-plane:NoSchedule");
        let taints: Vec<_> =
            own.into_iter().chain(spec.taints.iter().map(String::as_str)).map(taint).collect();
        if !taints.is_empty() {
            node_spec["taints"] = json!(taints);
        }
        for (key, value) in &spec.labels {
            labels[key] = json!(value);
        }
        let seed = self.store.api().seed();
        let id = |what: &str| seed.uuid(&format!("kube/{}/{}/{what}", self.config.cluster, spec.name));
        let resources = json!({
            "cpu": spec.cpu, "ephemeral-storage": "100Gi", "hugepages-1Gi": "0", "hugepages-2Mi": "0",
            "memory": spec.memory, "pods": spec.pods.to_string(),
        });
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": spec.name, "labels": labels,
                "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}},
            "spec": node_spec,
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": address(index)},
                    {"type": "Hostname", "address": spec.name},
                ],
                "allocatable": resources, "capacity": resources,
                "conditions": self.conditions(&[], false),
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "nodeInfo": {
                    "architecture": spec.arch, "bootID": id("boot"), "containerRuntimeVersion": "containerd://2.1.4",
                    "kernelVersion": "6.8.0-79-generic", "kubeProxyVersion": "", "kubeletVersion": KUBERNETES_VERSION,
                    "machineID": id("machine").simple().to_string(), "operatingSystem": spec.os,
                    "osImage": spec.os_image, "systemUUID": id("system"),
                },
            },
        })
    }

    fn conditions(&self, known: &[Value], lost: bool) -> Vec<Value> {
        let now = self.store.now();
        let mut conditions = known.to_vec();
        let good = [
            ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("Ready", "KubeletReady", "kubelet is posting ready status"),
        ];
        for (kind, reason, message) in good {
            let wanted = if lost {
                let message = "Kubelet stopped posting node status.".to_owned();
                Condition { kind, status: "Unknown", reason: "NodeStatusUnknown", message }
            } else {
                Condition { kind, status: truth(kind == "Ready"), reason, message: message.to_owned() }
            };
            set_condition(&mut conditions, &wanted, now, false);
            let condition = conditions.iter_mut().find(|condition| condition["type"] == json!(kind));
            if let Some(condition) = condition.filter(|_| !lost) {
                condition["lastHeartbeatTime"] = json!(stamp(now));
            }
        }
        conditions
    }

    fn beat(&self, spec: &NodeSpec) -> Result<(), Status> {
        let facts = [
            ("action", "heartbeat"),
            ("cluster", self.config.cluster.as_str()),
            ("node", spec.name.as_str()),
        ];
        let lost = self.config.faults.strike(Hook::Kubelet, &facts).is_some();
        let now = self.store.now();
        if !lost {
            self.renew_lease(spec)?;
        }
        let nodes = self.store.kinds().nodes.clone();
        self.store.modify(&nodes, Sub::Status, &spec.name, |node| {
            let known = list(node, "/status/conditions").to_vec();
            let ready = known.iter().find(|condition| condition["type"] == json!("Ready"));
            let beat = ready.and_then(|ready| time(ready, "/lastHeartbeatTime"));
            let fresh = beat.is_some_and(|beat| after(beat, REPORT_SECONDS) > now);
            let unknown = ready.is_some_and(|ready| ready["status"] == json!("Unknown"));
            if fresh && unknown == lost {
                return false;
            }
            node["status"]["conditions"] = json!(self.conditions(&known, lost));
            true
        })?;
        Ok(())
    }

    fn renew_lease(&self, spec: &NodeSpec) -> Result<(), Status> {
        let leases = &self.store.kinds().leases;
        let now = micro_time(self.store.now());
        let key = format!("{LEASES}/{}", spec.name);
        if self.store.get(leases, &key).is_none() {
            let node = self.store.get(&self.store.kinds().nodes, &spec.name);
            let uid = node.map(|node| node["metadata"]["uid"].clone()).unwrap_or_default();
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": spec.name, "namespace": LEASES, "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Node", "name": spec.name, "uid": uid}]},
                "spec": {"holderIdentity": spec.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now},
            });
            return self.store.create(leases, LEASES, lease).map(drop);
        }
        let renewed = self.store.modify(leases, Sub::Main, &key, |lease| {
            lease["spec"]["renewTime"] = json!(now);
            true
        });
        renewed.map(drop)
    }
}

/// A taint as `kubectl taint` takes it.
fn taint(text: &str) -> Value {
    let (stated, effect) = text.rsplit_once(':').unwrap_or((text, "NoSchedule"));
    let (key, value) = stated.split_once('=').unwrap_or((stated, ""));
    let mut taint = json!({"key": key, "effect": effect});
    if !value.is_empty() {
        taint["value"] = json!(value);
    }
    taint
}

/// World seconds between two heartbeats: 10, more when the clock is so fast that they would crowd, and 300 when it
/// stands still, so that stepping through time is not about heartbeats mostly.
fn period(clock: &Clock) -> i64 {
    match clock.wall_span(std::time::Duration::from_secs(1)) {
        None => REPORT_SECONDS,
        Some(wall) => {
            let second = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX).max(1);
            let crowded = FASTEST_MILLIS * 1000 / second;
            i64::try_from(crowded).unwrap_or(REPORT_SECONDS).clamp(RENEW_SECONDS, REPORT_SECONDS)
        }
    }
}

impl Controller for Nodes {
    fn name(&self) -> &'static str {
        "node"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        // A kubelet registers its node again when somebody deletes it.
        if *change.table == *self.store.kinds().nodes.table() && change.after.is_none() {
            keys.push(change.key.to_string());
        }
    }

    fn reconcile(&mut self, key: &str) -> Result<Next, Status> {
        let found = self.config.nodes.iter().enumerate().find(|(_, node)| node.name == key);
        let Some((index, spec)) = found else { return Ok(Next::Done) };
        self.register(index, spec)?;
        self.beat(spec)?;
        Ok(Next::At(after(self.store.now(), period(self.store.clock()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use sim_core::clock::Mode;

    #[test]
    fn taints_are_read_as_kubectl_reads_them() {
        assert_eq!(taint("k=v:NoExecute"), json!({"key": "k", "value": "v", "effect": "NoExecute"}));
        assert_eq!(taint("a.b/k:NoSchedule"), json!({"key": "a.b/k", "effect": "NoSchedule"}));
    }

    #[test]
    fn heartbeats_follow_the_clock_without_crowding_it() {
        let clock = |mode| Clock::new(mode, Timestamp::UNIX_EPOCH);
        assert_eq!(period(&clock(Mode::Real)), 10);
        assert_eq!(period(&clock(Mode::Scaled { speed: 60.0 })), 15);
        assert_eq!(period(&clock(Mode::Manual)), 300);
    }
}
