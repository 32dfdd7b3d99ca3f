//! The protocol between the Arc agents, the identity service (HIS) and the Arc data plane.
//!
//! Microsoft publishes no contract for it. Paths, host names, header names and the key names of what the agents store
//! follow public agent sources and documents; the bodies' exact form is this crate's own, shared by the simulated
//! agents and the simulated cloud. What is in neither is not modelled: `SharedKey` authorisation of the data plane.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};

mod data_plane;
mod relay;

pub use data_plane::{
    AgentCall, ClusterPath, ClusterStatus, HelmSettings, IssuerReply, LatestHelmPackage, PendingConfigs,
    SigningKeys, SyncReply, SyncRequest, SyncedResource, UpdateConfig, data_plane_url,
};
pub use relay::{
    Accept, CONNECT_AUDIENCES, LISTENERS_PATH, ListenReply, ListenRequest, RELAY_ID, RELAY_PATH,
    RELAY_SUFFIX, RELAY_TOKEN, RelayAction, Rendezvous, hybrid_connection_url,
};

/// Host of the identity service's discovery call.
pub const HIS_GLOBAL_HOST: &str = "gbl.his.arc.azure.com";
/// What every identity service host ends with.
pub const HIS_SUFFIX: &str = ".his.arc.azure.com";
/// What every Arc data plane host ends with; a region (`eastus`) stands before it.
pub const DATA_PLANE_SUFFIX: &str = ".dp.kubernetesconfiguration.azure.com";
/// API version of the discovery call.
pub const HIS_DISCOVERY_API_VERSION: &str = "1.0-preview";
/// API version of the identity call.
pub const HIS_IDENTITY_API_VERSION: &str = "1.1-preview";
/// Path of the discovery call.
pub const HIS_DISCOVERY_PATH: &str = "/discovery";
/// Path of the identity call at the regional host.
pub const HIS_IDENTITY_PATH: &str = "/type/ConnectedCluster/identity";
/// API version of `configurations/getPendingConfigs`; the other data plane calls of the agents use it too.
pub const DATA_PLANE_API_VERSION: &str = "2019-11-01-Preview";
/// Header with the wall time (RFC 3339) at which an identity request was signed.
pub const DATE_HEADER: &str = "x-ms-date";
/// Header with the signature of an identity request.
pub const SIGNED_MESSAGE_HEADER: &str = "signedMessage";
/// Scheme name in [`SIGNED_MESSAGE_HEADER`]: RSA-PSS with SHA-256 and a salt of 32 bytes.
pub const SIGNATURE_SCHEME: &str = "rsapss";
/// Scope under which the agents ask for their data plane token.
pub const DATA_PLANE_SCOPE: &str = "https://management.azure.com/.default";
/// `client_assertion_type` of a signed assertion (RFC 7523).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const COMPONENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?');

fn encode(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, COMPONENT)
}

/// Region names and the short codes of their identity service hosts. `eus` and `weu` are documented or observed; the
/// others follow the same pattern and are an assumption.
const REGION_CODES: &[(&str, &str)] = &[
    ("australiaeast", "ae"),
    ("brazilsouth", "brs"),
    ("canadacentral", "cc"),
    ("canadaeast", "ce"),
    ("centralindia", "inc"),
    ("centralus", "cus"),
    ("eastasia", "ea"),
    ("eastus", "eus"),
    ("eastus2", "eus2"),
    ("francecentral", "frc"),
    ("germanywestcentral", "gwc"),
    ("israelcentral", "ilc"),
    ("italynorth", "itn"),
    ("japaneast", "jpe"),
    ("koreacentral", "krc"),
    ("northcentralus", "ncus"),
    ("northeurope", "neu"),
    ("norwayeast", "noe"),
    ("southafricanorth", "san"),
    ("southcentralus", "scus"),
    ("southeastasia", "sea"),
    ("southindia", "ins"),
    ("swedencentral", "sec"),
    ("switzerlandnorth", "swn"),
    ("uaenorth", "uan"),
    ("uksouth", "uks"),
    ("ukwest", "ukw"),
    ("westcentralus", "wcus"),
    ("westeurope", "weu"),
    ("westus", "wus"),
    ("westus2", "wus2"),
    ("westus3", "wus3"),
];

/// The short code of a region's identity service host (`eus` for `eastus`). A region that is not in the table keeps its
/// name. Case and blanks do not matter.
#[must_use]
pub fn region_code(region: &str) -> String {
    let name: String = region.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    REGION_CODES.iter().find(|(region, _)| *region == name).map_or(name, |(_, code)| (*code).to_owned())
}

