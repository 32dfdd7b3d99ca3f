//! Connections that outlive their request: commands in containers, and ports of pods.
//!
//! Clients ask for a websocket first (`v5.channel.k8s.io` for commands, SPDY within a websocket for ports) and for bare
//! `SPDY/3.1` otherwise; both are answered. Who attaches gets what the container writes;
//! its input is nobody's, so that attaching to that is refused by name.

mod channels;
mod exec;
mod forward;
mod remote;
mod spdy;
mod tunnel;
mod upgrade;

use axum::response::Response;
use http::HeaderMap;
use hyper::upgrade::OnUpgrade;
use sim_core::clock::Clock;
use tokio::sync::mpsc;

use self::upgrade::Kind;
use crate::status::Status;

pub(crate) use self::exec::{Ask, Source};
pub(crate) use self::forward::Pod;

/// How many streams wait to be looked at.
const QUEUE: usize = 16;

/// What a request brings along.
#[derive(Debug)]
pub(crate) struct Connection<'a> {
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
    /// The connection, once the answer is sent.
    pub(crate) upgrade: Option<OnUpgrade>,
    /// Wall time, for clients that open only some of the streams that they promised.
    pub(crate) clock: Clock,
}

impl Connection<'_> {
    fn taken(&self) -> Result<OnUpgrade, Status> {
        self.upgrade.clone().ok_or_else(|| Status::bad_request("Upgrade request required"))
    }
}

/// Runs a command in a container, or follows what it writes, over the connection of this request. Where there is no such container, the client is
/// told so over the connection, as by a real kubelet.
///
/// # Errors
/// 400 when the client asks for no upgrade that is known.
pub(crate) fn run_command(
    connection: &Connection<'_>,
    source: Source,
    ask: Ask,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> Result<Response, Status> {
    let agreed = upgrade::agree(connection.headers, &channels::PROTOCOLS, &remote::PROTOCOLS)?;
    let (upgrade, clock) = (connection.taken()?, connection.clock.clone());
    tokio::spawn(async move {
        let work = async {
            let Ok(connection) = upgrade.await else { return };
            match agreed.kind {
                Kind::WebSocket => channels::serve(connection, source, ask).await,
                Kind::Spdy => remote::serve(connection, source, ask, &clock).await,
            }
        };
        tokio::select! {
            () = work => {}
            () = stopped => {}
        }
    });
    Ok(agreed.response)
}

/// Connects a client with ports of a pod, over the connection of this request.
///
/// # Errors
/// 400 when the client asks for no upgrade that is known.
pub(crate) fn forward_ports(
    connection: &Connection<'_>,
    pod: Pod,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> Result<Response, Status> {
    let agreed = upgrade::agree(connection.headers, &[forward::TUNNELLED], &[forward::PROTOCOL])?;
    let upgrade = connection.taken()?;
    tokio::spawn(async move {
        let work = async {
            let Ok(connection) = upgrade.await else { return };
            let (opened, streams) = mpsc::channel(QUEUE);
            let serving = forward::serve(streams, pod);
            match agreed.kind {
                Kind::WebSocket => {
                    let (near, carry) = tunnel::open(connection);
                    tokio::join!(carry, spdy::serve(near, opened), serving);
                }
                Kind::Spdy => {
                    let near = hyper_util::rt::TokioIo::new(connection);
                    tokio::join!(spdy::serve(near, opened), serving);
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stopped => {}
        }
    });
    Ok(agreed.response)
}
