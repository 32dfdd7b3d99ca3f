//! The properties of `Microsoft.Kubernetes/connectedClusters`.
//!
//! A typed view of what behaviour depends on; everything else survives in `other`. Values that are not yet known are
//! absent on the wire, never null.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The type as templates and permissions spell it.
pub const TYPE: &str = "Microsoft.Kubernetes/connectedClusters";

/// The type as the service itself returns it.
pub const WIRE_TYPE: &str = "microsoft.kubernetes/connectedclusters";

/// Whether the agents of a cluster are heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConnectivityStatus {
    /// Created, and no agent has reported yet.
    Connecting,
    /// Reported within the last 15 minutes.
    Connected,
    /// Not heard of for 15 minutes.
    Offline,
    /// The identity certificate ran out.
    Expired,
    /// Made without agents.
    AgentNotInstalled,
}

impl ConnectivityStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "Connecting",
            Self::Connected => "Connected",
            Self::Offline => "Offline",
            Self::Expired => "Expired",
            Self::AgentNotInstalled => "AgentNotInstalled",
        }
    }
}

/// Properties of a connected cluster. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConnectedClusterProperties {
    /// State of the last write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// A word of [`ConnectivityStatus`], or one that later versions add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectivity_status: Option<String>,
    /// Base64 of the DER of the onboarding key's PKCS#1 public half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_public_key_certificate: Option<String>,
    /// The cluster's version, as its agents report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// Nodes, as the agents count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_node_count: Option<i64>,
    /// Cores, as the agents count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_core_count: Option<i64>,
    /// Version of the agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Distribution, as the client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// Infrastructure, as the client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<String>,
    /// When the agents last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_connectivity_time: Option<String>,
    /// When the agents' identity certificate runs out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_identity_certificate_expiration_time: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
