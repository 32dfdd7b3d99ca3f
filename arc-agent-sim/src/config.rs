//! What an agent knows from its environment: ConfigMap `azure-clusterconfig`, its own variables, the world's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use arm_wire::agent::HIS_DISCOVERY_PATH;
use sim_core::seed::Seed;

/// The namespace of the agents.
pub const NAMESPACE: &str = "azure-arc";

/// The configuration of one agent process.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// `AZURE_SUBSCRIPTION_ID`.
    pub subscription: String,
    /// `AZURE_RESOURCE_GROUP`.
    pub resource_group: String,
    /// `AZURE_RESOURCE_NAME`.
    pub name: String,
    /// `AZURE_REGION`, lower case, without spaces.
    pub region: String,
    /// `AZURE_TENANT_ID`.
    pub tenant: String,
    /// `RP_NAMESPACE`, `Microsoft.Kubernetes`.
    pub provider: String,
    /// `CLUSTER_TYPE`, `ConnectedClusters` (the data plane's path has it with a small first letter).
    pub cluster_type: String,
    /// `AZURE_ENVIRONMENT`.
    pub environment: String,
    /// `AZURE_ARC_AGENT_VERSION`.
    pub agent_version: String,
    /// `KUBERNETES_DISTRO`.
    pub distribution: String,
    /// `KUBERNETES_INFRA`.
    pub infrastructure: String,
    /// `DP_ENDPOINT_OVERRIDE`: base of the data plane instead of the public one.
    pub data_plane_override: Option<String>,
    /// `HIS_ENDPOINT_OVERRIDE`: base of the global identity service instead of the public one.
    pub identity_override: Option<String>,
    /// `NOTIFICATION_DP_ENDPOINT_OVERRIDE`: base of the guest notification service instead of the public one.
    pub notification_override: Option<String>,
    /// `RELAY_ENDPOINT_SUFFIX_OVERRIDE`: what relay hosts end with instead of the public suffix.
    pub relay_suffix_override: Option<String>,
    /// `ACTIVE_DIRECTORY_ENDPOINT`, without a trailing slash.
    pub active_directory: String,
    /// Whether the cluster has an OIDC issuer in Azure (`ENABLE_OIDC_ISSUER`).
    pub oidc_issuer: bool,
    /// `ONBOARDING_SECRET_NAME` and `ONBOARDING_SECRET_NAMESPACE`.
    pub onboarding_secret: (String, String),
    /// `RESYNC_AFTER`: how often metadata is collected and pushed (world time).
    pub resync_after: Duration,
    /// `POD_NAME`: holder of leader leases.
    pub pod_name: String,
    /// Where the container's file system appears (`DRYARC_ROOT`); `/` in a real container.
    pub root: PathBuf,
    /// True when the process has a network of its own, so that probes do not arrive on loopback.
    pub own_network: bool,
    /// Ports that stand for the container's own (`DRYARC_PORT_<n>`).
    pub ports: Vec<(u16, u16)>,
    /// The world's seed.
    pub seed: Seed,
}

