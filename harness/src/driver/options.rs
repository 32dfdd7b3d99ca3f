//! What the user may choose, named after the options of `az connectedk8s connect` and `delete`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

/// How long the Azure CLI waits for the agents unless told otherwise.
pub const ONBOARDING_TIMEOUT: Duration = Duration::from_secs(1200);

/// Label of the onboarding key unless told otherwise. A key is used once and then forgotten, so that asking for this label
/// ahead of need (`KeySource::prefetch`) always helps the next onboarding.
pub const KEY_LABEL: &str = "onboarding/next";

/// The outbound proxy that the agents are to use. It is not the driver's own: that is in its network settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyOptions {
    /// `--proxy-https`.
    pub https: Option<String>,
    /// `--proxy-http`.
    pub http: Option<String>,
    /// `--proxy-skip-range`; the word `Arc` in it stands for Arc's private link hosts.
    pub skip_range: Option<String>,
    /// `--proxy-cert`: a PEM file of certificates that the agents must trust.
    pub certificate: Option<PathBuf>,
}

impl ProxyOptions {
    /// Whether anything is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A setting of a feature of the agents, written `FEATURE.NAME=VALUE`. Its `Debug` does not show the value, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The feature, `proxy` for one.
    pub feature: String,
    /// The setting's name within it.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}=…", self.feature, self.name)
    }
}

/// Features that onboarding switches on, and what they need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureOptions {
    /// `--enable-private-link`; Azure is not told anything about it if absent. It leaves cluster connect and custom locations
    /// out.
    pub private_link: Option<bool>,
    /// `--private-link-scope-resource-id`: an ARM id. Private link needs one, and only private link takes one.
    pub private_link_scope: Option<String>,
    /// `--gateway-resource-id`: the ARM id of an Arc gateway.
    pub gateway: Option<String>,
    /// `--enable-oidc-issuer`.
    pub oidc_issuer: bool,
    /// `--self-hosted-issuer`: a URL, only with the OIDC issuer, which `gke`, `eks` and `aks` need.
    pub self_hosted_issuer: Option<String>,
    /// `--enable-workload-identity`.
    pub workload_identity: bool,
    /// `--custom-locations-oid`: used where Microsoft Graph does not tell the object id.
    pub custom_locations: Option<String>,
}

/// `az connectedk8s connect`.
#[derive(Debug, Clone)]
pub struct OnboardOptions {
    /// `--name`.
    pub name: String,
    /// `--resource-group`.
    pub group: String,
    /// `--location`; the resource group's if absent, which must then exist.
    pub location: Option<String>,
    /// `--tags`.
    pub tags: IndexMap<String, String>,
    /// The agents' proxy.
    pub proxy: ProxyOptions,
    /// `--distribution`; found out from the nodes if absent.
    pub distribution: Option<String>,
    /// `--infrastructure`; found out from the nodes if absent.
    pub infrastructure: Option<String>,
    /// `--distribution-version`.
    pub distribution_version: Option<String>,
    /// `--azure-hybrid-benefit`: `True`, `False` or `NotApplicable`.
    pub azure_hybrid_benefit: Option<String>,
    /// `--disable-auto-upgrade`.
    pub disable_auto_upgrade: bool,
    /// Private link, gateway, OIDC issuer and what else is switched on.
    pub features: FeatureOptions,
    /// `--container-log-path`.
    pub container_log_path: Option<String>,
    /// `--configuration-settings`: Azure keeps and shows them.
    pub settings: Vec<Setting>,
    /// `--config-protected-settings`: their values stay here; Azure learns their names.
    pub protected_settings: Vec<Setting>,
    /// `--onboarding-timeout`: how long the agents may take (world time).
    pub onboarding_timeout: Duration,
    /// `--no-wait`: neither the resource nor the agents are waited for.
    pub no_wait: bool,
    /// Whether the cluster is checked before anything is written; the Azure CLI leaves it out for `AZURE_LOCAL_DISCONNECTED=true`.
    pub checks: bool,
    /// Also read the new resource at this API version, at the moment when it is provisioned ([`super::Onboarded::view`]).
    pub view: Option<String>,
    /// The label under which the onboarding key is asked for.
    pub key: String,
}

impl OnboardOptions {
    /// Options for a cluster, everything else as the Azure CLI has it by default.
    #[must_use]
    pub fn new(name: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            group: group.into(),
            location: None,
            tags: IndexMap::new(),
            proxy: ProxyOptions::default(),
            distribution: None,
            infrastructure: None,
            distribution_version: None,
            azure_hybrid_benefit: None,
            disable_auto_upgrade: false,
            features: FeatureOptions::default(),
            container_log_path: None,
            settings: Vec::new(),
            protected_settings: Vec::new(),
            onboarding_timeout: ONBOARDING_TIMEOUT,
            no_wait: false,
            checks: true,
            view: None,
            key: KEY_LABEL.into(),
        }
    }
}

/// `az connectedk8s delete`.
#[derive(Debug, Clone)]
pub struct OffboardOptions {
    /// `--name`.
    pub name: String,
    /// `--resource-group`.
    pub group: String,
    /// `--force`: do not compare the cluster with the resource, and remove everything.
    pub force: bool,
    /// `--no-wait`: do not wait for the agents' namespace to vanish.
    pub no_wait: bool,
}
