//! `cluster-metadata-operator`: finds out about the cluster and writes it into the status of `clustermetadata`.
//!
//! The expiry of the identity certificate is left out of the first round, since that runs before there is an identity:
//! which is why Azure learns it with the second heartbeat only (recorded traffic of real agents).

use std::convert::Infallible;
use std::time::Duration;

use arm_wire::agent::ClusterStatus;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::json;

use super::cluster_identity_operator::signing_keys;
use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::{self, CERTIFICATE_EXPIRY, CERTIFICATE_SECRET, store};
use crate::pace::{Backoff, Pace};

/// The object that carries the metadata.
pub(super) const NAME: &str = "clustermetadata";
/// The longest pause between attempts.
const SLOWEST: Duration = Duration::from_secs(60);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let mut backoff = Backoff::up_to(SLOWEST);
    let mut first = true;
    loop {
        let pause = match update(agent, first).await {
            Ok(()) => {
                backoff.reset();
                first = false;
                agent.config.resync_after
            }
            Err(error) => {
                agent.log.error(format!("Failed to update cluster metadata: {{{error}}}"));
                backoff.pause()
            }
        };
        pace.sleep(pause).await;
    }
}

/// The objects of kind `ConnectedCluster`.
pub(super) fn clusters(agent: &Agent) -> Api<DynamicObject> {
    identity::custom(agent, "arc.azure.com", "ConnectedCluster", "connectedclusters")
}

async fn update(agent: &Agent, first: bool) -> Result<(), CallError> {
    let status = collect(agent, first).await?;
    let api = clusters(agent);
    let patch = Patch::Merge(json!({ "status": status }));
    // The installation makes the object. The operator never does, since helm, which makes custom objects last, would
    // stumble over one that is there already.
    api.patch_status(NAME, &PatchParams::default(), &patch).await?;
    agent.log.info(format!(
        "Cluster metadata updated: {} nodes, {} cores",
        status.node_count.unwrap_or_default(),
        status.core_count.unwrap_or_default()
    ));
    Ok(())
}

async fn collect(agent: &Agent, first: bool) -> Result<ClusterStatus, CallError> {
    let config = &agent.config;
    let version = agent.kube.apiserver_version().await?.git_version;
    let nodes = Api::<Node>::all(agent.kube.clone()).list(&ListParams::default()).await?.items;
    let mut status = ClusterStatus {
        node_count: i64::try_from(nodes.len()).ok(),
        core_count: Some(nodes.iter().map(cores).sum()),
        kubernetes_api_server_version: Some(version.trim_start_matches('v').to_owned()),
        kubernetes_distribution: Some(config.distribution.clone()),
        kubernetes_infrastructure: Some(config.infrastructure.clone()),
        arc_agent_version: Some(config.agent_version.clone()),
        last_connectivity_time: Some(agent.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ..ClusterStatus::default()
    };
    if config.oidc_issuer {
        status.oidc_issuer_url = signing_keys::issuer(agent).await?;
    }
    if !first {
        let expiry = store::read(&store::secrets(agent), CERTIFICATE_SECRET, CERTIFICATE_EXPIRY).await;
        status.managed_identity_certificate_expiration_time = expiry.ok();
    }
    Ok(status)
}

/// Whole cores of a node, parts rounded up.
fn cores(node: &Node) -> i64 {
    let capacity = node.status.as_ref().and_then(|status| status.capacity.as_ref());
    let text = capacity.and_then(|capacity| capacity.get("cpu")).map_or("0", |quantity| quantity.0.as_str());
    match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<i64>().map_or(0, |count| (count + 999) / 1000),
        None => text.parse().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_counted_in_whole_numbers() {
        let node = |cpu: &str| -> Node {
            serde_json::from_value(json!({ "status": { "capacity": { "cpu": cpu } } })).unwrap()
        };
        assert_eq!(cores(&node("4")), 4);
        assert_eq!(cores(&node("1500m")), 2);
        assert_eq!(cores(&Node::default()), 0);
    }
}
