//! What each agent does. A role is a loop without end: it works, waits on the world's clock, and works again.

mod cluster_connect_agent;
mod cluster_identity_operator;
mod cluster_metadata_operator;
mod config_agent;
mod controller_manager;
mod extension_manager;
mod flux_logs_agent;
pub(crate) mod kube_aad_proxy;
mod metrics_agent;
mod resource_sync_agent;

use std::convert::Infallible;

use crate::agent::Agent;
use crate::error::AgentError;
use crate::pace::Pace;
use crate::role::Role;

/// Runs the role of `agent` for good.
pub(crate) async fn run(agent: &Agent) -> Result<Infallible, AgentError> {
    let mut pace = Pace::working(&agent.clock);
    let pace = &mut pace;
    agent.log.info(format!("Starting {} {}", agent.role, agent.config.agent_version));
    match agent.role {
        Role::ClusterIdentityOperator => Box::pin(cluster_identity_operator::run(agent, pace)).await,
        Role::ConfigAgent => Box::pin(config_agent::run(agent, pace)).await,
        Role::ControllerManager => Box::pin(controller_manager::run(agent, pace)).await,
        Role::ClusterMetadataOperator => Box::pin(cluster_metadata_operator::run(agent, pace)).await,
        Role::ResourceSyncAgent => Box::pin(resource_sync_agent::run(agent, pace)).await,
        Role::MetricsAgent => Box::pin(metrics_agent::run(agent, pace)).await,
        Role::FluxLogsAgent => Box::pin(flux_logs_agent::run(agent, pace)).await,
        Role::ExtensionManager => Box::pin(extension_manager::run(agent, pace)).await,
        Role::ClusterConnectAgent => Box::pin(cluster_connect_agent::run(agent, pace)).await,
        Role::KubeAadProxy => Box::pin(kube_aad_proxy::run(agent, pace)).await,
    }
}
