//! The ten agents, as a table.

use std::fmt;
use std::str::FromStr;

/// One of the agents that the quickstart page shows in namespace `azure-arc`.
///
/// Each runs as one process (or task) of its own. `guard`, `logcollector`, `extension-events-collector`,
/// `connect-agent` and `arc-proxy` are not modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Fetches the identity certificate and serves tokens to the others.
    ClusterIdentityOperator,
    /// Polls the data plane for desired configuration.
    ConfigAgent,
    /// Reconciles GitOps configurations; here: holds its lease and polls.
    ControllerManager,
    /// Collects facts about the cluster into the object `clustermetadata`.
    ClusterMetadataOperator,
    /// Pushes `clustermetadata` to Azure: the heartbeat.
    ResourceSyncAgent,
    /// Posts metrics.
    MetricsAgent,
    /// Takes logs from Flux over HTTP.
    FluxLogsAgent,
    /// Reconciles cluster extensions; here: holds its lease and polls.
    ExtensionManager,
    /// The outbound half of cluster connect.
    ClusterConnectAgent,
    /// Authenticates cluster-connect requests; here: serves its certificate and readiness.
    KubeAadProxy,
}

/// What is fixed about a role.
#[derive(Debug, Clone, Copy)]
struct Facts {
    role: Role,
    /// Deployment, component label, and the name given to `dryarc agent`.
    name: &'static str,
    /// The container that runs it.
    container: &'static str,
    /// Last part of that container's image name.
    image: &'static str,
    /// `AgentName` in its log lines.
    agent_name: &'static str,
    /// `LogType` in its log lines.
    log_type: &'static str,
}

const CONFIG: &str = "ConfigAgentTrace";
const CONNECT: &str = "ConnectAgentTrace";

const fn facts(
    role: Role,
    name: &'static str,
    container: &'static str,
    image: &'static str,
    agent_name: &'static str,
    log_type: &'static str,
) -> Facts {
    Facts { role, name, container, image, agent_name, log_type }
}

/// Names, containers and images follow the agents' chart. Of the `AgentName` values, `ConfigAgent`,
/// `ControllerManager` and `ConnectProxyAgent` were seen in public logs; the others are formed alike.
#[rustfmt::skip]
const TABLE: [Facts; 10] = [
    facts(Role::ClusterMetadataOperator, "cluster-metadata-operator", "cluster-metadata-operator", "cluster-metadata-operator", "ClusterMetadataOperator", CONFIG),
    facts(Role::ClusterConnectAgent, "clusterconnect-agent", "clusterconnect-agent", "clusterconnect-agent", "ConnectProxyAgent", CONNECT),
    facts(Role::ClusterIdentityOperator, "clusteridentityoperator", "manager", "cluster-identity", "ClusterIdentityOperator", CONFIG),
    facts(Role::ConfigAgent, "config-agent", "config-agent", "config-agent", "ConfigAgent", CONFIG),
    facts(Role::ControllerManager, "controller-manager", "manager", "configoperator", "ControllerManager", CONFIG),
    facts(Role::ExtensionManager, "extension-manager", "manager", "extensionoperator", "ExtensionManager", CONFIG),
    facts(Role::FluxLogsAgent, "flux-logs-agent", "flux-logs-agent", "flux-logs-agent", "FluxLogsAgent", CONFIG),
    facts(Role::KubeAadProxy, "kube-aad-proxy", "kube-aad-proxy", "kube-aad-proxy", "KubeAadProxy", CONNECT),
    facts(Role::MetricsAgent, "metrics-agent", "metrics-agent", "metrics-agent", "MetricsAgent", CONFIG),
    facts(Role::ResourceSyncAgent, "resource-sync-agent", "resource-sync-agent", "resource-sync", "ResourceSyncAgent", CONFIG),
];

impl Role {
    /// Every role, in the order of the quickstart page.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|facts| facts.role)
    }

    fn facts(self) -> &'static Facts {
        // Every role is in the table; a test holds that.
        TABLE.iter().find(|facts| facts.role == self).unwrap_or(&TABLE[0])
    }

    /// The role's name: its Deployment, its component label, and the argument of `dryarc agent`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The container of the Deployment's pod that runs this role.
    #[must_use]
    pub fn container(self) -> &'static str {
        self.facts().container
    }

    /// The last part of the image name of that container.
    #[must_use]
    pub fn image(self) -> &'static str {
        self.facts().image
    }

    /// `AgentName` in the log lines.
    #[must_use]
    pub fn agent_name(self) -> &'static str {
        self.facts().agent_name
    }

    /// `LogType` in the log lines.
    #[must_use]
    pub fn log_type(self) -> &'static str {
        self.facts().log_type
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an agent role; the roles are: {list}", list = names())]
pub struct UnknownRole(String);

fn names() -> String {
    Role::all().map(Role::name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all().find(|role| role.name() == text).ok_or_else(|| UnknownRole(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_one_row_and_its_name_leads_back_to_it() {
        let roles: std::collections::BTreeSet<Role> = Role::all().collect();
        assert_eq!(roles.len(), 10);
        for role in roles {
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_list() {
        let error = "guardian".parse::<Role>().unwrap_err().to_string();
        assert!(error.contains("'guardian'") && error.contains("config-agent"), "{error}");
    }
}
