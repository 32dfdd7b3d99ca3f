//! Azure Relay, as far as cluster connect needs it: hybrid connections over websockets.
//!
//! Published protocol of Azure Relay Hybrid Connections: a listener opens `…/$hc/NAME?sb-hc-action=listen` and keeps it; for every
//! sender (`connect`) it gets an `accept` message with an address, opens that (`accept`), and the two websockets become one. Refusals
//! are those of the protocol: 401 for a token that does not fit, 404 when nobody listens, 502 when the listener does not
//! take the sender. Not modelled: HTTP requests through the relay, renewing a listener's token, several listeners that share senders
//! (the last one gets them all).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arm_wire::agent::{Accept, RELAY_ID, RELAY_PATH, RELAY_SUFFIX, RELAY_TOKEN, RelayAction, Rendezvous};
use axum::body::Body;
use axum::response::Response;
use futures::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use percent_encoding::percent_decode_str;
use sim_core::faults::Hook;
use sim_core::journal::Entry;
use sim_core::keys;
use sim_core::net::WebSocket;
use sim_core::net::websocket::{accept_key, asked_key, join, served};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Message;

use super::chain::Exchange;
use super::record::Record;
use super::render;
use crate::providers::seam::Query;
use crate::relay::{RELAY, Right};

/// How long a listener may take to take a sender, in wall time (the real relay waits for half a minute).
const RENDEZVOUS: Duration = Duration::from_secs(30);

/// Who listens, and who waits to be taken. Dropping it ends every connection.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    state: Arc<Mutex<State>>,
    /// Never sent to: its end is the relay's.
    alive: Arc<watch::Sender<()>>,
}

#[derive(Default)]
struct State {
    /// By hybrid connection, in lower case.
    listeners: HashMap<String, mpsc::UnboundedSender<Accept>>,
    /// By sender.
    waiting: HashMap<String, oneshot::Sender<WebSocket>>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

impl Default for Relay {
    fn default() -> Self {
        Self { state: Arc::default(), alive: Arc::new(watch::channel(()).0) }
    }
}

impl Relay {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something for a connection until it ends or the relay does.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut gone = self.alive.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                // Only the end of the sender ends this.
                _ = gone.changed() => {}
            }
        });
    }
}

/// Why the relay does not open a websocket.
struct Refused(StatusCode, &'static str, String);

impl Refused {
    fn of(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self(status, code, text.into())
    }
}

/// A request that may become a websocket.
struct Asked<'a> {
    exchange: &'a Exchange<'a>,
    name: String,
    action: RelayAction,
    token: String,
    id: String,
    key: &'a str,
    upgrade: OnUpgrade,
}

/// Answers a request to a relay.
pub(super) async fn answer(
    exchange: &Exchange<'_>,
    upgrade: Option<OnUpgrade>,
    record: &mut Record<'_>,
) -> Response {
    if let Some(response) = exchange.faults(Hook::Before, ["relay", ""], record, None).await {
        return response;
    }
    let opened = match read(exchange, upgrade) {
        Ok(asked) => match asked.action {
            RelayAction::Listen => asked.listen(),
            RelayAction::Accept => asked.accept(),
            RelayAction::Connect => asked.connect().await,
        },
        Err(refused) => Err(refused),
    };
    record.delivered = true;
    opened.unwrap_or_else(|Refused(status, code, text)| {
        record.code = Some(code.to_owned());
        render::fault(status, code, &text, None)
    })
}

fn read<'a>(exchange: &'a Exchange<'a>, upgrade: Option<OnUpgrade>) -> Result<Asked<'a>, Refused> {
    let bad = |text: &str| Refused::of(StatusCode::BAD_REQUEST, "BadRequest", text);
    let path = percent_decode_str(exchange.path).decode_utf8_lossy().into_owned();
    let Some(name) = path.strip_prefix(RELAY_PATH).filter(|name| !name.is_empty()) else {
        let text = format!("'{path}' is no hybrid connection of this relay.");
        return Err(Refused::of(StatusCode::NOT_FOUND, "EndpointNotFound", text));
    };
    let key = asked_key(&exchange.head.headers).filter(|_| exchange.head.method == Method::GET);
    let (Some(key), Some(upgrade)) = (key, upgrade) else {
        return Err(bad(
            "A hybrid connection is opened as a websocket, and this request asks for none. A proxy on the way may have removed \
             the headers 'Connection' and 'Upgrade'.",
        ));
    };
    let query = Query::parse(exchange.query);
    let action = query.get("sb-hc-action").and_then(RelayAction::parse);
    let action = action.ok_or_else(|| bad("'sb-hc-action' is not listen, accept or connect."))?;
    let header = exchange.head.headers.get("servicebusauthorization").and_then(|value| value.to_str().ok());
    let token = query.get(RELAY_TOKEN).or(header).unwrap_or_default().to_owned();
    let id = query.get(RELAY_ID).unwrap_or_default().to_owned();
    let name = name.trim_end_matches('/').to_ascii_lowercase();
    Ok(Asked { exchange, name, action, token, id, key, upgrade })
}

