//! TLS: one listener for every host name, HTTP/2 and HTTP/1.1. Plain HTTP is told apart by its first byte; only a machine's own
//! services are served that way.
//!
//! Handshakes run beside the accept loop, so that a client that never finishes one keeps nobody waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use sim_core::clock::Clock;
use sim_core::net::stopped;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Front;
use super::faults::Cut;

/// How long a handshake may take, in wall time.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long open connections may finish what they do when the server stops, in wall time.
const DRAIN: Duration = Duration::from_millis(250);

/// How long to wait after a failed accept (out of file descriptors, mostly), in wall time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often a connection is looked at, in wall time. One on which nothing was asked or answered since the last look is closed: that
/// is what becomes of clients that never finish a request's head.
const IDLE: Duration = Duration::from_secs(120);

/// Bodies of up to this many bytes leave at once.
const AT_ONCE: u64 = 64 * 1024;

/// Marks requests that came in plain HTTP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain;

/// The first byte of a TLS handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// What happens on one connection. Counting is all that a request costs; a timer for each would be dear.
#[derive(Debug, Default)]
struct Traffic {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Traffic {
    fn begin(self: &Arc<Self>) -> Underway {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Underway(self.clone())
    }

    /// Requests begun so far; `None` while one is under way.
    fn settled(&self) -> Option<u64> {
        let begun = self.begun.load(Ordering::Relaxed);
        (self.ended.load(Ordering::Relaxed) == begun).then_some(begun)
    }
}

struct Underway(Arc<Traffic>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a client sends. Most send nothing, which costs nothing then.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}

/// Keeps a request under way until its body is sent, if that takes more than a moment.
fn hold(response: Response, underway: Underway) -> Response {
    if response.body().size_hint().exact().is_some_and(|size| size <= AT_ONCE) {
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _underway = &underway;
            frame
        }))
    })
}

/// Returns when `traffic` has stood still for a while.
async fn idle(clock: &Clock, traffic: &Traffic) {
    let mut last = None;
    loop {
        let seen = traffic.settled();
        if seen.is_some() && seen == last {
            return;
        }
        last = seen;
        clock.wall_sleep(IDLE).await;
    }
}

/// A connection that a fault cut.
#[derive(Debug, thiserror::Error)]
#[error("cut by a fault rule")]
struct Severed;

/// Serves `front` on `listener` until `stop` says so; then waits a moment for what is under way.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    front: Arc<Front>,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                let (acceptor, front) = (acceptor.clone(), front.clone());
                connections.spawn(connection(socket, acceptor, front, clock.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                clock.wall_sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // Who is not done by then is cut when the set is dropped.
    let _ = clock.wall_timeout(DRAIN, drained).await;
}

async fn connection(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    front: Arc<Front>,
    clock: Clock,
    stop: watch::Receiver<bool>,
) {
    let _ = socket.set_nodelay(true);
    let mut first = [0];
    match clock.wall_timeout(HANDSHAKE, socket.peek(&mut first)).await {
        Ok(Ok(1..)) if first != [HANDSHAKE_RECORD] => {
            return exchange(socket, true, front, clock, stop).await;
        }
        Ok(Ok(1..)) => {}
        _ => return tracing::debug!("nothing came over a connection"),
    }
    let stream = match clock.wall_timeout(HANDSHAKE, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return tracing::debug!("TLS handshake timed out"),
    };
    exchange(stream, false, front, clock, stop).await;
}

/// Serves the requests of one connection.
async fn exchange<S>(stream: S, plain: bool, front: Arc<Front>, clock: Clock, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let traffic = Arc::new(Traffic::default());
    let requests = traffic.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(body);
        if plain {
            request.extensions_mut().insert(Plain);
        }
        let (front, underway) = (front.clone(), requests.begin());
        async move {
            let response = front.answer(request).await;
            if response.extensions().get::<Cut>().is_some() {
                Err(Severed)
            } else {
                Ok(hold(response, underway))
            }
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
        () = idle(&clock, &traffic) => return tracing::debug!("closed an idle connection"),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
