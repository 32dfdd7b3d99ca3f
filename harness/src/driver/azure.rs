//! A client of Azure Resource Manager and of the Arc data plane, with the Azure SDK's retry rules.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arm_wire::error::{ArmError, ErrorBody};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::Value;
use sim_core::clock::Clock;
use sim_core::net::{HttpClient, Net, NetError};

use super::entra::Tokens;
use super::pace::Pace;

/// How often a request is tried again.
const RETRIES: u32 = 3;
/// How long a client waits for an answer (azure-core's read timeout).
const PATIENCE: Duration = Duration::from_secs(300);
/// First pause that is not none; it doubles (azure-core's back-off).
const BACK_OFF: Duration = Duration::from_millis(800);

/// API versions that the driver asks for, those of the Azure CLI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersion(pub &'static str);

impl ApiVersion {
    /// Providers and resource groups.
    pub const RESOURCES: Self = Self("2024-11-01");
    /// Connected clusters, writes.
    pub const CLUSTERS: Self = Self("2025-08-01-preview");
    /// Connected clusters, with the properties that the quickstart page shows (aadProfile among them).
    pub const CLUSTERS_FIRST: Self = Self("2020-01-01-preview");
    /// Private link scopes.
    pub const PRIVATE_LINK: Self = Self("2021-03-25-preview");
    /// The settings that tie a gateway to a cluster.
    pub const GATEWAY_LINK: Self = Self("2025-02-19-preview");
    /// The cloud's metadata document.
    pub const METADATA: Self = Self("2022-09-01");
    /// The data plane.
    pub const DATA_PLANE: Self = Self("2024-07-01-preview");
}

/// A service principal and where it works. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Credentials {
    /// Tenant id.
    pub tenant: String,
    /// Application (client) id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: String,
    /// Subscription id.
    pub subscription: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .field("subscription", &self.subscription)
            .finish_non_exhaustive()
    }
}

/// Where a cloud is. The default is the public one.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Resource manager, without a trailing slash.
    pub resource_manager: String,
    /// Login, without a trailing slash.
    pub login: String,
    /// Audience of resource manager's tokens.
    pub audience: String,
    /// Microsoft Graph, without a trailing slash.
    pub graph: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            resource_manager: "https://management.azure.com".into(),
            login: "https://login.microsoftonline.com".into(),
            audience: "https://management.core.windows.net/".into(),
            graph: "https://graph.microsoft.com".into(),
        }
    }
}

/// What an [`Azure`] client is made of.
#[derive(Debug, Clone)]
pub struct AzureConfig {
    /// Who.
    pub credentials: Credentials,
    /// Where.
    pub endpoints: Endpoints,
    /// How it is reached.
    pub net: Net,
    /// Time.
    pub clock: Clock,
    /// Sent as `x-ms-correlation-request-id` and `x-ms-client-request-id` (`--correlation-id`).
    pub correlation: String,
    /// Sent as `CommandName`, as the Azure CLI does; empty to send none.
    pub command: String,
}

struct Inner {
    http: HttpClient,
    credentials: Credentials,
    endpoints: Endpoints,
    clock: Clock,
    pace: Pace,
    correlation: String,
    command: String,
    tokens: Tokens,
}

/// Azure, as one service principal sees it. Cheap to clone.
#[derive(Clone)]
pub struct Azure(Arc<Inner>);

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Azure").field("credentials", &self.0.credentials).finish_non_exhaustive()
    }
}

/// Azure refused, failed, or was not reached.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AzureError {
    /// No answer came.
    #[error("{error}")]
    Net {
        /// Method and URL.
        request: String,
        /// Which step failed.
        error: NetError,
    },
    /// No token was given.
    #[error("login failed (HTTP {status}): {text}")]
    Login {
        /// Who refused.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// Entra's words.
        text: String,
    },
    /// Azure answered with an error.
    #[error("({}) {}", error.code, error.message)]
    Refused {
        /// Method and URL.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The error.
        error: Box<ArmError>,
    },
    /// A long-running operation ended without success.
    #[error("the operation ended as {state}: ({}) {}", error.code, error.message)]
    Operation {
        /// The operation's URL.
        request: String,
        /// `Failed` or `Canceled`.
        state: String,
        /// Why.
        error: Box<ArmError>,
    },
    /// An answer that the protocol does not allow.
    #[error("the answer cannot be used: {reason}")]
    Unusable {
        /// Method and URL.
        request: String,
        /// Why.
        reason: String,
    },
}

