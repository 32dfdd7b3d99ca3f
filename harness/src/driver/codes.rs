//! Error codes of the Azure CLI's extension, as far as the driver gives them.

use std::fmt;

use serde::{Serialize, Serializer};

/// A code of the extension's catalogue (`AZK8S…`) with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `AZK8S` and four digits.
    pub id: &'static str,
    /// The name beside it.
    pub name: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $id:literal $name:literal;)*) => {
        impl Code {
            $(
                #[doc = concat!("`", $id, "`, ", $name, ".")]
                pub const $constant: Self = Self { id: $id, name: $name };
            )*
        }
    };
}

codes! {
    UNEXPECTED = "AZK8S0001" "UnexpectedError";
    INVALID_ARGUMENT = "AZK8S0100" "InvalidArgumentValue";
    PROXY_CERTIFICATE_NOT_FOUND = "AZK8S0103" "ProxyCertificatePathNotFound";
    INVALID_LOCATION = "AZK8S0104" "InvalidLocation";
    SCOPE_LOCATION = "AZK8S0105" "PrivateLinkScopeLocationMismatch";
    INVALID_GATEWAY = "AZK8S0106" "InvalidGatewayArmId";
    CONFIG_MAP_READ = "AZK8S0201" "ConfigMapReadFailed";
    KUBERNETES_CONNECTIVITY = "AZK8S0202" "KubernetesConnectivityFailed";
    NAMESPACE_GET = "AZK8S0205" "KubernetesNamespaceGetFailed";
    ROLE_BINDING_FORBIDDEN = "AZK8S0207" "ClusterRoleBindingCreateForbidden";
    DATA_PLANE_HEALTH = "AZK8S0300" "DataPlaneHealthCheckFailed";
    DNS_UNKNOWN = "AZK8S0301" "DnsNxDomain";
    DNS_TIMEOUT = "AZK8S0302" "DnsTimeout";
    DNS_FAILURE = "AZK8S0303" "DnsServerFailure";
    DNS_NO_SERVERS = "AZK8S0304" "DnsNoServersReachable";
    DNS_COMMUNICATION = "AZK8S0305" "DnsCommunicationsError";
    OUTBOUND = "AZK8S0306" "OnboardingOutboundConnectivityFailed";
    CERTIFICATE_PULLDOWN = "AZK8S0309" "CertificatePulldownFailed";
    CREATE = "AZK8S0400" "ConnectedClusterCreateFailed";
    DELETE = "AZK8S0402" "ConnectedClusterDeleteFailed";
    ALREADY_ONBOARDED = "AZK8S0403" "ClusterAlreadyOnboarded";
    ALREADY_EXISTS = "AZK8S0404" "ConnectedClusterResourceAlreadyExists";
    NOT_FOUND = "AZK8S0405" "ConnectedClusterResourceNotFound";
    INVALID_DELETE = "AZK8S0406" "InvalidDeleteRequest";
    PROVIDER_FETCH = "AZK8S0407" "ResourceProviderFetchFailed";
    PROVIDER_NOT_REGISTERED = "AZK8S0408" "ConnectedClusterProviderNotRegistered";
    INSTALL = "AZK8S0500" "HelmReleaseInstallFailed";
    CHART_PULL = "AZK8S0502" "HelmChartPullFailed";
    RELEASE_LIST = "AZK8S0505" "HelmReleaseListFailed";
    REMOVE = "AZK8S0501" "HelmReleaseDeleteFailed";
    AGENT_STATE = "AZK8S0506" "AgentStateTimeout";
    KEY_PAIR = "AZK8S0507" "KeyPairGenerationFailed";
    TIMEOUT_SCHEDULING = "AZK8S0512" "HelmTimeoutPendingOrUnschedulable";
    TIMEOUT_IMAGE = "AZK8S0513" "HelmTimeoutImagePullFailed";
    TIMEOUT = "AZK8S0514" "HelmTimeout";
    CHECKS_FAILED = "AZK8S0600" "PrediagnosticsFailed";
    CHECKS_NOT_RUN = "AZK8S0601" "PrediagnosticsJobExecutionFailed";
    CHECKS_INCOMPLETE = "AZK8S0603" "PrediagnosticsIncomplete";
    CHECKS_NOT_SCHEDULED = "AZK8S0604" "PrediagnosticsJobNotScheduled";
    CHECKS_NOT_COMPLETE = "AZK8S0605" "PrediagnosticsJobNotComplete";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.id, self.name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}
