//! How Entra ID says no: OAuth errors with AADSTS codes and texts.

use arm_wire::agent::TokenRefusal;
use jiff::Timestamp;

use super::super::SurfaceRequest;
use super::super::reply::SurfaceReply;
use crate::world::World;

/// Why a request to Entra ID is refused. Codes and texts follow Microsoft's list of AADSTS error codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The tenant in the path does not exist.
    UnknownTenant(String),
    /// `common` or `organizations` where a tenant is needed.
    NoTenant,
    /// A parameter is missing.
    Missing(&'static str),
    /// Nobody has this client id.
    UnknownApp { app: String, tenant: String },
    /// The client secret is wrong.
    Secret(String),
    /// Neither secret nor assertion was given.
    NoCredential,
    /// The grant is none that this world models.
    Grant(String),
    /// The scope is not one.
    Scope(String),
    /// The scope does not end in `/.default`.
    NotDefault(String),
    /// The resource is unknown.
    Resource { resource: String, tenant: String },
    /// The assertion is no JWT, or not of the only type there is.
    Malformed,
    /// The assertion is somebody else's.
    AssertionClient,
    /// The assertion is for another endpoint.
    AssertionAudience,
    /// The assertion's signature is by no key of this application.
    AssertionSignature,
    /// The assertion is out of its time.
    AssertionTime { now: Timestamp, from: i64, until: i64 },
    /// The assertion was issued by another identity provider.
    Federated { issuer: String, subject: String, audience: String },
    /// No federated credential has this issuer.
    FederatedIssuer(String),
    /// None of this issuer has this subject.
    FederatedSubject(String),
    /// None of this subject has this audience.
    FederatedAudience(String),
    /// The token is signed by no key of its issuer.
    FederatedSignature,
    /// The client secret is past its end.
    SecretExpired(String),
    /// Nobody approved the device yet.
    DevicePending,
    /// The device code is past its end.
    DeviceExpired,
    /// The person said no.
    DeviceDeclined,
    /// The device code was traded in before.
    DeviceRedeemed,
    /// The device code is none, or another client's.
    DeviceCode,
    /// The refresh token is none, or another client's.
    RefreshToken,
    /// The refresh token was not used for too long.
    RefreshExpired { issued: Timestamp },
    /// Nobody has this name.
    UnknownUser,
    /// The password is wrong.
    Password,
    /// Passwords are not taken at `common`.
    PasswordTenant,
    /// The identity certificate behind the assertion is past its expiry.
    CertificateExpired,
    /// The authority of an instance discovery is none of ours.
    UnknownInstance,
    /// No signing key could be made.
    NoKey(String),
    /// A page or flow for people.
    Interactive(String),
    /// The token endpoint was not posted to.
    NotPosted(String),
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Refusal {
    /// HTTP status, OAuth code, AADSTS number, text without the number.
    fn parts(&self) -> (u16, &'static str, u32, String) {
        match self {
            Self::UnknownTenant(tenant) => (400, "invalid_tenant", 90002, format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
            )),
            Self::NoTenant => (400, "invalid_request", 50059,
                "No tenant-identifying information found in either the request or implied by any provided credentials.".into()
            ),
            Self::Missing(parameter) => (400, "invalid_request", 900_144, format!(
                "The request body must contain the following parameter: '{parameter}'."
            )),
            Self::UnknownApp { app, tenant } => (400, "unauthorized_client", 700_016, format!(
                "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
            )),
            Self::Secret(app) => (401, "invalid_client", 7_000_215, format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'."
            )),
            Self::NoCredential => (401, "invalid_client", 7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.".into()
            ),
            Self::Grant(grant) => (400, "unsupported_grant_type", 70003, format!(
                "The app requested an unsupported grant type '{grant}'. This simulated Entra ID models client credentials, device codes, passwords and refresh tokens."
            )),
            Self::Scope(scope) => (400, "invalid_scope", 70011, format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            )),
            Self::NotDefault(scope) => (400, "invalid_scope", 1_002_012, format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            )),
            Self::Resource { resource, tenant } => (400, "invalid_resource", 500_011, format!(
                "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
            )),
            Self::Malformed => (400, "invalid_request", 50027, "JWT token is invalid or malformed.".into()),
            Self::AssertionClient => (401, "invalid_client", 700_021,
                "Client assertion application identifier doesn't match 'client_id' parameter.".into()
            ),
            Self::AssertionAudience => (401, "invalid_client", 700_023,
                "Client assertion audience claim does not match Realm issuer.".into()
            ),
            Self::AssertionSignature => (401, "invalid_client", 700_027,
                "Client assertion failed signature validation. The key that signed it is not registered on the application.".into()
            ),
            Self::CertificateExpired => (401, "invalid_client", 700_027,
                "Client assertion failed signature validation. The certificate with the key that signed it has expired.".into()
            ),
            Self::AssertionTime { now, from, until } => (401, "invalid_client", 700_024, format!(
                "Client assertion is not within its valid time range. Current time: {now:.7}, assertion valid from {:.7}, expiry time of assertion {:.7}.",
                second(*from), second(*until)
            )),
            Self::Federated { issuer, subject, audience } => (400, "invalid_request", 70021, format!(
                "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion Audience: '{audience}'."
            )),
            Self::FederatedIssuer(issuer) => (401, "invalid_client", 700_211, format!(
                "No matching federated identity record found for presented assertion issuer '{issuer}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."
            )),
            Self::FederatedSubject(subject) => (401, "invalid_client", 700_213, format!(
                "No matching federated identity record found for presented assertion subject '{subject}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."
            )),
            Self::FederatedAudience(audience) => (401, "invalid_client", 700_212, format!(
                "No matching federated identity record found for presented assertion audience '{audience}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."
            )),
            Self::FederatedSignature => (401, "invalid_client", 50013,
                "Assertion failed signature validation. [Reason - The key was not found.]".into()
            ),
            Self::SecretExpired(app) => (401, "invalid_client", 7_000_222, format!(
                "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security."
            )),
            Self::DevicePending => (400, "authorization_pending", 70016,
                "OAuth 2.0 device flow error. Authorization is pending. Continue polling.".into()
            ),
            Self::DeviceExpired => (400, "expired_token", 70020,
                "The provided value for the input parameter 'device_code' is not valid. This device code has expired.".into()
            ),
            Self::DeviceDeclined => (400, "authorization_declined", 65004,
                "User declined to consent to access the app.".into()
            ),
            Self::DeviceRedeemed => (400, "invalid_grant", 54005,
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.".into()
            ),
            Self::DeviceCode => (400, "bad_verification_code", 70018,
                "The provided value for the input parameter 'device_code' is not valid.".into()
            ),
            Self::RefreshToken => (400, "invalid_grant", 9_002_313,
                "Invalid request. Request is malformed or invalid.".into()
            ),
            Self::RefreshExpired { issued } => (400, "invalid_grant", 700_082, format!(
                "The refresh token has expired due to inactivity. The token was issued on {issued:.7} and was inactive for 90.00:00:00."
            )),
            Self::UnknownUser => (400, "invalid_grant", 50034,
                "The user account does not exist in the directory. To sign into this application, the account must be added to the directory.".into()
            ),
            Self::Password => (400, "invalid_grant", 50126,
                "Error validating credentials due to invalid username or password.".into()
            ),
            Self::PasswordTenant => (400, "invalid_request", 9_001_023,
                "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.".into()
            ),
            Self::UnknownInstance => (400, "invalid_instance", 50049, "Unknown or invalid instance.".into()),
            Self::NoKey(reason) => (503, "temporarily_unavailable", 90033, format!(
                "A transient error has occurred. Please try again. ({reason})"
            )),
            Self::Interactive(path) => (400, "unsupported_response_type", 700_054, format!(
                "'{path}' is a flow that this simulated Entra ID does not model. Log in as a service principal or with a device code instead."
            )),
            Self::NotPosted(method) => (400, "invalid_request", 900_561, format!(
                "The endpoint only accepts POST requests. Received a {method} request."
            )),
        }
    }

    /// The reply, with the ids and the wall time that Entra ID puts into its texts.
    pub(crate) fn reply(&self, world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
        let (status, error, code, text) = self.parts();
        let trace_id = world.tokens.next_id().to_string();
        let given = request.header("client-request-id").filter(|id| !id.is_empty() && id.len() <= 64);
        let correlation_id = given.map_or_else(|| world.tokens.next_id().to_string(), ToOwned::to_owned);
        let timestamp = world.clock.wall().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let body = TokenRefusal {
            error: error.into(),
            error_description: format!(
                "AADSTS{code}: {text} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
            ),
            error_codes: vec![code],
            timestamp,
            trace_id: trace_id.clone(),
            correlation_id,
            error_uri: Some(format!("{}/error?code={code}", request.base_url)),
        };
        SurfaceReply::json(status, &body)
            .with("cache-control", "no-store, no-cache")
            .with("x-ms-request-id", trace_id)
    }
}