/// A variable that an agent cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not there.
    #[error("environment variable {0} is not set; the agents get it from ConfigMap azure-clusterconfig")]
    Missing(&'static str),
    /// It is there, but not what it should be.
    #[error("environment variable {name} is '{value}', which is not {expected}")]
    Invalid {
        /// Which.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
}

/// The container ports that agents listen on.
const PORTS: [u16; 4] = [8080, 8082, 8443, 9090];

impl AgentConfig {
    /// Reads the configuration through `get` (a process passes its environment).
    ///
    /// # Errors
    /// [`ConfigError`] when the identity of the cluster is missing or a number is none.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let need = |name: &'static str| get(name).ok_or(ConfigError::Missing(name));
        let or = |name: &str, default: &str| get(name).unwrap_or_else(|| default.to_owned());
        let root = get("DRYARC_ROOT").map(PathBuf::from);
        let own_network = root.is_none() && get("KUBERNETES_SERVICE_HOST").is_some();
        Ok(Self {
            subscription: need("AZURE_SUBSCRIPTION_ID")?,
            resource_group: need("AZURE_RESOURCE_GROUP")?,
            name: need("AZURE_RESOURCE_NAME")?,
            region: need("AZURE_REGION")?.replace(' ', "").to_lowercase(),
            tenant: need("AZURE_TENANT_ID")?,
            provider: or("RP_NAMESPACE", "Microsoft.Kubernetes"),
            cluster_type: or("CLUSTER_TYPE", "ConnectedClusters"),
            environment: or("AZURE_ENVIRONMENT", "AZUREPUBLICCLOUD"),
            agent_version: or("AZURE_ARC_AGENT_VERSION", ""),
            distribution: or("KUBERNETES_DISTRO", "generic"),
            infrastructure: or("KUBERNETES_INFRA", "generic"),
            data_plane_override: get("DP_ENDPOINT_OVERRIDE"),
            identity_override: get("HIS_ENDPOINT_OVERRIDE"),
            notification_override: get("NOTIFICATION_DP_ENDPOINT_OVERRIDE"),
            relay_suffix_override: get("RELAY_ENDPOINT_SUFFIX_OVERRIDE"),
            active_directory: or("ACTIVE_DIRECTORY_ENDPOINT", "https://login.microsoftonline.com")
                .trim_end_matches('/')
                .to_owned(),
            oidc_issuer: get("ENABLE_OIDC_ISSUER").is_some_and(|word| word.eq_ignore_ascii_case("true")),
            onboarding_secret: (
                or("ONBOARDING_SECRET_NAME", "azure-arc-connect-privatekey"),
                or("ONBOARDING_SECRET_NAMESPACE", NAMESPACE),
            ),
            resync_after: seconds("RESYNC_AFTER", get("RESYNC_AFTER"), 300)?,
            pod_name: get("POD_NAME").unwrap_or_else(|| or("HOSTNAME", "agent")),
            root: root.unwrap_or_else(|| PathBuf::from("/")),
            own_network,
            ports: ports(&get)?,
            seed: number("DRYARC_SEED", get("DRYARC_SEED"))?.map_or(Seed::new(0), Seed::new),
        })
    }

    /// The ARM id of the connected cluster, as the agents write it.
    #[must_use]
    pub fn arm_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}/{}",
            self.subscription,
            self.resource_group,
            self.provider,
            self.resource_type(),
            self.name
        )
    }

    /// `connectedClusters`.
    #[must_use]
    pub fn resource_type(&self) -> String {
        let mut letters = self.cluster_type.chars();
        letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
    }

    /// Where the file that a container knows as `path` is for this process.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path).strip_prefix("/").unwrap_or_else(|_| Path::new(path)))
    }

    /// The base address of the data plane.
    #[must_use]
    pub fn data_plane(&self) -> String {
        self.data_plane_override.clone().map_or_else(
            || format!("https://{}.dp.kubernetesconfiguration.azure.{}", self.region, self.top_level()),
            |base| base.trim_end_matches('/').to_owned(),
        )
    }

    /// The base address of the global identity service.
    #[must_use]
    pub fn identity_service(&self) -> String {
        self.identity_override.clone().map_or_else(
            || format!("https://gbl.his.arc.azure.{}", self.top_level()),
            // The Azure CLI gives the whole discovery call of a custom cloud.
            |base| {
                let base = base.split(HIS_DISCOVERY_PATH).next().unwrap_or_default();
                base.trim_end_matches('/').to_owned()
            },
        )
    }

    /// The base address of the guest notification service.
    #[must_use]
    pub fn notification_service(&self) -> String {
        self.notification_override.clone().map_or_else(
            || format!("https://guestnotificationservice.azure.{}", self.top_level()),
            |base| base.trim_end_matches('/').to_owned(),
        )
    }

    /// The host of the relay of this name.
    #[must_use]
    pub fn relay(&self, name: &str) -> String {
        let public = match self.top_level() {
            "us" => "servicebus.usgovcloudapi.net",
            "cn" => "servicebus.chinacloudapi.cn",
            _ => "servicebus.windows.net",
        };
        let suffix = self.relay_suffix_override.as_deref().unwrap_or(public).trim_start_matches('.');
        format!("{name}.{suffix}")
    }

    /// The last part of the cloud's host names (network requirements of the public, government and China clouds).
    fn top_level(&self) -> &'static str {
        match self.environment.to_uppercase().as_str() {
            "AZUREUSGOVERNMENT" | "AZUREUSGOVERNMENTCLOUD" => "us",
            "AZURECHINACLOUD" => "cn",
            _ => "com",
        }
    }

    /// The address on which to serve the container's `port`: the stand-in given by the launcher, else a free loopback
    /// port in a shared network, else the port itself on every address.
    #[must_use]
    pub fn listen(&self, port: u16) -> std::net::SocketAddr {
        let given = self.ports.iter().find(|(own, _)| *own == port).map(|(_, given)| *given);
        match given {
            Some(given) => (std::net::Ipv4Addr::LOCALHOST, given).into(),
            None if self.own_network => (std::net::Ipv4Addr::UNSPECIFIED, port).into(),
            None => (std::net::Ipv4Addr::LOCALHOST, 0).into(),
        }
    }
}