/// URL of the discovery call for a region, under a base such as `https://gbl.his.arc.azure.com`.
#[must_use]
pub fn discovery_url(base: &str, region: &str) -> String {
    let base = base.trim_end_matches('/');
    format!("{base}{HIS_DISCOVERY_PATH}?location={}&api-version={HIS_DISCOVERY_API_VERSION}", encode(region))
}

/// URL of the identity call for a connected cluster, under the base that discovery named.
#[must_use]
pub fn identity_url(base: &str, arm_id: &str) -> String {
    let base = base.trim_end_matches('/');
    format!("{base}{HIS_IDENTITY_PATH}?api-version={HIS_IDENTITY_API_VERSION}&id={}", encode(arm_id))
}

/// Reply of the discovery call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discovery {
    /// Base URL of the regional identity service, without a trailing slash.
    pub url: String,
}

/// What the onboarding key signs in an identity request: the text of [`DATE_HEADER`], a line feed, and the cluster's ARM
/// id in lower case.
#[must_use]
pub fn identity_message(date: &str, arm_id: &str) -> String {
    format!("{date}\n{}", arm_id.to_ascii_lowercase())
}

/// The value of [`SIGNED_MESSAGE_HEADER`] for a signature in base64.
#[must_use]
pub fn signed_message(signature_base64: &str) -> String {
    format!("{SIGNATURE_SCHEME} {signature_base64}")
}

/// The base64 signature inside a [`SIGNED_MESSAGE_HEADER`] value; `None` for another scheme.
#[must_use]
pub fn signature_of(header: &str) -> Option<&str> {
    let (scheme, signature) = header.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case(SIGNATURE_SCHEME)).then_some(signature.trim())
}

/// Reply of the identity call: the cluster's system-assigned identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityReply {
    /// PEM of a certificate over the onboarding public key. TLS validity inside is wall time.
    pub certificate: String,
    /// When the identity expires, in the world's time (RFC 3339, whole minutes): this is what the life cycle goes by.
    pub expiration_time: String,
    /// From when on the agents should renew, in the world's time (RFC 3339).
    pub renew_after: String,
    /// Client id under which the identity asks for tokens.
    pub client_id: String,
    /// Directory of the identity.
    pub tenant_id: String,
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// Audience of the data plane token, without `/.default`.
    pub audience: String,
}

/// Claims of the assertion by which an identity, or a service principal with a certificate, proves itself (RFC 7523).
/// Times are seconds of wall time since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// The client id.
    pub iss: String,
    /// The client id again.
    pub sub: String,
    /// The token endpoint.
    pub aud: String,
    /// Unique per assertion.
    #[serde(default)]
    pub jti: String,
    /// Valid from.
    #[serde(default)]
    pub nbf: i64,
    /// Valid until.
    pub exp: i64,
}

/// The form of a token request with an assertion, ready to be sent as `application/x-www-form-urlencoded`.
#[must_use]
pub fn assertion_form(client_id: &str, scope: &str, assertion: &str) -> String {
    format!(
        "client_id={}&scope={}&grant_type=client_credentials&client_assertion_type={}&client_assertion={}",
        encode(client_id),
        encode(scope),
        encode(ASSERTION_TYPE),
        encode(assertion)
    )
}

/// A granted token (RFC 6749 section 5.1, as the v2.0 token endpoint of Entra ID returns it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReply {
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds of wall time until it expires.
    pub expires_in: u64,
    /// As `expires_in`; the extended life is not modelled.
    #[serde(default)]
    pub ext_expires_in: u64,
    /// The token.
    pub access_token: String,
}

/// A refused token request, as Entra ID words it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRefusal {
    /// OAuth code: `invalid_client`, `invalid_scope`, …
    pub error: String,
    /// Text that starts with the AADSTS code.
    pub error_description: String,
    /// AADSTS codes.
    #[serde(default)]
    pub error_codes: Vec<u32>,
    /// Wall time, `yyyy-MM-dd HH:mm:ssZ`.
    #[serde(default)]
    pub timestamp: String,
    /// Trace id.
    #[serde(default)]
    pub trace_id: String,
    /// Correlation id: the caller's `client-request-id` when given.
    #[serde(default)]
    pub correlation_id: String,
    /// Where the code is explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_short_codes_and_unknown_ones_keep_their_name() {
        assert_eq!(region_code("East US"), "eus");
        assert_eq!(region_code("westeurope"), "weu");
        assert_eq!(region_code("Atlantis"), "atlantis");
    }

    #[test]
    fn a_signature_header_names_its_scheme() {
        assert_eq!(signature_of(&signed_message("AAA=")), Some("AAA="));
        assert_eq!(signature_of("rsa AAA="), None);
        assert_eq!(
            identity_message("2026-01-01T00:00:00Z", "/Subscriptions/A"),
            "2026-01-01T00:00:00Z\n/subscriptions/a"
        );
    }
}