impl Asked<'_> {
    fn relay(&self) -> &Relay {
        &self.exchange.front.relay
    }

    fn allowed(&self, right: Right) -> Result<(), Refused> {
        let world = &self.exchange.front.world;
        if world.relay.allows(&self.token, &self.name, right, world.clock.wall()) {
            return Ok(());
        }
        let text = "The token is missing, has expired, or is for something else.";
        Err(Refused::of(StatusCode::UNAUTHORIZED, "Unauthorized", text))
    }

    fn note(&self, event: &'static str) {
        let entry = Entry::new("relay", event).fact("hybridConnection", self.name.as_str());
        self.exchange.front.world.journal.record(entry);
    }

    fn switching(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&accept_key(self.key)) {
            headers.insert("sec-websocket-accept", accept);
        }
        response
    }

    fn listen(self) -> Result<Response, Refused> {
        self.allowed(Right::Listen)?;
        self.note("listener");
        let (sender, senders) = mpsc::unbounded_channel();
        self.relay().state().listeners.insert(self.name.clone(), sender.clone());
        let (response, relay, name) = (self.switching(), self.relay().clone(), self.name.clone());
        let state = relay.state.clone();
        let upgrade = self.upgrade;
        relay.spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                announce(served(upgraded).await, senders).await;
            }
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.listeners.get(&name).is_some_and(|own| own.same_channel(&sender)) {
                state.listeners.remove(&name);
            }
        });
        Ok(response)
    }

    fn accept(self) -> Result<Response, Refused> {
        let waiting = self.relay().state().waiting.remove(&self.id);
        let Some(waiting) = waiting else {
            let text = "No sender of this id waits.";
            return Err(Refused::of(StatusCode::NOT_FOUND, "EndpointNotFound", text));
        };
        let response = self.switching();
        let upgrade = self.upgrade;
        self.exchange.front.relay.spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                // A sender that has gone away meanwhile drops it.
                let _ = waiting.send(served(upgraded).await);
            }
        });
        Ok(response)
    }

    async fn connect(self) -> Result<Response, Refused> {
        self.allowed(Right::Send)?;
        let nobody = || {
            let text = "There are no listeners connected for the endpoint.";
            Refused::of(StatusCode::NOT_FOUND, "EndpointNotFound", text)
        };
        let randomless =
            |_| Refused::of(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "No randomness.");
        let id = keys::secret("relay/sender").map_err(randomless)?;
        let address = format!(
            "wss://{RELAY}{RELAY_SUFFIX}{RELAY_PATH}{}?sb-hc-action={}&{RELAY_ID}={id}",
            self.name,
            RelayAction::Accept.as_str()
        );
        let (taken, take) = oneshot::channel();
        {
            let mut state = self.relay().state();
            let listener = state.listeners.get(&self.name).ok_or_else(nobody)?;
            listener.send(Accept { address, id: id.clone() }).map_err(|_| nobody())?;
            state.waiting.insert(id.clone(), taken);
        }
        let listener = self.exchange.front.world.clock.wall_timeout(RENDEZVOUS, take).await;
        self.relay().state().waiting.remove(&id);
        let Ok(Ok(listener)) = listener else {
            let text = "The listener did not take the connection.";
            return Err(Refused::of(StatusCode::BAD_GATEWAY, "BadGateway", text));
        };
        self.note("joined");
        let response = self.switching();
        let upgrade = self.upgrade;
        self.exchange.front.relay.spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                join(served(upgraded).await, listener).await;
            }
        });
        Ok(response)
    }
}

/// Tells a listener of senders until it goes away.
async fn announce(listener: WebSocket, mut senders: mpsc::UnboundedReceiver<Accept>) {
    let (mut out, mut from) = listener.split();
    loop {
        tokio::select! {
            Some(accept) = senders.recv() => {
                let Ok(text) = serde_json::to_string(&Rendezvous { accept }) else { continue };
                if out.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            said = from.next() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Pings are answered when the next message is sent, or here.
                Some(Ok(_)) => if out.flush().await.is_err() {
                    return;
                },
            },
        }
    }
}
