//! What decides the agents' objects.

use std::fmt;

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

    /// The proxy variables that are given, by name.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("HTTP_PROXY", &self.http), ("HTTPS_PROXY", &self.https), ("NO_PROXY", &self.no_proxy)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// Addresses other than the public cloud's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `systemDefaultValues.azureArcAgents.config_dp_endpoint_override`.
    pub data_plane: Option<String>,
    /// `systemDefaultValues.clusteridentityoperator.his_endpoint_override`.
    pub identity: Option<String>,
    /// `systemDefaultValues.clusterconnect-agent.connect_dp_endpoint_override`.
    pub connect: Option<String>,
    /// `systemDefaultValues.clusterconnect-agent.notification_dp_endpoint_override`.
    pub notification: Option<String>,
    /// `systemDefaultValues.clusterconnect-agent.relay_endpoint_suffix_override`.
    pub relay_suffix: Option<String>,
    /// `global.kubeAadEndpoint`.
    pub aad: Option<String>,
}

/// `systemDefaultValues.guard`, when it is enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// `authnMode`.
    pub authn_mode: String,
    /// `skipAuthzCheck`: users that are not checked, comma-separated.
    pub skip_authz_check: String,
}

/// How often a kubelet asks the agents that have a readiness probe. A kubelet of a real cluster counts wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadinessProbe {
    /// Seconds from the container's start to the first question.
    pub initial_delay_seconds: u32,
    /// Seconds between two questions; at least 1.
    pub period_seconds: u32,
}

impl Default for ReadinessProbe {
    fn default() -> Self {
        Self { initial_delay_seconds: 10, period_seconds: 15 }
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
    /// `global.tags`: a JSON text.
    pub tags: String,
    /// The outbound proxy.
    pub proxy: ProxySettings,
    /// Whether the agents upgrade themselves.
    pub auto_update: bool,
    /// `systemDefaultValues.azureArcAgents.updateCheckFrequencyInMinutes`.
    pub update_check_minutes: String,
    /// The onboarding key, PKCS#1 PEM (`RSA PRIVATE KEY`), when the chart delivers it; empty when it is there already.
    pub private_key_pem: String,
    /// `stable`, …
    pub release_train: String,
    /// `AZUREPUBLICCLOUD`, …
    pub environment: String,
    /// Registry and path of the images, without a trailing slash; has `azurearck8s` as a component.
    pub image_repository: String,
    /// `systemDefaultValues.image.imagePullPolicy`.
    pub image_pull_policy: String,
    /// Addresses other than the public cloud's.
    pub overrides: Overrides,
    /// `systemDefaultValues.azureResourceManagerEndpoint`.
    pub resource_manager_endpoint: String,
    /// `systemDefaultValues.activeDirectoryEndpoint`.
    pub active_directory_endpoint: String,
    /// Whether `clusterconnect-agent` and `kube-aad-proxy` are deployed (off with private link).
    pub cluster_connect: bool,
    /// `systemDefaultValues.clusterMetadataOperator.resyncAfter`, seconds.
    pub resync_after_seconds: String,
    /// `systemDefaultValues.readinessProbe`.
    pub probe: ReadinessProbe,
    /// `systemDefaultValues.fluent-bit.containerLogPath`.
    pub container_log_path: String,
    /// `global.enableOidcIssuer`.
    pub oidc_issuer: bool,
    /// Object id of the custom locations application, when custom locations are enabled.
    pub custom_locations: Option<String>,
    /// Microsoft Entra authentication and authorization of the cluster, when it is enabled.
    pub guard: Option<Guard>,
    /// `systemDefaultValues.extensionEventsCollector.enabled`: also `healthstatecontroller` beside the extension
    /// manager, as since 2023.
    pub extension_events: bool,
    /// `systemDefaultValues.logcollector.enabled`.
    pub log_collector: bool,
}

impl AgentSettings {
    /// Settings for a cluster, with the chart's defaults for everything else, and cluster connect on, as the Azure CLI
    /// has it.
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
            tags: "{}".into(),
            proxy: ProxySettings::default(),
            auto_update: true,
            update_check_minutes: "60".into(),
            private_key_pem: String::new(),
            release_train: "stable".into(),
            environment: "AZUREPUBLICCLOUD".into(),
            image_repository: "mcr.microsoft.com/azurearck8s".into(),
            image_pull_policy: "IfNotPresent".into(),
            overrides: Overrides::default(),
            resource_manager_endpoint: "https://management.azure.com".into(),
            active_directory_endpoint: "https://login.microsoftonline.com".into(),
            cluster_connect: true,
            resync_after_seconds: "300".into(),
            probe: ReadinessProbe::default(),
            container_log_path: "/var/lib/docker/containers".into(),
            oidc_issuer: false,
            custom_locations: None,
            guard: None,
            extension_events: false,
            log_collector: false,
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
