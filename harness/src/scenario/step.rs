//! What is done in an act.

use serde::Deserialize;
use serde_json::Value;
use sim_core::faults::Rule;

use super::expect::{ArmCheck, ClientExpect, ClusterCheck};
use super::model::Span;

/// The group and the cluster of a scenario that names none.
pub const GROUP: &str = "arc-lab";
/// See [`GROUP`].
pub const CLUSTER: &str = "edge-1";
/// The region of a scenario that names none.
pub const LOCATION: &str = "eastus";

/// One thing that is done: exactly one of the actions, with who does it and what must come of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// Who does it, if not the first service principal.
    #[serde(rename = "as")]
    pub who: Option<Who>,
    /// What the user's shell says about proxies.
    pub environment: Option<Environment>,
    /// How long the user waits before giving up, as `timeout` does (exit code 124).
    pub limit: Option<Span>,
    /// What comes of it. A step that expects nothing must succeed.
    pub expect: Option<ClientExpect>,

    /// `az provider register`.
    pub register: Option<Register>,
    /// How a namespace registers from now on.
    pub provider: Option<Provider>,
    /// `az group create`.
    pub group: Option<Group>,
    /// `az connectedk8s connect`.
    pub onboard: Option<Onboard>,
    /// `az connectedk8s delete`.
    pub offboard: Option<Offboard>,
    /// `az rest`.
    pub arm: Option<ArmCall>,
    /// `kubectl apply`: whole objects.
    pub apply: Option<Vec<Value>>,
    /// `kubectl delete`: objects as `VERSION/KIND [NAMESPACE/]NAME`.
    pub remove: Option<Vec<String>>,
    /// `kubectl patch --type merge`.
    pub patch: Option<Patch>,
    /// Deletes the pods of these deployments of the agents, which come back.
    pub restart: Option<Vec<String>>,
    /// `kubectl`, with these arguments.
    pub kubectl: Option<Vec<String>>,
    /// `helm`, with these arguments.
    pub helm: Option<Vec<String>>,
    /// A script for the shell.
    pub sh: Option<String>,
    /// Waits while the world goes on.
    pub advance: Option<Span>,
    /// Waits until something is true.
    pub wait: Option<Wait>,
    /// Something begins to go wrong.
    pub fault: Option<Rule>,
    /// Something no longer goes wrong: the id of a rule, or `all`.
    pub clear: Option<String>,
}

impl Step {
    /// The names of the actions that are there.
    #[must_use]
    pub fn actions(&self) -> Vec<&'static str> {
        let all = [
            ("register", self.register.is_some()),
            ("provider", self.provider.is_some()),
            ("group", self.group.is_some()),
            ("onboard", self.onboard.is_some()),
            ("offboard", self.offboard.is_some()),
            ("arm", self.arm.is_some()),
            ("apply", self.apply.is_some()),
            ("remove", self.remove.is_some()),
            ("patch", self.patch.is_some()),
            ("restart", self.restart.is_some()),
            ("kubectl", self.kubectl.is_some()),
            ("helm", self.helm.is_some()),
            ("sh", self.sh.is_some()),
            ("advance", self.advance.is_some()),
            ("wait", self.wait.is_some()),
            ("fault", self.fault.is_some()),
            ("clear", self.clear.is_some()),
        ];
        all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }

    /// Texts in which the names of [`PLACES`] stand for something.
    pub fn texts_about_proxies(&self) -> impl Iterator<Item = &str> {
        let onboard = self.onboard.iter();
        let told =
            onboard.flat_map(|it| [&it.proxy_https, &it.proxy_http, &it.proxy_skip_range, &it.proxy_cert]);
        told.chain(self.environment.iter().map(|it| &it.proxy)).flatten().map(String::as_str)
    }

    /// Whether it is a command of the Azure CLI.
    #[must_use]
    pub fn is_of_az(&self) -> bool {
        let onboarding = self.onboard.is_some() || self.offboard.is_some();
        onboarding || self.register.is_some() || self.group.is_some() || self.arm.is_some()
    }

    /// Whether a tool of the user's performs it.
    #[must_use]
    pub fn is_of_tool(&self) -> bool {
        self.kubectl.is_some() || self.helm.is_some() || self.sh.is_some()
    }
}

/// What a shell says about proxies and trust; by default that the workstation's proxy is to be used, if there is one, and
/// nothing of its certificates.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Environment {
    /// `HTTPS_PROXY` and `HTTP_PROXY`, with the names of [`PLACES`]; empty for none.
    pub proxy: Option<String>,
    /// `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// Whether the root certificate of the workstation's proxy is trusted (`REQUESTS_CA_BUNDLE`).
    pub trust_proxy: bool,
}

/// What stands in texts about proxies for what is known only when the world has started: `HOST:PORT` of the proxies, within TLS
/// for the second of each, and the files of their root certificates.
pub const PLACES: [&str; 6] = [
    "{workstationProxy}",
    "{workstationProxyTls}",
    "{workstationProxyCa}",
    "{clusterProxy}",
    "{clusterProxyTls}",
    "{clusterProxyCa}",
];