impl AzureError {
    pub(super) fn net(method: &str, url: &str, error: NetError) -> Self {
        Self::Net { request: format!("{method} {url}"), error }
    }

    pub(super) fn unusable(url: &str, reason: impl ToString) -> Self {
        Self::Unusable { request: url.into(), reason: reason.to_string() }
    }

    /// The HTTP status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Login { status, .. } | Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// ARM's error code, if ARM answered.
    #[must_use]
    pub fn arm_code(&self) -> Option<&str> {
        match self {
            Self::Refused { error, .. } | Self::Operation { error, .. } => Some(&error.code),
            _ => None,
        }
    }

    /// Which request it was about.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::Login { endpoint, .. } => endpoint,
            Self::Net { request, .. }
            | Self::Refused { request, .. }
            | Self::Operation { request, .. }
            | Self::Unusable { request, .. } => request,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> &'static str {
        match self {
            Self::Net { .. } => {
                "check the network settings (proxy variables, certificates) and that the world is running"
            }
            Self::Login { .. } => "check tenant, client id and client secret",
            Self::Refused { status: 401, .. } => "check that the token's audience and tenant fit this cloud",
            Self::Refused { status: 403, .. } => {
                "give the service principal the rights that the message names"
            }
            Self::Refused { status: 409, error, .. } if error.code == "MissingSubscriptionRegistration" => {
                "register the resource provider that the message names, and wait until it is Registered"
            }
            Self::Refused { .. } | Self::Operation { .. } => "correct what the message names and try again",
            Self::Unusable { .. } => "the server does not follow the protocol; look at its journal",
        }
    }
}

/// A successful answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// `Null` for an empty body.
    pub(super) body: Value,
}

impl Azure {
    /// A client with these settings.
    #[must_use]
    pub fn new(config: AzureConfig) -> Self {
        let AzureConfig { credentials, endpoints, net, clock, correlation, command } = config;
        let (http, pace) = (net.http(), Pace::new(clock.clone()));
        Self(Arc::new(Inner {
            http,
            credentials,
            endpoints,
            clock,
            pace,
            correlation,
            command,
            tokens: Tokens::default(),
        }))
    }

    /// Who it is.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// Where it is.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.0.endpoints
    }

    /// What it sends with, for hosts that want no token.
    pub(super) fn http(&self) -> &HttpClient {
        &self.0.http
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// The resource manager's URL of a path, which may have a query already.
    pub(super) fn url(&self, path: &str, version: &str) -> String {
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{}{path}{joint}api-version={version}", self.0.endpoints.resource_manager)
    }

    /// Sends a request with a token. Every status that is not 2xx is an error.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Answer, AzureError> {
        let answer = self.send_any(method.clone(), url, body, true).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(AzureError::Refused {
            request: format!("{method} {url}"),
            status: answer.status.as_u16(),
            error: Box::new(arm_error(answer.status, &answer.body)),
        })
    }

    /// As [`Azure::send`]; any status is an answer, once retries are over.
    pub(super) async fn send_any(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        authorized: bool,
    ) -> Result<Answer, AzureError> {
        let mut renewed = false;
        for attempt in 0.. {
            let sent = self.pace().answer(PATIENCE, self.send_once(&method, url, body, authorized)).await;
            let sent = sent.unwrap_or_else(|| Err(timed_out(&method, url)));
            let pause = match &sent {
                Err(AzureError::Net { error, .. }) => (attempt < RETRIES
                    && (error.before_request() || is_idempotent(&method)))
                .then(|| back_off(attempt)),
                Err(_) => None,
                Ok(reply) if reply.status() == StatusCode::UNAUTHORIZED && authorized && !renewed => {
                    // The token may have been revoked; another one gets one chance.
                    renewed = true;
                    self.0.tokens.forget().await;
                    continue;
                }
                Ok(reply) => (attempt < RETRIES && is_retried(&method, reply.status()))
                    .then(|| retry_after(reply.headers()).unwrap_or_else(|| back_off(attempt))),
            };
            let Some(pause) = pause else { return sent.map(|reply| answer(url, reply)) };
            self.0.pace.asked(pause, pause).await;
        }
        Err(AzureError::unusable(url, "no attempt was made"))
    }

    async fn send_once(
        &self,
        method: &Method,
        url: &str,
        body: Option<&Value>,
        authorized: bool,
    ) -> Result<Response<Bytes>, AzureError> {
        let inner = &self.0;
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("dryarc/", env!("CARGO_PKG_VERSION")))
            .header("x-ms-client-request-id", &inner.correlation)
            .header("x-ms-correlation-request-id", &inner.correlation);
        if !inner.command.is_empty() {
            request = request.header("CommandName", &inner.command);
        }
        if authorized {
            let endpoints = &inner.endpoints;
            let graph = format!("{}/", endpoints.graph);
            let audience = if url.starts_with(&graph) { &graph } else { &endpoints.audience };
            let token =
                inner.tokens.get(&inner.http, &inner.clock, endpoints, &inner.credentials, audience).await?;
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let request = request.body(bytes).map_err(|error| AzureError::unusable(url, error))?;
        inner.http.send(request).await.map_err(|error| AzureError::net(method.as_str(), url, error))
    }
}

