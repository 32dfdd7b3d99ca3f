//! One connection to the gateway: CONNECT is served here, on the bare socket; everything else by [`crate::plain`].

use std::io;
use std::sync::Arc;

use sim_core::faults::{Effect, Hook};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional_with_sizes,
};
use tokio::net::TcpStream;

use crate::host::split;
use crate::plain;
use crate::reply::Reply;
use crate::route::{Decision, Router, Target};

/// The largest head of a CONNECT request.
const HEAD_LIMIT: usize = 64 << 10;
/// How much is copied at a time.
const CHUNK: usize = 16 << 10;
/// The most headers a CONNECT request may have.
const HEADERS: usize = 64;

/// What the fault rules leave of a connection or request.
pub(crate) enum Struck {
    /// It goes on, perhaps later.
    GoOn,
    /// It is answered.
    Answer(Reply),
    /// It is reset.
    Reset,
}

/// Asks the `wire` hook, and waits where it says so.
pub(crate) async fn strike(
    router: &Router,
    method: &str,
    host: &str,
    port: u16,
    decision: Decision,
) -> Struck {
    let number = port.to_string();
    let facts = [("host", host), ("port", number.as_str()), ("method", method), ("route", decision.name())];
    match router.faults.wait_out(router.faults.strike(Hook::Wire, &facts)).await {
        None => Struck::GoOn,
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
    match strike(router, "CONNECT", &host, port, decision).await {
        Struck::GoOn => {}
        Struck::Answer(reply) => return answer(stream, &reply).await,
        Struck::Reset => {
            reset(stream);
            return Ok(());
        }
    }
    if decision == Decision::Refused {
        router.record("unrouted", "CONNECT", &host, port, None);
        return answer(stream, &Reply::unrouted(&host, port)).await;
    }
    let busy = router.clock.busy();
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
    match target {
        Target::Tcp(mut target) => {
            let ended = relay(&mut stream, &mut target, &early).await;
            if was_reset(&ended) {
                reset(stream);
                reset(target);
            }
            ended
        }
        Target::Stream(mut target) => relay(&mut stream, &mut target, &early).await,
    }
}

fn was_reset(ended: &io::Result<()>) -> bool {
    matches!(ended, Err(error) if error.kind() == io::ErrorKind::ConnectionReset)
}

/// Copies both ways until both have ended. The end of one direction is passed on and leaves the other open.
async fn relay<T>(client: &mut TcpStream, target: &mut T, early: &[u8]) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    target.write_all(early).await?;
    copy_bidirectional_with_sizes(client, target, CHUNK, CHUNK).await.map(|_| ())
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
