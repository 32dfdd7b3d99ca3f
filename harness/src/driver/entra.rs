//! Access tokens from Entra ID, by a service principal's secret.

use std::collections::HashMap;
use std::time::Duration;

use arm_wire::agent::{TokenRefusal, TokenReply};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde_json::Value;
use sim_core::clock::{Clock, later};
use sim_core::net::HttpClient;
use tokio::sync::Mutex;

use super::azure::{AzureError, Credentials, Endpoints};

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(300);

/// Asks for tokens and keeps the last one of each audience as long as it is good.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Held>>);

struct Held {
    token: String,
    /// Wall time.
    until: Timestamp,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Tokens {
    /// A token for an audience, good for some minutes of wall time at least.
    pub(super) async fn get(
        &self,
        http: &HttpClient,
        clock: &Clock,
        endpoints: &Endpoints,
        credentials: &Credentials,
        audience: &str,
    ) -> Result<String, AzureError> {
        let mut held = self.0.lock().await;
        if let Some(good) = held.get(audience).filter(|held| clock.wall() < held.until) {
            return Ok(good.token.clone());
        }
        let reply = request(http, endpoints, credentials, audience).await?;
        let life = Duration::from_secs(reply.expires_in);
        let until = later(clock.wall(), life.saturating_sub(MARGIN.min(life / 2)));
        held.insert(audience.to_owned(), Held { token: reply.access_token.clone(), until });
        Ok(reply.access_token)
    }

    /// Forgets the tokens, so that the next request asks for another one.
    pub(super) async fn forget(&self) {
        self.0.lock().await.clear();
    }
}

async fn request(
    http: &HttpClient,
    endpoints: &Endpoints,
    credentials: &Credentials,
    audience: &str,
) -> Result<TokenReply, AzureError> {
    let endpoint = token_endpoint(http, endpoints, &credentials.tenant).await?;
    let scope = format!("{audience}/.default");
    let form = [
        ("client_id", credentials.client_id.as_str()),
        ("client_secret", credentials.client_secret.as_str()),
        ("grant_type", "client_credentials"),
        ("scope", scope.as_str()),
    ];
    let form = form.map(|(name, value)| format!("{name}={}", encode(value))).join("&");
    let request = Request::post(&endpoint)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .map_err(|error| AzureError::unusable(&endpoint, error))?;
    let reply = http.send(request).await.map_err(|error| AzureError::net("POST", &endpoint, error))?;
    if reply.status().is_success() {
        return serde_json::from_slice(reply.body()).map_err(|error| AzureError::unusable(&endpoint, error));
    }
    let text = match serde_json::from_slice::<TokenRefusal>(reply.body()) {
        Ok(refusal) => refusal.error_description,
        Err(_) => String::from_utf8_lossy(reply.body()).into_owned(),
    };
    Err(AzureError::Login { endpoint, status: reply.status().as_u16(), text })
}

/// The token endpoint of a tenant, from its OpenID document.
async fn token_endpoint(
    http: &HttpClient,
    endpoints: &Endpoints,
    tenant: &str,
) -> Result<String, AzureError> {
    let url = format!("{}/{tenant}/v2.0/.well-known/openid-configuration", endpoints.login);
    let request = Request::get(&url).body(Bytes::new()).map_err(|error| AzureError::unusable(&url, error))?;
    let reply = http.send(request).await.map_err(|error| AzureError::net("GET", &url, error))?;
    let document: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
    match document.get("token_endpoint").and_then(Value::as_str) {
        Some(endpoint) if reply.status().is_success() => Ok(endpoint.to_owned()),
        _ => {
            let described = document.get("error_description").and_then(Value::as_str);
            let text = described.unwrap_or("the tenant has no usable OpenID document").to_owned();
            Err(AzureError::Login { endpoint: url, status: reply.status().as_u16(), text })
        }
    }
}

/// Percent-encodes a form value.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
