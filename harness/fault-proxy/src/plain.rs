//! Plain HTTP requests in absolute form, forwarded one by one.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, UPGRADE};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sim_core::faults::Line;
use tokio::net::TcpStream;

use crate::connection::{Asking, HOP, Struck, reset, strike};
use crate::reply::Reply;
use crate::route::{Decision, Router, Target};
use crate::shape::Shaped;

/// The largest body of a request to an allowed host.
const BODY_LIMIT: usize = 64 << 20;

/// Headers that are between a client and its proxy only.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(crate) type Body = BoxBody<Bytes, hyper::Error>;

/// A fault rule resets the connection.
#[derive(Debug, thiserror::Error)]
#[error("reset by a fault rule")]
struct Reset;

pub(crate) async fn serve(stream: TcpStream, router: Arc<Router>) -> io::Result<()> {
    let resets = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        let (router, resets) = (router.clone(), resets.clone());
        Box::pin(async move {
            handle(&router, request).await.inspect_err(|_| resets.store(true, Ordering::Relaxed))
        })
    });
    let mut connection = server::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    if resets.load(Ordering::Relaxed) {
        reset(stream);
        return Ok(());
    }
    ended.map_err(io::Error::other)
}

async fn handle(router: &Router, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
    let Some((host, port)) = target(request.uri()) else {
        return Ok(response(&Reply::bad_request("The request names no absolute http:// URL.")));
    };
    let method = request.method().clone();
    let decision = router.decide(&host, port);
    let asking = Asking { hop: HOP, method: method.as_str(), host: &host, port, route: decision.name() };
    let line = match strike(&router.faults, &asking).await {
        Struck::GoOn(line) => line,
        Struck::Answer(reply) => return Ok(response(&reply)),
        Struck::Reset => return Err(Reset),
    };
    if decision == Decision::Refused {
        router.record("unrouted", method.as_str(), &host, port, None);
        return Ok(response(&Reply::unrouted(&host, port)));
    }
    if request.headers().contains_key(UPGRADE) {
        return Ok(response(&Reply::not_modelled("An upgrade of a plain HTTP request")));
    }
    if decision == Decision::Allowed {
        router.record("allowed", method.as_str(), &host, port, None);
    }
    let forwarded = match decision {
        Decision::Allowed if line.is_none() => forward_outside(router, request).await,
        _ => forward(router, decision, request, &host, port, line).await,
    };
    Ok(forwarded.unwrap_or_else(|reply| {
        router.record("unreachable", method.as_str(), &host, port, Some(reply.text.trim().to_owned()));
        response(&reply)
    }))
}

/// Host and port of an absolute `http://` URL.
pub(crate) fn target(uri: &Uri) -> Option<(String, u16)> {
    let scheme = uri.scheme_str()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    (scheme == "http" && !host.is_empty()).then(|| (host, uri.port_u16().unwrap_or(80)))
}

/// Towards this machine: the bodies stream through.
async fn forward(
    router: &Router,
    decision: Decision,
    request: Request<Incoming>,
    host: &str,
    port: u16,
    line: Option<Line>,
) -> Result<Response<Body>, Reply> {
    let failed = |error: hyper::Error| {
        Reply::unreachable(&format!(
            "{host}:{port} did not answer in plain HTTP ({error}). Simulated hosts speak HTTPS only."
        ))
    };
    let target = router.open(decision, host, port).await.map_err(|reason| Reply::unreachable(&reason))?;
    let stream: sim_core::net::Stream = match target {
        Target::Tcp(stream) => Box::new(stream),
        Target::Stream(stream) => stream,
    };
    let stream = Shaped::new(stream, line, &router.wires.clock, &router.wires.draws);
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Ends with the exchange: the sender and the reply's body are all that keeps it.
    tokio::spawn(connection);
    let reply = sender.send_request(origin_form(request)).await.map_err(failed)?;
    Ok(returned(reply))
}

/// Towards the real network, through the upstream proxy if there is one: the request is kept whole.
async fn forward_outside(router: &Router, request: Request<Incoming>) -> Result<Response<Body>, Reply> {
    let (mut head, body) = request.into_parts();
    remove_hop_by_hop(&mut head.headers);
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| Reply::too_large())?;
    let request = Request::from_parts(head, body.to_bytes());
    let reply = router.outside.http().send_streaming(request).await;
    reply.map(returned).map_err(|error| Reply::unreachable(&error.to_string()))
}

/// The request as its target takes it: no URL but a path, and nothing that was between client and proxy only.
pub(crate) fn origin_form(mut request: Request<Incoming>) -> Request<Incoming> {
    let uri = request.uri().clone();
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let path = if *request.method() == Method::OPTIONS && path == "/" { "*" } else { path };
    // The path of a valid URI is a valid URI.
    *request.uri_mut() = path.parse().unwrap_or_default();
    remove_hop_by_hop(request.headers_mut());
    if let Some(Ok(host)) = uri.authority().map(|authority| HeaderValue::from_str(authority.as_str())) {
        request.headers_mut().insert(HOST, host);
    }
    request
}

fn returned(reply: Response<Incoming>) -> Response<Body> {
    let mut reply = reply.map(Incoming::boxed);
    remove_hop_by_hop(reply.headers_mut());
    reply
}

/// Removes what is between two ends of one connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// An answer of the proxy itself.
pub(crate) fn response(reply: &Reply) -> Response<Body> {
    let body = Full::from(reply.text.clone()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    for (name, value) in reply.headers() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
