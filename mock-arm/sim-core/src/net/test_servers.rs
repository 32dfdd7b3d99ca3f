//! Servers for the tests of this module: an origin that says what it saw, and a forward proxy that records.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Stream;
use crate::clock::Clock;
use crate::pki::{Authority, Constraints, Subject};

pub(super) type Seen = Arc<Mutex<Vec<String>>>;

pub(super) fn authority() -> Authority {
    let now: Timestamp = Clock::running(1.0).wall();
    Authority::new("test root", &Constraints::default(), now).unwrap()
}

/// Listens on loopback and answers every request with `answer`, within TLS if an acceptor is given.
async fn listen<F>(tls: Option<TlsAcceptor>, answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, answer) = (tls.clone(), answer.clone());
            tokio::spawn(async move {
                let stream: Stream = match tls {
                    None => Box::new(stream),
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => return,
                    },
                };
                let service =
                    service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(request))));
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades()
                    .await;
            });
        }
    });
    address
}

fn acceptor(authority: &Authority, names: &[&str], clients: bool) -> TlsAcceptor {
    let leaf = authority.issue(&Subject::server(names.iter().copied())).unwrap();
    let config = if clients {
        leaf.server_config_with_clients(authority, false).unwrap()
    } else {
        leaf.server_config(false).unwrap()
    };
    TlsAcceptor::from(config)
}

fn echo(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let host = request.headers().get("host").map(|host| host.to_str().unwrap()).unwrap_or_default();
    Response::new(Full::from(format!("{} {} {host}", request.method(), request.uri())))
}

/// An HTTPS origin under `names`; the reply's body is `METHOD URI HOST`.
pub(super) async fn origin(authority: &Authority, names: &[&str]) -> SocketAddr {
    listen(Some(acceptor(authority, names, false)), |request| echo(&request)).await
}

/// As [`origin`], asking for a client certificate.
pub(super) async fn origin_with_clients(authority: &Authority, names: &[&str]) -> SocketAddr {
    listen(Some(acceptor(authority, names, true)), |request| echo(&request)).await
}

/// A forward proxy that tunnels every CONNECT to `target`, answers other requests itself, and records what it was asked.
pub(super) async fn proxy(target: SocketAddr, tls: Option<(&Authority, &[&str])>) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let record = seen.clone();
    let tls = tls.map(|(authority, names)| acceptor(authority, names, false));
    let address = listen(tls, move |request| {
        let authorization =
            request.headers().get("proxy-authorization").map(|value| value.to_str().unwrap().to_owned());
        let line = format!("{} {} {}", request.method(), request.uri(), authorization.unwrap_or_default());
        record.lock().unwrap().push(line.trim_end().to_owned());
        if request.method() != Method::CONNECT {
            return echo(&request);
        }
        tokio::spawn(async move {
            let mut client = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
            let mut server = TcpStream::connect(target).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
        Response::new(Full::default())
    })
    .await;
    (address, seen)
}

/// A proxy that refuses everything with this status.
pub(super) async fn refusing_proxy(status: StatusCode, text: &'static str) -> SocketAddr {
    listen(None, move |_| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
    })
    .await
}
