//! Requests of `kubectl`, through the relay.

use std::sync::Arc;
use std::time::Duration;

use arm_wire::agent::{RelayAction, hybrid_connection_url};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use sim_core::net::websocket::as_pipe;
use sim_core::net::{NetError, splice};
use tokio::io::DuplexStream;

use super::Proxy;
use super::register::{self, Connection};
use super::serve::{Body, json as reply, refusal};

/// How long the relay and the agent may take to open a connection, in wall time.
const PATIENCE: Duration = Duration::from_secs(35);

/// What users are told when nobody listens (Microsoft's troubleshooting page).
const NOBODY: &str =
    "Cannot connect to the hybrid connection because no agent is connected in the target arc resource.";

/// A request that was not forwarded.
type Refused = Box<Response<Body>>;

fn refused(status: StatusCode, reason: &str, message: &str) -> Refused {
    Box::new(refusal(status, reason, message))
}

/// The CLI hands over the user's token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: String,
    kid: String,
}

/// Answers a request to the port for `kubectl`.
pub(super) async fn answer(proxy: Arc<Proxy>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let answered = match (request.method(), path.as_str()) {
        (&Method::GET, "/identity/poppublickey") => public_key(&proxy).await,
        (&Method::POST, "/identity/at") => take_token(&proxy, request).await,
        _ => forward(&proxy, request).await,
    };
    answered.unwrap_or_else(|refused| *refused)
}

fn internal(error: &impl ToString) -> Refused {
    refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", &error.to_string())
}

async fn public_key(proxy: &Proxy) -> Result<Response<Body>, Refused> {
    let key = proxy.identity.public().await.map_err(|error| internal(&error))?;
    Ok(reply(StatusCode::OK, &json!({ "publicKey": key })))
}

async fn take_token(proxy: &Proxy, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
    let bad = |why: String| refused(StatusCode::BAD_REQUEST, "BadRequest", &why);
    let token: Token = register::body(request.into_body()).await.map_err(bad)?;
    let key = proxy.identity.public().await.map_err(|error| internal(&error))?;
    if key.kid.as_deref() != Some(token.kid.as_str()) {
        // The words by which the CLI knows that it has to ask for the key again.
        return Err(refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "public key expired"));
    }
    proxy.identity.set(token.access_token);
    Ok(reply(StatusCode::OK, &json!({})))
}

async fn forward(proxy: &Proxy, mut request: Request<Incoming>) -> Result<Response<Body>, Refused> {
    let (connection, target) = route(proxy, request.uri())?;
    *request.uri_mut() = target;
    let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    if proxy.identity.is_own(shown) {
        request.headers_mut().insert(AUTHORIZATION, proof(proxy).await?);
    }
    request.headers_mut().insert(HOST, HeaderValue::from_static("kubernetes"));
    let pipe = dial(proxy, &connection).await?;
    let broken = |error: hyper::Error| {
        let message = format!("The cluster connect agent ended the connection: {error}");
        refused(StatusCode::BAD_GATEWAY, "ServiceUnavailable", &message)
    };
    let (mut sender, driver) = http1::handshake(TokioIo::new(pipe)).await.map_err(broken)?;
    tokio::spawn(driver.with_upgrades());
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let mut response = sender.send_request(request).await.map_err(broken)?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        tokio::spawn(splice(upgrade, hyper::upgrade::on(&mut response)));
    }
    Ok(response.map(|body| body.boxed()))
}

/// What proves to the cluster who the user is.
async fn proof(proxy: &Proxy) -> Result<HeaderValue, Refused> {
    let now = proxy.clock.wall().as_second();
    let proof = proxy.identity.proof(now).await.map_err(|error| internal(&error))?;
    let value = proof.and_then(|proof| HeaderValue::from_str(&proof).ok());
    let nobody = "the Azure CLI has not handed over an access token";
    value.ok_or_else(|| refused(StatusCode::UNAUTHORIZED, "Unauthorized", nobody))
}

/// The connection that a path leads to, and what is left of the path.
fn route(proxy: &Proxy, uri: &Uri) -> Result<(Connection, Uri), Refused> {
    let whole = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let rest = whole.trim_start_matches('/');
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (first, rest) = rest.split_at(end);
    let found = proxy.connections().iter().find(|(own, _)| own == first).map(|(_, one)| one.clone());
    let unknown = || {
        let message = format!("'{first}' is no cluster that was registered with this proxy");
        refused(StatusCode::NOT_FOUND, "NotFound", &message)
    };
    let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    Ok((found.ok_or_else(unknown)?, rest.parse().map_err(|_| unknown())?))
}

/// A pipe to the cluster's agent.
async fn dial(proxy: &Proxy, connection: &Connection) -> Result<DuplexStream, Refused> {
    let unreachable = |message: &str| refused(StatusCode::BAD_GATEWAY, "ServiceUnavailable", message);
    let suffix = proxy.config.cloud.service_bus_endpoint_suffix.as_deref();
    let relay = suffix.map_or_else(
        || connection.relay.clone(),
        |suffix| format!("{}.{}", connection.relay, suffix.trim_start_matches('.')),
    );
    let name = &connection.hybrid_connection_name;
    let url = hybrid_connection_url(&relay, name, RelayAction::Connect, &connection.token);
    let url: Uri = url.parse().map_err(|_| unreachable("The hybrid connection has no usable name."))?;
    match proxy.clock.wall_timeout(PATIENCE, proxy.net.websocket(&url)).await {
        Ok(Ok(socket)) => Ok(as_pipe(socket)),
        Ok(Err(NetError::NoWebSocket { status: 404, .. })) => Err(unreachable(NOBODY)),
        Ok(Err(error)) => Err(unreachable(&format!("The relay cannot be reached: {error}"))),
        Err(_) => Err(unreachable("The relay does not answer.")),
    }
}