/// In the words of the clients' HTTP library.
fn timed_out(method: &Method, url: &str) -> AzureError {
    let host = url.split('/').nth(2).unwrap_or_default().to_owned();
    let reason = format!("Read timed out. (read timeout={})", PATIENCE.as_secs());
    AzureError::net(method.as_str(), url, NetError::Http { host, reason })
}

fn answer(url: &str, reply: Response<Bytes>) -> Answer {
    let (head, body) = reply.into_parts();
    let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
    let value =
        if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_else(|_| text()) };
    Answer { url: url.into(), status: head.status, headers: head.headers, body: value }
}

/// The error in a body; one made of the status for a body that is none of ARM's.
fn arm_error(status: StatusCode, body: &Value) -> ArmError {
    if let Ok(body) = serde_json::from_value::<ErrorBody>(body.clone()) {
        return body.error;
    }
    let reason = status.canonical_reason().unwrap_or("Unknown");
    let text = match body {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => format!("the answer has no body (HTTP {})", status.as_u16()),
        other => other.to_string(),
    };
    ArmError::new(reason.replace(' ', ""), text)
}

fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS)
}

/// azure-core: 408, 429, 500, 502, 503 and 504; methods with side effects only after 500, 503 and 504.
fn is_retried(method: &Method, status: StatusCode) -> bool {
    match status.as_u16() {
        500 | 503 | 504 => true,
        408 | 429 | 502 => is_idempotent(method),
        _ => false,
    }
}

fn back_off(attempt: u32) -> Duration {
    if attempt == 0 { Duration::ZERO } else { BACK_OFF.saturating_mul(1 << attempt.min(6)) }
}

/// The wall time after which a server wants to be asked again: milliseconds where it says them, else whole seconds.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let millis = number("retry-after-ms").or_else(|| number("x-ms-retry-after-ms"));
    let seconds = || number(RETRY_AFTER.as_str()).filter(|seconds| *seconds > 0).map(Duration::from_secs);
    millis.filter(|millis| *millis > 0).map(Duration::from_millis).or_else(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_the_server_and_then_azure_core() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, "0".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert("retry-after-ms", "120".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_millis(120)));
        assert_eq!((back_off(0), back_off(1), back_off(2)), (Duration::ZERO, 2 * BACK_OFF, 4 * BACK_OFF));
        assert!(is_retried(&Method::POST, StatusCode::SERVICE_UNAVAILABLE));
        assert!(!is_retried(&Method::POST, StatusCode::TOO_MANY_REQUESTS));
        assert!(!is_retried(&Method::GET, StatusCode::NOT_FOUND));
    }

    #[test]
    fn an_error_body_that_is_not_arms_still_says_something() {
        let error = arm_error(StatusCode::BAD_GATEWAY, &Value::String("<html>".into()));
        assert_eq!((error.code.as_ref(), error.message.as_str()), ("BadGateway", "<html>"));
    }
}
