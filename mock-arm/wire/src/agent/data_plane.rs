//! The data plane: what agents and onboarding ask it, and where.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DATA_PLANE_API_VERSION, DATA_PLANE_SUFFIX, encode};

/// One call of an agent to the data plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AgentCall {
    /// GET: desired configurations that have not been applied yet ([`PendingConfigs`]).
    PendingConfigs,
    /// GET: which agent version should run ([`UpdateConfig`]).
    UpdateConfig,
    /// GET: which extension versions should run ([`PendingConfigs`], always empty: extensions are not modelled).
    ExtensionUpdateConfigs,
    /// POST [`SyncRequest`]: resources to show in Azure; `clustermetadata` among them is the heartbeat.
    SyncResources,
    /// POST [`SigningKeys`]: the keys of the cluster's OIDC issuer; answered with [`IssuerReply`]. The real call is not public.
    SigningKeys,
    /// POST: metrics of the agents; any JSON.
    PostMetrics,
    /// POST: logs of the agents; any JSON.
    PostLogs,
}

impl AgentCall {
    /// Every call.
    pub const ALL: [Self; 7] = [
        Self::PendingConfigs,
        Self::UpdateConfig,
        Self::ExtensionUpdateConfigs,
        Self::SyncResources,
        Self::SigningKeys,
        Self::PostMetrics,
        Self::PostLogs,
    ];

    /// The path below the cluster, without a leading slash.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::PendingConfigs => "configurations/getPendingConfigs",
            Self::UpdateConfig => "getUpdateConfig",
            Self::ExtensionUpdateConfigs => "getExtensionUpdateConfigs",
            Self::SyncResources => "syncResources",
            Self::SigningKeys => "signingKeys/sync",
            Self::PostMetrics => "agentDiagnostics/postMetrics",
            Self::PostLogs => "agentDiagnostics/postLogs",
        }
    }

    /// Whether it is a POST; otherwise it is a GET.
    #[must_use]
    pub const fn is_post(self) -> bool {
        matches!(self, Self::SyncResources | Self::SigningKeys | Self::PostMetrics | Self::PostLogs)
    }

    /// The call at this path below the cluster, without regard to case.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.path().eq_ignore_ascii_case(path))
    }
}

/// Which cluster a data plane path speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPath<'a> {
    /// The subscription.
    pub subscription: &'a str,
    /// The resource group.
    pub group: &'a str,
    /// The cluster's name.
    pub name: &'a str,
}

impl<'a> ClusterPath<'a> {
    /// The path of an agent's call, with its query.
    #[must_use]
    pub fn path(&self, call: AgentCall) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/provider/Microsoft.Kubernetes-connectedClusters/clusters/{}/{}?api-version={}",
            encode(self.subscription),
            encode(self.group),
            encode(self.name),
            call.path(),
            DATA_PLANE_API_VERSION
        )
    }

    /// Reads a path (without query) into the cluster and what comes below it. Fixed segments compare without case.
    #[must_use]
    pub fn parse(path: &'a str) -> Option<(Self, &'a str)> {
        let parts: Vec<&str> = path.trim_start_matches('/').splitn(9, '/').collect();
        let [s, subscription, r, group, p, namespace, c, name, ..] = *parts else { return None };
        let fixed = [
            (s, "subscriptions"),
            (r, "resourceGroups"),
            (p, "provider"),
            (namespace, "Microsoft.Kubernetes-connectedClusters"),
            (c, "clusters"),
        ];
        if fixed.iter().any(|(found, wanted)| !found.eq_ignore_ascii_case(wanted)) {
            return None;
        }
        let rest = parts.get(8).copied().unwrap_or_default();
        Some((Self { subscription, group, name }, rest))
    }

    /// The cluster's ARM id, in the casing of the path.
    #[must_use]
    pub fn arm_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Kubernetes/connectedClusters/{}",
            self.subscription, self.group, self.name
        )
    }
}

/// Base URL of the data plane of a region.
#[must_use]
pub fn data_plane_url(region: &str) -> String {
    let name: String = region.chars().filter(|c| !c.is_whitespace()).collect();
    format!("https://{}{DATA_PLANE_SUFFIX}", name.to_ascii_lowercase())
}

/// Desired configurations that have not been applied yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PendingConfigs {
    /// The configurations; always empty while `Microsoft.KubernetesConfiguration` is not modelled.
    pub value: Vec<Value>,
}

