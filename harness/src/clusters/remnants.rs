//! What onboarding leaves in a cluster: found before a world begins, removed when it ends.
//!
//! Agents that a world's clients installed cannot live without it. What was in the cluster before is not touched; a cluster
//! that has agents already is not led into a world at all, because they may belong to the real Azure.

use std::collections::BTreeSet;
use std::time::Duration;

use arc_agent_sim::WORLD_NAMESPACE;
use serde_json::Value;
use sim_core::clock::Clock;

use super::{ClusterError, Trouble};
use crate::driver::Cluster;

/// Namespaces of the agents and of their Helm releases.
const NAMESPACES: [&str; 3] = ["azure-arc", "azure-arc-release", "arc-workload-identity"];

/// Cluster-wide kinds, and how the names of the agents' objects begin or end.
const WIDE: [(&str, &[&str], &[&str]); 5] = [
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        &[],
        &[".arc.azure.com", ".clusterconfig.azure.com"],
    ),
    ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &["azure-arc", "AzureArc"], &[]),
    ("/apis/rbac.authorization.k8s.io/v1/clusterroles", &["azure-arc", "AzureArc"], &[]),
    ("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", &["azure-arc", "azure-wi"], &[]),
    (
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        &["azure-arc", "azure-wi"],
        &[],
    ),
];

/// How long objects may take to go (wall time), and how often they are looked at.
const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(250);

/// The paths of everything that onboarding may have left.
///
/// # Errors
/// When the cluster cannot be read.
pub async fn find(cluster: &Cluster) -> Result<BTreeSet<String>, ClusterError> {
    let read = |error: kube::Error| ClusterError::kube("looking for agents in the cluster", &error);
    let mut found = BTreeSet::new();
    for (collection, begins, ends) in WIDE {
        let list = cluster.find(collection).await.map_err(read)?.unwrap_or_default();
        for name in names(&list) {
            if begins.iter().any(|start| name.starts_with(start))
                || ends.iter().any(|end| name.ends_with(end))
            {
                found.insert(format!("{collection}/{name}"));
            }
        }
    }
    for namespace in NAMESPACES {
        let path = format!("/api/v1/namespaces/{namespace}");
        if cluster.find(&path).await.map_err(read)?.is_some() {
            found.insert(path);
        }
    }
    Ok(found)
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list["items"].as_array().into_iter().flatten().filter_map(|item| item["metadata"]["name"].as_str())
}

/// Refuses a cluster that has agents, or is in a world.
///
/// # Errors
/// [`Trouble::Conflict`], with what to do.
pub async fn refuse_occupied(cluster: &Cluster, found: &BTreeSet<String>) -> Result<(), ClusterError> {
    let world = cluster.find(&format!("/api/v1/namespaces/{WORLD_NAMESPACE}")).await;
    let world =
        world.map_err(|error| ClusterError::kube("looking for another world in the cluster", &error))?;
    if let Some(world) = world {
        let name = world["metadata"]["annotations"]["dryarc/world"].as_str().unwrap_or("?");
        let what = format!("the cluster is in a world already: '{name}' (namespace {WORLD_NAMESPACE})");
        let next = format!(
            "end that world (dryarc down --world {name}); if it is gone for good: kubectl delete namespace {WORLD_NAMESPACE}"
        );
        return Err(ClusterError::new(Trouble::Conflict, what, next));
    }
    if found.contains("/api/v1/namespaces/azure-arc") {
        let what = "the cluster has Azure Arc agents already (namespace azure-arc); they may belong to the real Azure";
        let next = "disconnect it first (az connectedk8s delete), or choose another cluster";
        return Err(ClusterError::new(Trouble::Conflict, what, next));
    }
    Ok(())
}

/// Deletes everything that is not among `kept`, and waits until it is gone.
///
/// # Errors
/// When something cannot be deleted, or is still there after a while.
pub async fn remove(cluster: &Cluster, kept: &BTreeSet<String>, clock: &Clock) -> Result<(), ClusterError> {
    for path in find(cluster).await?.difference(kept) {
        let deleted = cluster.delete(path).await;
        deleted.map_err(|error| ClusterError::kube(&format!("removing {path}"), &error))?;
    }
    let gone = async {
        while find(cluster).await?.difference(kept).next().is_some() {
            clock.wall_sleep(POLL).await;
        }
        Ok(())
    };
    match clock.wall_timeout(LIMIT, gone).await {
        Ok(done) => done,
        Err(_) => {
            let left: Vec<String> = find(cluster).await?.difference(kept).cloned().collect();
            let what = format!("still in the cluster after {} s: {}", LIMIT.as_secs(), left.join(", "));
            let next = "see what holds it: kubectl get namespace azure-arc -o yaml";
            Err(ClusterError::new(Trouble::Failed, what, next))
        }
    }
}
