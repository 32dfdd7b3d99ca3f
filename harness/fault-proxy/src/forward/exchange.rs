//! HTTP requests that the proxy itself reads: plain ones in absolute form, and those inside of an intercepted tunnel.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, PROXY_AUTHORIZATION, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sim_core::faults::Line;
use tokio::io::{AsyncRead, AsyncWrite};

use super::shared::{ResetFlag, Shared, Target, Verdict};
use super::{ProxyConfig, Upgrade, upgraded};
use crate::leg::{Guarded, Leg, Rewound};
use crate::pass::quiet;
use crate::plain::{Body, origin_form, remove_hop_by_hop, response, target};
use crate::reply::Reply;
use crate::shape::Shaped;

/// The largest body of a plain request that goes on to another proxy.
const BODY_LIMIT: usize = 64 << 20;

/// Whose requests are read.
pub(super) struct Scope {
    /// The target of the tunnel that they are in.
    inside: Option<(String, u16)>,
    /// What happens to the tunnel's bytes.
    line: Option<Line>,
    reset: ResetFlag,
    /// The connection to the tunnel's target, while nobody uses it.
    idle: tokio::sync::Mutex<Option<SendRequest<Incoming>>>,
}

impl Scope {
    fn plain() -> Self {
        Self { inside: None, line: None, reset: Arc::default(), idle: tokio::sync::Mutex::default() }
    }

    /// The requests inside of a tunnel.
    pub(super) fn inside(target: Target<'_>, line: Option<Line>) -> Self {
        Self { inside: Some((target.host.to_owned(), target.port)), line, ..Self::plain() }
    }

    /// A client's connection that ends with a reset if something here says so.
    pub(super) fn guarded(&self, client: Rewound<Leg>) -> Guarded {
        Guarded::new(client, self.reset.clone())
    }
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("reset by a fault rule")]
    Reset,
    #[error("ended by a fault rule")]
    Ended,
}

/// Serves plain requests until the client or the proxy ends.
pub(super) async fn serve(shared: &Arc<Shared>, client: Rewound<Leg>) -> io::Result<()> {
    let scope = Scope::plain();
    let client = scope.guarded(client);
    within(shared, client, scope).await
}

/// Serves the requests of one connection.
pub(super) async fn within<S>(shared: &Arc<Shared>, stream: S, scope: Scope) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (scope, counted) = (Arc::new(scope), AtomicU64::new(0));
    let limits = shared.config().limits.clone();
    let service = service_fn(|request| {
        let (shared, scope) = (shared.clone(), scope.clone());
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let handled = handle(&shared, &scope, request).await;
            if matches!(handled, Err(Broken::Reset)) {
                scope.reset.store(true, Ordering::Relaxed);
            }
            handled
        })
    });
    let mut builder = server::Builder::new();
    builder.keep_alive(!limits.http10).max_buf_size(limits.header_bytes.max(8192));
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let ended = async { connection.await.map_err(io::Error::other) };
    match limits.idle {
        None => ended.await,
        Some(idle) => tokio::select! {
            ended = ended => ended,
            () = quiet(&shared.wires.clock, idle.0, &counted) => Ok(()),
        },
    }
}

async fn handle(
    shared: &Arc<Shared>,
    scope: &Scope,
    request: Request<Incoming>,
) -> Result<Response<Body>, Broken> {
    let config = shared.config();
    let mut answered = match exchange(shared, &config, scope, request).await {
        Ok(answered) => answered,
        Err(Failed::Broken(broken)) => return Err(broken),
        Err(Failed::Reply(reply)) => {
            let mut answered = response(&reply);
            if reply.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED && !config.limits.http10 {
                // Whoever is asked for a password answers on the same connection.
                answered.headers_mut().remove(CONNECTION);
            }
            answered
        }
    };
    if config.limits.http10 {
        *answered.version_mut() = Version::HTTP_10;
        answered.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answered)
}

/// No answer of the target's.
enum Failed {
    Reply(Reply),
    Broken(Broken),
}

