//! `clusterconnect-agent`: listens at a relay for users who want to reach the cluster, and leads each to `kube-aad-proxy`.
//!
//! It asks the guest notification service where to listen, and keeps a websocket to that relay. Every sender that the relay announces
//! becomes a second websocket, whose bytes are carried to the Service of `kube-aad-proxy` within the cluster, by TLS. A refusal is
//! logged and asked again ever more slowly, so that the agent lives on where WebSockets are blocked. What travels is not looked at.

use std::convert::Infallible;
use std::time::Duration;

use arm_wire::agent::{
    LISTENERS_PATH, ListenReply, ListenRequest, RelayAction, Rendezvous, hybrid_connection_url,
};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use sim_core::net::websocket::as_pipe;
use sim_core::net::{Net, NetError, Stream, WebSocket, roots_from_pem};
use tokio::io::copy_bidirectional;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::kube_aad_proxy::CERTIFICATE_SECRET;
use crate::agent::Agent;
use crate::config::NAMESPACE;
use crate::error::{AgentError, CallError};
use crate::identity::{store, tokens};
use crate::pace::{Backoff, Pace};

/// From the start to the first question: the identity comes first.
const FIRST: Duration = Duration::from_secs(30);
/// The longest pause between questions.
const SLOWEST: Duration = Duration::from_secs(300);
/// How long a relay may take to open a websocket (wall time).
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let mut backoff = Backoff::up_to(SLOWEST);
    if let Err(error) = tokens::request(agent).await {
        agent.log.error(format!("Error in requesting identity token: {{{error}}}"));
    }
    pace.sleep(FIRST).await;
    loop {
        match listen(agent, pace).await {
            Ok(listener) => {
                backoff.reset();
                agent.log.info("Listening for cluster connect requests");
                serve(agent, pace, listener).await;
                agent.log.warn("The relay ended the listener; listening again");
            }
            Err(error) => agent.log.error(format!("Failed to listen at the relay: {{{error}}}")),
        }
        let pause = backoff.pause();
        pace.sleep(pause).await;
    }
}

/// Asks where to listen, and opens the listener.
async fn listen(agent: &Agent, pace: &mut Pace) -> Result<WebSocket, CallError> {
    let token = tokens::token(agent, pace).await?;
    let url = format!("{}{LISTENERS_PATH}?api-version=2021-01-01", agent.config.notification_service());
    let unusable = |reason: String| CallError::Unreadable(url.clone(), reason);
    let body = serde_json::to_vec(&ListenRequest { resource_id: agent.config.arm_id() })
        .map_err(|error| unusable(error.to_string()))?;
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| unusable(error.to_string()))?;
    bearer.set_sensitive(true);
    let request = Request::post(&url)
        .header(AUTHORIZATION, bearer)
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(body))
        .map_err(|error| unusable(error.to_string()))?;
    let told: ListenReply = agent.fetch_json(request).await?;
    let relay = agent.config.relay(&told.relay);
    let url = hybrid_connection_url(&relay, &told.hybrid_connection_name, RelayAction::Listen, &told.token);
    open(agent, &url).await
}

async fn open(agent: &Agent, url: &str) -> Result<WebSocket, CallError> {
    let host = url.split('?').next().unwrap_or_default().to_owned();
    let parsed: Uri = url.parse().map_err(|_| CallError::Unreadable(host.clone(), "no URL".into()))?;
    match agent.clock.wall_timeout(PATIENCE, agent.net.websocket(&parsed)).await {
        Ok(opened) => Ok(opened?),
        Err(_) => Err(CallError::Late(host, PATIENCE.as_secs())),
    }
}

/// Takes senders until the relay ends the listener.
async fn serve(agent: &Agent, pace: &mut Pace, listener: WebSocket) {
    let (mut out, mut from) = listener.split();
    // Listening is waiting, as far as the clock goes.
    let day = Duration::from_secs(86_400);
    let mut senders = JoinSet::new();
    loop {
        while senders.try_join_next().is_some() {}
        let Some(said) = pace.wait(day, from.next()).await else { continue };
        match said {
            Some(Ok(Message::Text(text))) => match serde_json::from_str::<Rendezvous>(&text) {
                Ok(told) => {
                    let agent = agent.clone();
                    senders.spawn(async move {
                        if let Err(error) = take(&agent, &told.accept.address).await {
                            agent
                                .log
                                .error(format!("Failed to serve a cluster connect request: {{{error}}}"));
                        }
                    });
                }
                Err(error) => agent.log.error(format!("Unreadable message of the relay: {{{error}}}")),
            },
            Some(Ok(Message::Ping(_))) => {
                if out.flush().await.is_err() {
                    return;
                }
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => {}
        }
    }
}

/// Takes a sender, and carries its bytes to the proxy and back until one of them ends.
async fn take(agent: &Agent, address: &str) -> Result<(), CallError> {
    let (mut proxy, mut user) = {
        let _busy = agent.clock.busy();
        let proxy = connect(agent).await?;
        (proxy, as_pipe(open(agent, address).await?))
    };
    // However it ends, both sides are told by the end of their connections.
    let _ = copy_bidirectional(&mut user, &mut proxy).await;
    Ok(())
}

/// A connection to the proxy's Service, whose certificate is the one in its Secret.
async fn connect(agent: &Agent) -> Result<Stream, CallError> {
    let certificate = store::read(&store::secrets(agent), CERTIFICATE_SECRET, "tls.crt").await?;
    let net: Result<Net, NetError> =
        roots_from_pem(&certificate).and_then(|roots| agent.net.to_builder().roots(roots).build());
    let host = format!("kube-aad-proxy.{NAMESPACE}.svc");
    match agent.clock.wall_timeout(PATIENCE, net?.connect("https", &host, 443)).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(CallError::Late(host, PATIENCE.as_secs())),
    }
}
