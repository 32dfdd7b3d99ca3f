//! The world's names in a real cluster's DNS: CoreDNS's ConfigMap and its pods.
//!
//! CoreDNS looks at its ConfigMap every 30 seconds, and the kubelet brings it there even later. Its pods are therefore replaced,
//! which changes nothing that has to be undone.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sim_core::clock::Clock;

use super::corefile;
use super::{ClusterError, Trouble};
use crate::driver::Cluster;

const CONFIG: &str = "/api/v1/namespaces/kube-system/configmaps/coredns";
const PODS: &str = "/api/v1/namespaces/kube-system/pods";
const SELECTED: &str = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns";
const KEY: &str = "Corefile";

/// How long new pods may take to be ready (wall time), and how often they are looked at.
const READY: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// How often the ConfigMap is written when somebody else writes it too.
const TRIES: u32 = 5;

/// Makes `hosts` lead to `address` for every pod.
///
/// # Errors
/// When the cluster's DNS is not CoreDNS with a ConfigMap, or cannot be changed.
pub async fn lead(
    cluster: &Cluster,
    hosts: &[String],
    address: IpAddr,
    clock: &Clock,
) -> Result<(), ClusterError> {
    change(cluster, clock, &|own: &str| corefile::lead(own, hosts, address)).await
}

/// Takes the names out again; nothing happens where there are none.
///
/// # Errors
/// When the ConfigMap cannot be changed.
pub async fn restore(cluster: &Cluster, clock: &Clock) -> Result<(), ClusterError> {
    change(cluster, clock, &corefile::restore).await
}

async fn change(
    cluster: &Cluster,
    clock: &Clock,
    edit: &(dyn Fn(&str) -> String + Sync),
) -> Result<(), ClusterError> {
    for _ in 0..TRIES {
        let config = cluster
            .find(CONFIG)
            .await
            .map_err(|error| ClusterError::kube("reading CoreDNS's configuration", &error))?;
        let text = config.as_ref().and_then(|config| config["data"][KEY].as_str());
        let Some((config, own)) = config.as_ref().zip(text) else { return Err(not_modelled()) };
        let new = edit(own);
        if new == own {
            return Ok(());
        }
        let patch = json!({
            "metadata": { "resourceVersion": config["metadata"]["resourceVersion"] },
            "data": { KEY: new },
        });
        match cluster.merge(CONFIG, &patch).await {
            Ok(_) => return replace_pods(cluster, clock).await,
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(ClusterError::kube("changing CoreDNS's configuration", &error)),
        }
    }
    let what = "CoreDNS's configuration is being changed by somebody else all the time";
    Err(ClusterError::new(Trouble::Unusable, what, "see who writes ConfigMap kube-system/coredns"))
}

fn not_modelled() -> ClusterError {
    let what = "the cluster's DNS is not CoreDNS with ConfigMap kube-system/coredns: pods cannot be led into the world";
    ClusterError::new(Trouble::Unusable, what, "use a cluster made by kind, kubeadm, k3s or minikube")
}

async fn replace_pods(cluster: &Cluster, clock: &Clock) -> Result<(), ClusterError> {
    let read = async || {
        cluster.get(SELECTED).await.map_err(|error| ClusterError::kube("listing CoreDNS's pods", &error))
    };
    let before = read().await?;
    let old: BTreeSet<String> = names(&before, |_| true);
    for name in &old {
        let deleted = cluster.delete(&format!("{PODS}/{name}")).await;
        deleted.map_err(|error| ClusterError::kube("replacing CoreDNS's pods", &error))?;
    }
    let replaced = async {
        loop {
            if names(&read().await?, is_ready).difference(&old).count() >= old.len().min(1) {
                return Ok(());
            }
            clock.wall_sleep(POLL).await;
        }
    };
    clock.wall_timeout(READY, replaced).await.unwrap_or_else(|_| {
        let what = format!("CoreDNS's new pods are not ready after {} s", READY.as_secs());
        let next = "see why: kubectl -n kube-system describe pods -l k8s-app=kube-dns";
        Err(ClusterError::new(Trouble::Unusable, what, next))
    })
}

fn names(pods: &Value, wanted: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let items = pods["items"].as_array().into_iter().flatten().filter(|pod| wanted(pod));
    items.filter_map(|pod| pod["metadata"]["name"].as_str()).map(str::to_owned).collect()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ready_pods_count() {
        let pod = |name: &str, ready: &str| json!({ "metadata": { "name": name }, "status": { "conditions": [{ "type": "Ready", "status": ready }] } });
        let pods = json!({ "items": [pod("a", "True"), pod("b", "False"), { "metadata": { "name": "c" } }] });
        assert_eq!(names(&pods, is_ready), BTreeSet::from(["a".to_owned()]));
        assert_eq!(names(&pods, |_| true).len(), 3);
    }
}