impl From<Reply> for Failed {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

async fn exchange(
    shared: &Arc<Shared>,
    config: &Arc<ProxyConfig>,
    scope: &Scope,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Failed> {
    let method = request.method().clone();
    let (host, port) = match &scope.inside {
        Some(tunnel) => tunnel.clone(),
        None => target(request.uri()).ok_or_else(|| {
            Reply::bad_request("The request names no absolute http:// URL, or comes too late for a CONNECT.")
        })?,
    };
    let wanted = Target { method: method.as_str(), host: &host, port };
    let verdict = match &scope.inside {
        Some(_) => shared.strike(config, wanted, "intercepted").await,
        None => {
            let given = request.headers().get(PROXY_AUTHORIZATION).and_then(|value| value.to_str().ok());
            shared.decide(config, wanted, given).await
        }
    };
    let line = match verdict {
        Verdict::Go(line) => line,
        Verdict::Answer(reply) => return Err(reply.into()),
        Verdict::Reset => return Err(Failed::Broken(Broken::Reset)),
    };
    if line.is_some() {
        // It happens to a connection of its own.
        scope.idle.lock().await.take();
    }
    let line = line.or(scope.line);
    if config.limits.http10 && request.headers().contains_key(TRANSFER_ENCODING) {
        let text = "This proxy speaks HTTP/1.0, which has no chunks: send a Content-Length.\n";
        return Err(Reply::new(StatusCode::LENGTH_REQUIRED, text.into()).into());
    }
    if scope.inside.is_none() {
        mark(shared, config, &mut request)?;
    }
    shared.record(config, "request", wanted, "");
    if let Some(protocol) = request.headers().get(UPGRADE).cloned() {
        match config.websockets.upgrade {
            Upgrade::Refuse => {
                let text = "This proxy lets no connection be upgraded.\n";
                return Err(Reply::new(StatusCode::FORBIDDEN, text.into()).into());
            }
            Upgrade::Pass | Upgrade::Buffer if !config.limits.http10 => {
                return upgrade(shared, config, scope, (wanted, line), request, protocol).await;
            }
            _ => {}
        }
    }
    let through_another =
        scope.inside.is_none() && line.is_none() && shared.outside.proxy_for("http", &host, port).is_some();
    if through_another {
        return by_proxy(shared, request).await;
    }
    let (answer, sender) = send(shared, config, scope, wanted, line, origin_form(request)).await?;
    if scope.inside.is_some() {
        *scope.idle.lock().await = Some(sender);
    }
    Ok(returned(scope, line, answer))
}

/// Says in `Via` that the request came this way, and refuses one that did so before.
fn mark(shared: &Shared, config: &ProxyConfig, request: &mut Request<Incoming>) -> Result<(), Reply> {
    let port = shared.own.first().map_or(0, std::net::SocketAddr::port);
    let own = format!("{}:{port}", config.name);
    let seen = request.headers().get_all(VIA).iter().filter_map(|value| value.to_str().ok());
    if seen.flat_map(|value| value.split(',')).any(|hop| hop.split_whitespace().nth(1) == Some(own.as_str()))
    {
        let text = "The request goes round in circles: it has passed this proxy before.\n";
        return Err(Reply::new(StatusCode::FORBIDDEN, text.into()));
    }
    if let Ok(value) = HeaderValue::from_str(&format!("1.1 {own}")) {
        request.headers_mut().append(VIA, value);
    }
    Ok(())
}

/// What an answer or its failure means to the client of a connection to which something happens.
fn broken(line: Option<Line>, text: &str) -> Failed {
    match line {
        Some(Line::ResetAt { .. } | Line::Cut { .. }) => Failed::Broken(Broken::Reset),
        Some(Line::Truncate { .. }) => Failed::Broken(Broken::Ended),
        _ => Failed::Reply(Reply::unreachable(&format!("The target did not answer ({text})."))),
    }
}

/// Sends a request on its way, over the tunnel's own connection where there is one.
async fn send(
    shared: &Arc<Shared>,
    config: &ProxyConfig,
    scope: &Scope,
    wanted: Target<'_>,
    line: Option<Line>,
    mut request: Request<Incoming>,
) -> Result<(Response<Incoming>, SendRequest<Incoming>), Failed> {
    if config.limits.http10 {
        *request.version_mut() = Version::HTTP_10;
    }
    let mut kept = scope.idle.lock().await.take();
    if let Some(sender) = &mut kept
        && sender.ready().await.is_err()
    {
        kept = None;
    }
    let mut sender = match kept {
        Some(sender) => sender,
        None => {
            let scheme = if scope.inside.is_some() { "https" } else { "http" };
            let stream = shared.open(config, scheme, wanted).await?;
            let stream = Shaped::new(stream, line, &shared.wires.clock, &shared.wires.draws);
            let shaken = client::handshake(TokioIo::new(stream)).await;
            let (sender, connection) = shaken.map_err(|error| broken(line, &error.to_string()))?;
            // Ends with the exchange: the sender, the reply's body and an upgrade are all that keeps it.
            tokio::spawn(connection.with_upgrades());
            sender
        }
    };
    let answer = sender.send_request(request).await.map_err(|error| broken(line, &error.to_string()))?;
    Ok((answer, sender))
}

/// A plain request goes on to another proxy as it is, but for its body, which is read first.
async fn by_proxy(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Failed> {
    let (mut head, body) = request.into_parts();
    remove_hop_by_hop(&mut head.headers);
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| Reply::too_large())?;
    let request = Request::from_parts(head, body.to_bytes());
    let answer = shared.outside.http().send_streaming(request).await;
    let answer = answer.map_err(|error| Reply::unreachable(&error.to_string()))?;
    Ok(returned(&Scope::plain(), None, answer))
}

fn returned(scope: &Scope, line: Option<Line>, answer: Response<Incoming>) -> Response<Body> {
    let resets = matches!(line, Some(Line::ResetAt { .. } | Line::Cut { .. }));
    let flag: Arc<AtomicBool> = scope.reset.clone();
    let mut answer = answer.map(|body| {
        let noticed = move |error| {
            flag.fetch_or(resets, Ordering::Relaxed);
            error
        };
        body.map_err(noticed).boxed()
    });
    remove_hop_by_hop(answer.headers_mut());
    answer
}

/// A request that may turn its connection into something else.
async fn upgrade(
    shared: &Arc<Shared>,
    config: &Arc<ProxyConfig>,
    scope: &Scope,
    (wanted, line): (Target<'_>, Option<Line>),
    mut request: Request<Incoming>,
    protocol: HeaderValue,
) -> Result<Response<Body>, Failed> {
    let by_client = hyper::upgrade::on(&mut request);
    let mut request = origin_form(request);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    request.headers_mut().insert(UPGRADE, protocol);
    let (mut answer, _) = send(shared, config, scope, wanted, line, request).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(returned(scope, line, answer));
    }
    shared.record(config, "upgraded", wanted, "");
    let by_target = hyper::upgrade::on(&mut answer);
    upgraded::keep(shared, config, scope.reset.clone(), by_client, by_target);
    let (head, _) = answer.into_parts();
    let empty = http_body_util::Empty::<Bytes>::new().map_err(|never| match never {});
    Ok(Response::from_parts(head, empty.boxed()))
}