/// Which agent version should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateConfig {
    /// The version.
    pub agent_version: String,
    /// Chart reference: host, repository, tag.
    pub repository_path: String,
    /// Whether the agents may update themselves.
    pub auto_update: bool,
}

/// Cluster-side resources to show in Azure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// Custom resources as the cluster holds them.
    pub resources: Vec<SyncedResource>,
}

/// One custom resource as the cluster holds it. What a field does not cover is kept in `rest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncedResource {
    /// Group and version: `arc.azure.com/v1beta1`.
    pub api_version: String,
    /// Kind: `ConnectedCluster`.
    pub kind: String,
    /// Kubernetes metadata.
    #[serde(default)]
    pub metadata: Value,
    /// Spec.
    #[serde(default)]
    pub spec: Value,
    /// Status: a [`ClusterStatus`] for `ConnectedCluster`.
    #[serde(default)]
    pub status: Value,
    /// Anything else.
    #[serde(flatten)]
    pub rest: IndexMap<String, Value>,
}

impl SyncedResource {
    /// Whether this is the object that carries the heartbeat.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.kind == "ConnectedCluster" && self.api_version.starts_with("arc.azure.com/")
    }
}

/// Status of the custom resource `ConnectedCluster` named `clustermetadata`: what the agents found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterStatus {
    /// How many nodes there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_count: Option<i64>,
    /// How many cores the nodes have together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_count: Option<i64>,
    /// Version of the API server, without the leading `v`.
    #[serde(rename = "kubernetesAPIServerVersion", skip_serializing_if = "Option::is_none")]
    pub kubernetes_api_server_version: Option<String>,
    /// Distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_distribution: Option<String>,
    /// Infrastructure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_infrastructure: Option<String>,
    /// Version of the agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arc_agent_version: Option<String>,
    /// Expiry of the identity certificate (world time, RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_identity_certificate_expiration_time: Option<String>,
    /// When the agents last looked (world time, RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_connectivity_time: Option<String>,
    /// Issuer for workload identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_issuer_url: Option<String>,
}

/// Answer to [`SyncRequest`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReply {
    /// How many of the resources were taken over.
    pub synced: usize,
}

/// The public keys by which a cluster signs service account tokens, for its OIDC issuer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SigningKeys {
    /// A set of keys (RFC 7517), as an API server publishes it.
    pub jwks: Value,
}

/// Answer to [`SigningKeys`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerReply {
    /// The issuer, with a slash at the end; its OpenID configuration lies below it.
    pub issuer_url: String,
    /// Where the keys are published.
    pub jwks_uri: String,
}

/// Reply of `POST /azure-arc-k8sagents/GetHelmSettings`, by which onboarding learns chart and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmSettings {
    /// Chart reference with exactly one colon: `mcr.microsoft.com/…/azure-arc-k8sagents:1.37.2`.
    pub repository_path: String,
    /// Chart values; every value is a text, because clients take no other type.
    pub helm_values_content: IndexMap<String, String>,
    /// Always null.
    #[serde(default)]
    pub api_server_flags: Option<Value>,
}

/// Reply of `POST /azure-arc-k8sagents/GetLatestHelmPackagePath`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatestHelmPackage {
    /// Chart reference.
    pub repository_path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_path_reads_back_without_regard_to_case() {
        let cluster = ClusterPath { subscription: "s", group: "g", name: "n" };
        let path = cluster.path(AgentCall::PendingConfigs);
        let (bare, query) = path.split_once('?').unwrap();
        assert_eq!(query, "api-version=2019-11-01-Preview");
        let upper = bare.replace("resourceGroups", "RESOURCEGROUPS");
        let (read, rest) = ClusterPath::parse(&upper).unwrap();
        assert_eq!(read, cluster);
        assert_eq!(AgentCall::at(rest), Some(AgentCall::PendingConfigs));
        assert!(ClusterPath::parse("/subscriptions/s/resourceGroups/g/providers/x").is_none());
    }

    #[test]
    fn a_status_without_facts_is_empty_and_unknown_parts_of_a_resource_survive() {
        assert_eq!(serde_json::to_string(&ClusterStatus::default()).unwrap(), "{}");
        let text = r#"{"apiVersion":"arc.azure.com/v1beta1","kind":"ConnectedCluster","metadata":{"name":"clustermetadata"},"spec":{},"status":{"nodeCount":1},"extra":2}"#;
        let resource: SyncedResource = serde_json::from_str(text).unwrap();
        assert!(resource.is_cluster());
        assert_eq!(serde_json::to_string(&resource).unwrap(), text);
    }
}
