//! What the user may choose, named after the options of `az connectedk8s connect` and `delete`.

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
    /// `--disable-auto-upgrade`.
    pub disable_auto_upgrade: bool,
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
            disable_auto_upgrade: false,
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
