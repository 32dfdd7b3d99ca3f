//! The stages of onboarding and offboarding, as a table that drivers report against.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

/// One stage. Variants are in the order in which onboarding reaches them; offboarding's own come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Settings and files that the user gave.
    Options,
    /// Whether the resource providers are registered.
    Providers,
    /// The proxy settings for the agents.
    Proxy,
    /// The cloud's metadata document.
    Metadata,
    /// Whether the API server answers.
    Connectivity,
    /// The nodes.
    Nodes,
    /// The checks of the network, by a Job in the cluster.
    Checks,
    /// Whether the user may bind cluster roles.
    Permissions,
    /// Which distribution on which infrastructure.
    Distribution,
    /// Whether the region offers connected clusters.
    Location,
    /// Whether the private link scope is there, and in the cluster's region.
    PrivateLink,
    /// Agents or a resource from before.
    Existing,
    /// The agents' custom resource definitions from before.
    Definitions,
    /// The resource group.
    ResourceGroup,
    /// The onboarding key.
    KeyPair,
    /// The resource in Azure.
    Provisioning,
    /// Whether custom locations can be switched on.
    CustomLocations,
    /// Tying the Arc gateway to the resource.
    Gateway,
    /// The Arc data plane's health.
    DataPlane,
    /// Which agents with which settings.
    Settings,
    /// The agents' chart.
    Chart,
    /// The agents' objects in the cluster.
    Agents,
    /// Whether the agents become available.
    Readiness,
    /// What the agents say of the workload identity that they were asked for.
    AgentState,
    /// Whether the cluster is the one that is to be disconnected.
    Match,
    /// Removing the resource from Azure.
    DeleteResource,
    /// Removing the agents from the cluster.
    DeleteAgents,
    /// The namespaces that have to vanish.
    Namespaces,
}

/// A row: stage, its word in reports, what is shown while it runs, whether the Azure CLI prints such a step.
const TABLE: &[(Stage, &str, &str, bool)] = &[
    (Stage::Options, "options", "Reading the options", false),
    (Stage::Providers, "providers", "Checking Provider Registrations", true),
    (Stage::Proxy, "proxy", "Escape Proxy Settings, if passed in", true),
    (Stage::Metadata, "metadata", "Reading the cloud's metadata", false),
    (Stage::Connectivity, "connectivity", "Checking Connectivity to Cluster", true),
    (Stage::Nodes, "nodes", "Do node validations", true),
    (Stage::Checks, "checks", "Starting Pre-onboarding-check", true),
    (Stage::Permissions, "permissions", "Checking if user can create ClusterRoleBindings", true),
    (Stage::Distribution, "distribution", "Determining Cluster Distribution and Infrastructure", true),
    (Stage::Location, "location", "Checking Connect RP is available in the Location passed in.", true),
    (Stage::PrivateLink, "private-link", "Validate location of the private link scope passed in.", true),
    (Stage::Existing, "existing", "Check if an earlier azure-arc release exists", true),
    (Stage::Definitions, "definitions", "Deleting Arc CRDs", true),
    (Stage::ResourceGroup, "resource-group", "Check if ResourceGroup exists", true),
    (Stage::KeyPair, "key-pair", "Generating Public-Private Key pair", true),
    (Stage::Provisioning, "provisioning", "Azure resource provisioning has begun", true),
    (
        Stage::CustomLocations,
        "custom-locations",
        "Checking Custom Location(Microsoft.ExtendedLocation) RP Registration state",
        true,
    ),
    (Stage::Gateway, "gateway", "Associating Gateway with the Connected Cluster", true),
    (Stage::DataPlane, "data-plane", "Azure resource provisioning has finished", true),
    (Stage::Settings, "settings", "Asking the data plane for the agents' settings", false),
    (Stage::Chart, "chart", "Pulling HelmChart", true),
    (Stage::Agents, "agents", "Starting to install Azure arc agents", true),
    (Stage::Readiness, "readiness", "Waiting for the agents to become available", false),
    (Stage::AgentState, "agent-state", "Wait for Agent State to reach terminal state", true),
    (Stage::Match, "match", "Comparing the cluster with the resource", false),
    (Stage::DeleteResource, "delete-resource", "Deleting the resource in Azure", false),
    (Stage::DeleteAgents, "delete-agents", "Removing the agents from the cluster", false),
    (Stage::Namespaces, "namespaces", "Waiting for the agents' namespace to vanish", false),
];

impl Stage {
    fn row(self) -> (&'static str, &'static str, bool) {
        let found = TABLE.iter().find(|(stage, ..)| *stage == self);
        found.map_or(("unknown", "", false), |(_, name, text, printed)| (*name, *text, *printed))
    }

    /// Every stage, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(stage, ..)| *stage)
    }

    /// The word in reports and scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// What is shown while it runs; the Azure CLI's words where it has some.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().1
    }

    /// Whether the Azure CLI prints a step for it.
    #[must_use]
    pub fn is_printed_by_cli(self) -> bool {
        self.row().2
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an [`Event`] says about its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    /// It begins.
    Started,
    /// It still waits for something; the text says for what, and how that stands.
    Waiting,
    /// Something is odd, and onboarding goes on.
    Warning,
    /// It is done.
    Done,
}

/// Progress of onboarding or offboarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The stage.
    pub stage: Stage,
    /// The world's time.
    pub at: Timestamp,
    /// What is said about it.
    pub state: StageState,
    /// For people.
    pub text: String,
}

impl Event {
    /// The line as the Azure CLI prints its steps: `Step: 2026-01-01T00-00-00Z: …`.
    #[must_use]
    pub fn step_line(&self) -> String {
        format!("Step: {}: {}", self.at.strftime("%Y-%m-%dT%H-%M-%SZ"), self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_its_own_row() {
        let names: std::collections::BTreeSet<_> = Stage::all().map(Stage::name).collect();
        assert_eq!(names.len(), Stage::all().count());
        assert!(!names.contains("unknown"));
        for stage in Stage::all() {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
        }
        let event = Event {
            stage: Stage::Providers,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            state: StageState::Started,
            text: Stage::Providers.text().into(),
        };
        assert_eq!(event.step_line(), "Step: 2026-01-02T03-04-05Z: Checking Provider Registrations");
    }
}
