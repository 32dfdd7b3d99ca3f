//! One connection to a forward proxy: CONNECT is served here, on the bare connection; other requests by [`super::exchange`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use sim_core::faults::Line;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::head::{self, Head, NoHead};
use super::shared::{Shared, Target, Verdict};
use super::{ProxyConfig, exchange, inside, sni};
use crate::host::split;
use crate::leg::{Leg, Rewound};
use crate::pass::pass;
use crate::reply::Reply;

/// How long a client may take to say what it wants, and to read that it does not get it (wall time).
const PATIENCE: Duration = Duration::from_secs(60);
const PARTING: Duration = Duration::from_secs(5);

/// How a connection goes on once its target is known.
enum Next {
    /// Nothing is left to do.
    Done,
    /// Bytes pass, as they are.
    Tunnel { client: Leg, target: Leg, early: Vec<u8>, line: Option<Line> },
}

pub(super) async fn serve(shared: Arc<Shared>, client: Leg) -> io::Result<()> {
    // What the beginning needs is given back before the tunnel, which may last for days.
    match Box::pin(begin(&shared, client)).await? {
        Next::Done => Ok(()),
        Next::Tunnel { client, target, early, line } => {
            let idle = shared.config().limits.idle.map(|span| span.0);
            pass(&shared.wires, client, target, &early, line, idle).await
        }
    }
}

async fn begin(shared: &Arc<Shared>, mut client: Leg) -> io::Result<Next> {
    let mut buffer = BytesMut::with_capacity(1024);
    loop {
        let config = shared.config();
        let reading = head::read(&mut client, &mut buffer, config.limits.header_bytes);
        let head = match shared.wires.clock.wall_timeout(PATIENCE, reading).await {
            Ok(Ok(head)) => head,
            Ok(Err(NoHead::Refused(reply))) => {
                tracing::debug!(status = %reply.status, "a request cannot be read");
                return say(shared, &config, client, &reply).await;
            }
            Ok(Err(NoHead::Gone(error))) => return Err(error),
            Err(_) => return Ok(Next::Done),
        };
        if head.method != "CONNECT" {
            let client = Rewound::new(buffer.freeze(), client);
            exchange::serve(shared, client).await?;
            return Ok(Next::Done);
        }
        buffer.advance(head.length);
        let Some((host, port)) = target_of(&head.target) else {
            let reply = Reply::bad_request(&format!("'{}' is not HOST:PORT.", head.target));
            return say(shared, &config, client, &reply).await;
        };
        let target = Target { method: "CONNECT", host: &host, port };
        match shared.decide(&config, target, head.authorization.as_deref()).await {
            Verdict::Go(line) => return go(shared, &config, client, &head, target, buffer, line).await,
            Verdict::Reset => {
                client.reset();
                return Ok(Next::Done);
            }
            Verdict::Answer(reply) if keeps(&config, &head, &reply) => {
                client.write_all(&reply.bytes_as("HTTP/1.1", true)).await?;
            }
            Verdict::Answer(reply) => return say(shared, &config, client, &reply).await,
        }
    }
}

/// Whoever is asked for a password answers on the same connection, if both sides can.
fn keeps(config: &ProxyConfig, head: &Head, reply: &Reply) -> bool {
    reply.status == http::StatusCode::PROXY_AUTHENTICATION_REQUIRED && !head.http10 && !config.limits.http10
}

fn version(config: &ProxyConfig) -> &'static str {
    if config.limits.http10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

fn target_of(target: &str) -> Option<(String, u16)> {
    let (host, port) = split(target);
    let port = port?.parse().ok().filter(|port| *port != 0)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    (!host.is_empty() && host.chars().all(plain)).then(|| (host.to_ascii_lowercase(), port))
}

/// Lets a CONNECT through.
async fn go(
    shared: &Arc<Shared>,
    config: &Arc<ProxyConfig>,
    mut client: Leg,
    head: &Head,
    target: Target<'_>,
    early: BytesMut,
    line: Option<Line>,
) -> io::Result<Next> {
    let established = format!("{} 200 Connection established\r\n\r\n", version(config));
    if inside::is_meant(config, target.host, target.port) {
        client.write_all(established.as_bytes()).await?;
        let client = Rewound::new(early.freeze(), client);
        inside::serve(shared, client, target, line).await?;
        return Ok(Next::Done);
    }
    let through = match shared.open(config, "http", target).await {
        Ok(stream) => Leg::Other(stream),
        Err(reply) => return say(shared, config, client, &reply).await,
    };
    let busy = shared.wires.clock.busy();
    shared.record(config, "tunnel", target, if head.http10 { "HTTP/1.0" } else { "" });
    client.write_all(established.as_bytes()).await?;
    drop(busy);
    let mut early = early.to_vec();
    if sni::is_looked_at(config) {
        let said = shared.wires.clock.wall_timeout(PATIENCE, sni::read(&mut client, &mut early)).await;
        let name = match said {
            Ok(name) => name?,
            Err(_) => return Ok(Next::Done),
        };
        if !sni::admits(config, name.as_deref()) {
            shared.record(config, "denied", target, &format!("server name '{}'", name.unwrap_or_default()));
            client.reset();
            return Ok(Next::Done);
        }
    }
    Ok(Next::Tunnel { client, target: through, early, line })
}

/// Says no, and leaves the client a moment to read it before the connection ends.
async fn say(shared: &Shared, config: &ProxyConfig, mut client: Leg, reply: &Reply) -> io::Result<Next> {
    let parting = async {
        client.write_all(&reply.bytes_as(version(config), false)).await?;
        client.shutdown().await?;
        // Whatever the client still sends is read, or the system would discard the answer with a reset.
        let mut rest = [0u8; 1024];
        while client.read(&mut rest).await? > 0 {}
        Ok(())
    };
    match shared.wires.clock.wall_timeout(PARTING, parting).await {
        Ok(ended) => ended.map(|()| Next::Done),
        Err(_) => Ok(Next::Done),
    }
}