/// Credentials that are not those of the first service principal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Who {
    /// The display name of another service principal of the world.
    pub principal: Option<String>,
    /// Another secret.
    pub secret: Option<String>,
    /// Another tenant.
    pub tenant: Option<String>,
}

/// `az provider register --wait`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Register {
    /// Which namespaces.
    pub namespaces: Vec<String>,
    /// Whether the call is made at all; else it is only waited.
    pub call: bool,
    /// How long `Registered` is waited for; none means not at all.
    pub within: Option<Span>,
    /// How often in a row it must be read.
    pub consecutive: u32,
}

impl Default for Register {
    fn default() -> Self {
        Self {
            namespaces: vec!["Microsoft.Kubernetes".into(), "Microsoft.KubernetesConfiguration".into()],
            call: true,
            within: Some(Span(std::time::Duration::from_secs(600))),
            consecutive: 1,
        }
    }
}

/// What is changed about a namespace, as `dryarc provider set` does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Provider {
    /// Which.
    pub namespace: String,
    /// How long registering takes.
    pub delay: Option<Span>,
    /// How it ends.
    pub outcome: Option<String>,
    /// Where every subscription is put at once.
    pub state: Option<String>,
}

/// A resource group.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// Delete it instead, until it is gone.
    pub delete: bool,
}

impl Default for Group {
    fn default() -> Self {
        Self { name: GROUP.into(), location: LOCATION.into(), delete: false }
    }
}

/// `az connectedk8s connect`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Onboard {
    /// `--name`.
    pub name: String,
    /// `--resource-group`.
    pub group: String,
    /// `--location`.
    pub location: Option<String>,
    /// `--onboarding-timeout`.
    pub timeout: Option<Span>,
    /// `--no-wait`.
    pub no_wait: bool,
    /// Whether the cluster's network is checked first; false stands for `AZURE_LOCAL_DISCONNECTED=true`, and for versions of the Azure
    /// CLI that did not check.
    pub checks: bool,
    /// `--proxy-https`. In this and the next three, the names of [`PLACES`] stand for what they name.
    pub proxy_https: Option<String>,
    /// `--proxy-http`.
    pub proxy_http: Option<String>,
    /// `--proxy-skip-range`.
    pub proxy_skip_range: Option<String>,
    /// `--proxy-cert`.
    pub proxy_cert: Option<String>,
    /// Which kubeconfig is used, if not the administrator's.
    pub kubeconfig: Option<Kubeconfig>,
}

impl Default for Onboard {
    fn default() -> Self {
        Self {
            name: CLUSTER.into(),
            group: GROUP.into(),
            location: Some(LOCATION.into()),
            timeout: None,
            no_wait: false,
            checks: true,
            proxy_https: None,
            proxy_http: None,
            proxy_skip_range: None,
            proxy_cert: None,
            kubeconfig: None,
        }
    }
}

/// A kubeconfig that differs from the administrator's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Kubeconfig {
    /// Another address of the API server.
    pub server: Option<String>,
    /// Trust the world's authority instead of the cluster's: a kubeconfig with a wrong certificate authority.
    pub wrong_authority: bool,
    /// Use this bearer token.
    pub token: Option<String>,
    /// Use a token of this service account (`NAMESPACE/NAME`).
    pub service_account: Option<String>,
}

/// `az connectedk8s delete`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Offboard {
    /// `--name`.
    pub name: String,
    /// `--resource-group`.
    pub group: String,
    /// `--force`.
    pub force: bool,
}

impl Default for Offboard {
    fn default() -> Self {
        Self { name: CLUSTER.into(), group: GROUP.into(), force: false }
    }
}

/// One call of Azure Resource Manager, with the retries of Azure's clients.
///
/// In path and texts of the body, `{subscription}`, `{tenant}`, `{group}`, `{cluster}` (its whole id), `{principal}` (the
/// object id of the first service principal) and `{client}` stand for what they name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ArmCall {
    /// The method.
    pub method: String,
    /// The path, from `/subscriptions` on.
    pub path: String,
    /// `api-version`.
    pub version: String,
    /// The body.
    #[serde(default)]
    pub body: Value,
    /// Whether an operation that begins is followed to its end.
    #[serde(default)]
    pub wait: bool,
}

/// A change to an object of the cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Patch {
    /// `VERSION/KIND [NAMESPACE/]NAME`.
    pub object: String,
    /// The merge patch.
    pub merge: Value,
}

/// Waiting until something is true.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Wait {
    /// In Azure.
    #[serde(default)]
    pub arm: Vec<ArmCheck>,
    /// In the cluster.
    #[serde(default)]
    pub cluster: Vec<ClusterCheck>,
    /// For how long at most.
    pub within: Span,
}