fn number(name: &'static str, value: Option<String>) -> Result<Option<u64>, ConfigError> {
    let parse = |value: String| {
        value.parse().map_err(|_| ConfigError::Invalid { name, value, expected: "a whole number" })
    };
    value.map(parse).transpose()
}

fn seconds(name: &'static str, value: Option<String>, default: u64) -> Result<Duration, ConfigError> {
    match number(name, value)? {
        Some(0) => Err(ConfigError::Invalid { name, value: "0".into(), expected: "a number of seconds" }),
        given => Ok(Duration::from_secs(given.unwrap_or(default))),
    }
}

fn ports(get: &impl Fn(&str) -> Option<String>) -> Result<Vec<(u16, u16)>, ConfigError> {
    let mut found = Vec::new();
    for port in PORTS {
        if let Some(value) = get(&format!("DRYARC_PORT_{port}")) {
            let invalid =
                |_| ConfigError::Invalid { name: "DRYARC_PORT_*", value: value.clone(), expected: "a port" };
            found.push((port, value.parse().map_err(invalid)?));
        }
    }
    Ok(found)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The environment of an agent of cluster `AzureArcTest1`, with additions.
    pub(crate) fn config(more: &[(&str, &str)]) -> AgentConfig {
        let base = [
            ("AZURE_SUBSCRIPTION_ID", "11111111-2222-3333-4444-555555555555"),
            ("AZURE_RESOURCE_GROUP", "AzureArcTest"),
            ("AZURE_RESOURCE_NAME", "AzureArcTest1"),
            ("AZURE_REGION", "East US"),
            ("AZURE_TENANT_ID", "66666666-7777-8888-9999-000000000000"),
            ("AZURE_ARC_AGENT_VERSION", "1.37.2"),
        ];
        let find = |name: &str| {
            more.iter().chain(&base).find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        };
        AgentConfig::from_env(find).unwrap()
    }

    #[test]
    fn addresses_follow_region_and_cloud_unless_overridden() {
        let public = config(&[]);
        assert_eq!(public.data_plane(), "https://eastus.dp.kubernetesconfiguration.azure.com");
        assert_eq!(public.identity_service(), "https://gbl.his.arc.azure.com");
        assert!(public.arm_id().ends_with("/providers/Microsoft.Kubernetes/connectedClusters/AzureArcTest1"));
        let government = config(&[("AZURE_ENVIRONMENT", "AZUREUSGOVERNMENT")]);
        assert_eq!(government.identity_service(), "https://gbl.his.arc.azure.us");
        let own = config(&[("DP_ENDPOINT_OVERRIDE", "https://127.0.0.1:8443/")]);
        assert_eq!(own.data_plane(), "https://127.0.0.1:8443");
        let call = "https://127.0.0.1:8443/discovery?location=eastus&api-version=1.0-preview";
        let own = config(&[("HIS_ENDPOINT_OVERRIDE", call)]);
        assert_eq!(own.identity_service(), "https://127.0.0.1:8443");
    }

    #[test]
    fn a_missing_or_wrong_variable_is_named() {
        let missing = AgentConfig::from_env(|_| None).unwrap_err();
        assert_eq!(missing, ConfigError::Missing("AZURE_SUBSCRIPTION_ID"));
        let get = |name: &str| Some(if name == "RESYNC_AFTER" { "soon" } else { "1" }.to_owned());
        assert!(AgentConfig::from_env(get).unwrap_err().to_string().contains("RESYNC_AFTER is 'soon'"));
    }

    #[test]
    fn ports_are_the_launchers_or_free_ones_or_the_containers_own() {
        let child = config(&[("DRYARC_ROOT", "/tmp/x"), ("DRYARC_PORT_9090", "4444")]);
        assert_eq!(child.listen(9090).to_string(), "127.0.0.1:4444");
        assert_eq!(child.listen(8080).to_string(), "127.0.0.1:0");
        assert_eq!(child.path("/etc/ssl/certs"), PathBuf::from("/tmp/x/etc/ssl/certs"));
        let container = config(&[("KUBERNETES_SERVICE_HOST", "10.96.0.1")]);
        assert_eq!(container.listen(9090).to_string(), "0.0.0.0:9090");
    }
}
