//! One connection to the gateway: CONNECT is served here, on the bare socket; everything else by [`crate::plain`].

use std::io;
use std::sync::Arc;

use sim_core::faults::{Effect, FaultSet, Hook, Line};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::host::split;
use crate::leg::Leg;
use crate::pass::pass;
use crate::plain;
use crate::reply::Reply;
use crate::route::{Decision, Router, Target};

/// What fault rules call the gateway.
pub(crate) const HOP: &str = "gateway";

/// The largest head of a CONNECT request.
const HEAD_LIMIT: usize = 64 << 10;
/// The most headers a CONNECT request may have.
const HEADERS: usize = 64;

/// What the fault rules leave of a connection or request.
pub(crate) enum Struck {
    /// It goes on, perhaps later; perhaps something happens to its bytes.
    GoOn(Option<Line>),
    /// It is answered.
    Answer(Reply),
    /// It is reset.
    Reset,
}

/// What a connection or plain request asks for, as fault rules see it.
pub(crate) struct Asking<'a> {
    /// Which proxy it is at.
    pub(crate) hop: &'a str,
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// What was decided about it.
    pub(crate) route: &'a str,
}

/// Asks the `wire` hook, and waits where it says so.
pub(crate) async fn strike(faults: &FaultSet, asking: &Asking<'_>) -> Struck {
    if faults.is_empty() {
        return Struck::GoOn(None);
    }
    let &Asking { hop, method, host, port, route } = asking;
    let number = port.to_string();
    let facts =
        [("host", host), ("port", number.as_str()), ("method", method), ("route", route), ("hop", hop)];
    match faults.wait_out(faults.strike(Hook::Wire, &facts)).await {
        None => Struck::GoOn(None),
        Some(Effect::Line(line)) => Struck::GoOn(Some(line)),
        Some(Effect::Reset) => Struck::Reset,
        Some(Effect::Refuse) => Struck::Answer(Reply::refused_by_rule(host, port)),
        Some(Effect::Respond { status, code, message, retry_after }) => {
            Struck::Answer(Reply::by_rule(status, &code, &message, retry_after))
        }
        Some(_) => Struck::Answer(Reply::no_such_effect()),
    }
}

/// Makes the system send a reset instead of an orderly end when `stream` is dropped.
pub(crate) fn reset(stream: TcpStream) {
    // If it cannot be set the peer sees an orderly end instead.
    let _ = stream.set_zero_linger();
    drop(stream);
}

pub(crate) async fn serve(stream: TcpStream, router: Arc<Router>) {
    // Only latency suffers without it.
    let _ = stream.set_nodelay(true);
    let served = if is_connect(&stream).await {
        tunnel(stream, &router).await
    } else {
        plain::serve(stream, router).await
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the gateway ended early");
    }
}

/// Whether the client begins with CONNECT; looks without taking. Among HTTP's own methods only that one begins with C.
async fn is_connect(stream: &TcpStream) -> bool {
    let mut first = [0u8];
    matches!(stream.peek(&mut first).await, Ok(1)) && first == *b"C"
}

/// A CONNECT request and what came behind it.
struct Asked {
    host: String,
    port: u16,
    early: Vec<u8>,
}

async fn tunnel(mut stream: TcpStream, router: &Router) -> io::Result<()> {
    let Asked { host, port, early } = match read_connect(&mut stream).await? {
        Ok(asked) => asked,
        Err(reply) => return answer(stream, &reply).await,
    };
    let decision = router.decide(&host, port);
    let asking = Asking { hop: HOP, method: "CONNECT", host: &host, port, route: decision.name() };
    let line = match strike(&router.faults, &asking).await {
        Struck::GoOn(line) => line,
        Struck::Answer(reply) => return answer(stream, &reply).await,
        Struck::Reset => {
            reset(stream);
            return Ok(());
        }
    };
    if decision == Decision::Refused {
        router.record("unrouted", "CONNECT", &host, port, None);
        return answer(stream, &Reply::unrouted(&host, port)).await;
    }
    let busy = router.wires.clock.busy();
    let target = match router.open(decision, &host, port).await {
        Ok(target) => target,
        Err(reason) => {
            router.record("unreachable", "CONNECT", &host, port, Some(reason.clone()));
            return answer(stream, &Reply::unreachable(&reason)).await;
        }
    };
    if decision == Decision::Allowed {
        router.record("allowed", "CONNECT", &host, port, None);
    }
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    drop(busy);
    let target = match target {
        Target::Tcp(target) => Leg::Tcp(target),
        Target::Stream(target) => Leg::Other(target),
    };
    pass(&router.wires, Leg::Tcp(stream), target, &early, line, None).await
}

async fn read_connect(stream: &mut TcpStream) -> io::Result<Result<Asked, Reply>> {
    let mut head = Vec::with_capacity(512);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(length)) => {
                if request.method != Some("CONNECT") {
                    return Ok(Err(Reply::not_modelled("This method")));
                }
                let path = request.path.unwrap_or_default();
                let Some((host, port)) = target(path) else {
                    return Ok(Err(Reply::bad_request(&format!("'{path}' is not HOST:PORT."))));
                };
                return Ok(Ok(Asked { host, port, early: head.split_off(length) }));
            }
            Ok(httparse::Status::Partial) if head.len() < HEAD_LIMIT => {}
            Ok(httparse::Status::Partial) => {
                return Ok(Err(Reply::bad_request("The head of the request is too large.")));
            }
            Err(error) => {
                return Ok(Err(Reply::bad_request(&format!("The request cannot be read: {error}."))));
            }
        }
    }
}

fn target(path: &str) -> Option<(String, u16)> {
    let (host, port) = split(path);
    let port = port?.parse().ok()?;
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

/// Says no, and leaves the client time to read it before the connection ends.
async fn answer(mut stream: TcpStream, reply: &Reply) -> io::Result<()> {
    stream.write_all(&reply.bytes()).await?;
    stream.shutdown().await?;
    // Whatever the client still sends is read, or the system would discard the answer with a reset.
    let mut rest = [0u8; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
