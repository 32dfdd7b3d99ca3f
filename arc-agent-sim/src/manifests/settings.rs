//! What decides the agents' objects.

use std::fmt;

use indexmap::IndexMap;

/// The customer's outbound proxy, as the agents get it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `HTTP_PROXY`.
    pub http: Option<String>,
    /// `NO_PROXY`: hosts, suffixes and ranges, comma-separated.
    pub no_proxy: Option<String>,
    /// PEM of certificates that the agents must trust. May be given without a proxy.
    pub certificate: Option<String>,
}

impl ProxySettings {
    /// True when the agents get proxy variables.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.https.is_some() || self.http.is_some() || self.no_proxy.is_some()
    }
}

/// Everything that the agents' objects depend on; what the chart calls values. Its `Debug` shows no key.
#[derive(Clone)]
pub struct AgentSettings {
    /// Subscription id.
    pub subscription: String,
    /// Resource group.
    pub resource_group: String,
    /// Name of the connected cluster.
    pub name: String,
    /// Azure region, as in the ARM resource (`eastus`).
    pub location: String,
    /// Tenant id.
    pub tenant: String,
    /// Version of the agents, `1.37.2`.
    pub agent_version: String,
    /// `global.kubernetesDistro`.
    pub distribution: String,
    /// `global.kubernetesInfra`.
    pub infrastructure: String,
    /// Tags of the ARM resource.
    pub tags: IndexMap<String, String>,
    /// The outbound proxy.
    pub proxy: ProxySettings,
    /// Whether the agents upgrade themselves.
    pub auto_update: bool,
    /// The onboarding key, PKCS#1 PEM (`RSA PRIVATE KEY`).
    pub private_key_pem: String,
    /// `stable`, …
    pub release_train: String,
    /// `AZUREPUBLICCLOUD`, …
    pub environment: String,
    /// Registry and path of the images, without a trailing slash; has `azurearck8s` as a component.
    pub image_repository: String,
    /// Base address of the data plane, when it is not the public one.
    pub data_plane_endpoint: Option<String>,
    /// Base address of the identity service, when it is not the public one.
    pub identity_endpoint: Option<String>,
    /// `systemDefaultValues.azureResourceManagerEndpoint`.
    pub resource_manager_endpoint: String,
    /// `systemDefaultValues.activeDirectoryEndpoint`.
    pub active_directory_endpoint: String,
    /// Whether `clusterconnect-agent` and `kube-aad-proxy` are deployed (off with private link).
    pub cluster_connect: bool,
    /// `systemDefaultValues.clusterMetadataOperator.resyncAfter`, seconds.
    pub resync_after_seconds: u32,
}

impl AgentSettings {
    /// Settings for a cluster, with the chart's defaults for everything else.
    #[must_use]
    pub fn new(subscription: &str, resource_group: &str, name: &str, location: &str, tenant: &str) -> Self {
        Self {
            subscription: subscription.into(),
            resource_group: resource_group.into(),
            name: name.into(),
            location: location.into(),
            tenant: tenant.into(),
            agent_version: "1.37.2".into(),
            distribution: "generic".into(),
            infrastructure: "generic".into(),
            tags: IndexMap::new(),
            proxy: ProxySettings::default(),
            auto_update: true,
            private_key_pem: String::new(),
            release_train: "stable".into(),
            environment: "AZUREPUBLICCLOUD".into(),
            image_repository: "mcr.microsoft.com/azurearck8s".into(),
            data_plane_endpoint: None,
            identity_endpoint: None,
            resource_manager_endpoint: "https://management.azure.com".into(),
            active_directory_endpoint: "https://login.microsoftonline.com".into(),
            cluster_connect: true,
            resync_after_seconds: 300,
        }
    }
}

impl fmt::Debug for AgentSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentSettings")
            .field("subscription", &self.subscription)
            .field("resource_group", &self.resource_group)
            .field("name", &self.name)
            .field("location", &self.location)
            .field("agent_version", &self.agent_version)
            .finish_non_exhaustive()
    }
}
