//! Who a request is for, by host and by path.

use arm_wire::agent::{
    ClusterPath, DATA_PLANE_SUFFIX, HIS_DISCOVERY_PATH, HIS_IDENTITY_PATH, HIS_SUFFIX, LISTENERS_PATH,
    RELAY_SUFFIX,
};

/// Who a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Azure Resource Manager.
    Arm,
    /// Entra ID.
    Identity,
    /// The cloud metadata document.
    Metadata,
    /// The Arc agents' services.
    AgentPlane,
    /// Azure Relay.
    Relay,
    /// Microsoft Graph.
    Graph,
    /// The container registry.
    Registry,
    /// The instance metadata service of the machine on which clients run.
    Machine,
    /// A host that is routed here but that nobody plays.
    Unknown,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Arm,
        Self::Identity,
        Self::Metadata,
        Self::AgentPlane,
        Self::Relay,
        Self::Graph,
        Self::Registry,
        Self::Machine,
        Self::Unknown,
    ];

    /// What the journal and fault rules call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Identity => "identity",
            Self::Metadata => "metadata",
            Self::AgentPlane => "agents",
            Self::Graph => "graph",
            Self::Relay => "relay",
            Self::Registry => "registry",
            Self::Machine => "machine",
            Self::Unknown => "unknown",
        }
    }
}

/// The address of the instance metadata service, which answers plain HTTP only.
pub(crate) const MACHINE: &str = "169.254.169.254";

/// Hosts of one surface only: exact names, or suffixes with a leading dot.
const HOSTS: &[(&str, Surface)] = &[
    ("management.azure.com", Surface::Arm),
    ("login.microsoftonline.com", Surface::Identity),
    (".login.microsoft.com", Surface::Identity),
    ("login.windows.net", Surface::Identity),
    ("login.microsoft.com", Surface::Identity),
    ("sts.windows.net", Surface::Identity),
    ("graph.microsoft.com", Surface::Graph),
    (MACHINE, Surface::Machine),
    ("mcr.microsoft.com", Surface::Registry),
    (".data.mcr.microsoft.com", Surface::Registry),
    (HIS_SUFFIX, Surface::AgentPlane),
    (DATA_PLANE_SUFFIX, Surface::AgentPlane),
    ("guestnotificationservice.azure.com", Surface::AgentPlane),
    (".guestnotificationservice.azure.com", Surface::AgentPlane),
    (RELAY_SUFFIX, Surface::Relay),
    (".obo.arc.azure.com", Surface::AgentPlane),
    (".oic.prod-arc.azure.com", Surface::AgentPlane),
];

/// The host patterns that the surfaces and Resource Manager play: exact names, or suffixes with a leading dot.
pub fn hosts() -> impl Iterator<Item = &'static str> {
    HOSTS.iter().map(|(host, _)| *host)
}

fn named(host: &str) -> Option<Surface> {
    let same = |name: &str| if name.starts_with('.') { host.ends_with(name) } else { host == name };
    HOSTS.iter().find(|(name, _)| same(name)).map(|(_, surface)| *surface)
}

/// Whether a host is one of the public cloud.
pub(crate) fn is_public(host: &str) -> bool {
    named(host).is_some()
}

/// Who a request is for. `host` has no port and is in lower case; `path` has no repeated slashes. An Azure host name
/// decides alone, except that the metadata document lives on Resource Manager's host; any other host (an address of
/// this machine, a name that a profile adds) serves every surface, told apart by the path.
#[must_use]
pub fn classify(host: &str, path: &str) -> Surface {
    match named(host) {
        Some(Surface::Arm) if is_metadata(path) => Surface::Metadata,
        Some(surface) => surface,
        None => by_path(path),
    }
}

fn is_metadata(path: &str) -> bool {
    path.trim_end_matches('/').eq_ignore_ascii_case("/metadata/endpoints")
}

/// Second or third segments that only Entra ID has, below a tenant.
const IDENTITY_SEGMENTS: &[&str] =
    &["oauth2", ".well-known", "v2.0", "discovery", "userrealm", "saml2", "kerberos"];

fn by_path(path: &str) -> Surface {
    if is_metadata(path) {
        return Surface::Metadata;
    }
    let lower = path.to_ascii_lowercase();
    let starts = |prefix: &str| {
        lower.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    };
    if starts("/v1.0") || starts("/beta") {
        return Surface::Graph;
    }
    if starts("/v2") {
        return Surface::Registry;
    }
    if starts("/metadata") || starts("/msi/token") {
        return Surface::Machine;
    }
    if starts("/$hc") {
        return Surface::Relay;
    }
    let agent_plane = starts(HIS_DISCOVERY_PATH)
        || lower.starts_with(&HIS_IDENTITY_PATH.to_ascii_lowercase())
        || starts("/azure-arc-k8sagents")
        || starts("/urls/allowlist")
        || starts(LISTENERS_PATH)
        || ClusterPath::parse(path).is_some();
    if agent_plane {
        return Surface::AgentPlane;
    }
    let below_tenant = lower.trim_start_matches('/').split('/').nth(1);
    let arm = starts("/subscriptions") || starts("/providers") || starts("/tenants");
    if !arm && below_tenant.is_some_and(|segment| IDENTITY_SEGMENTS.contains(&segment)) {
        return Surface::Identity;
    }
    Surface::Arm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azure_host_names_decide() {
        let of = |host| classify(host, "/x");
        assert_eq!(of("management.azure.com"), Surface::Arm);
        assert_eq!(of("login.microsoftonline.com"), Surface::Identity);
        assert_eq!(of("eastus.login.microsoft.com"), Surface::Identity);
        assert_eq!(of("eus.his.arc.azure.com"), Surface::AgentPlane);
        assert_eq!(of("eastus.dp.kubernetesconfiguration.azure.com"), Surface::AgentPlane);
        assert_eq!(of("azgnrelay-ph0-l1.servicebus.windows.net"), Surface::Relay);
        assert_eq!(of("graph.microsoft.com"), Surface::Graph);
        assert_eq!(of("mcr.microsoft.com"), Surface::Registry);
        assert_eq!(classify("management.azure.com", "/metadata/endpoints"), Surface::Metadata);
        assert_eq!(classify("management.azure.com", "/v1.0/x"), Surface::Arm);
    }

    #[test]
    fn one_address_serves_every_surface_by_path() {
        let of = |path| classify("127.0.0.1", path);
        assert_eq!(of("/metadata/endpoints"), Surface::Metadata);
        assert_eq!(of("/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token"), Surface::Identity);
        assert_eq!(of("/common/discovery/instance"), Surface::Identity);
        assert_eq!(of("/common/v2.0/.well-known/openid-configuration"), Surface::Identity);
        assert_eq!(of("/discovery"), Surface::AgentPlane);
        assert_eq!(of("/type/ConnectedCluster/identity"), Surface::AgentPlane);
        assert_eq!(of("/azure-arc-k8sagents/GetHelmSettings"), Surface::AgentPlane);
        let agents = "/subscriptions/s/resourceGroups/g/provider/Microsoft.Kubernetes-connectedClusters/clusters/c/syncResources";
        assert_eq!(of(agents), Surface::AgentPlane);
        assert_eq!(
            of("/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c"),
            Surface::Arm
        );
        assert_eq!(of("/v1.0/servicePrincipals"), Surface::Graph);
        assert_eq!(of("/v2/azurearck8s/helm/manifests/x"), Surface::Registry);
        assert_eq!(of("/subscriptions/oauth2/x"), Surface::Arm);
        assert_eq!(of("/"), Surface::Arm);
    }
}
