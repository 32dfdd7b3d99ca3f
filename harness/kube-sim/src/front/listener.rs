//! The TLS listener: handshakes happen off the accept loop, so that a slow client holds up nobody.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use sim_core::clock::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Server, handle, stopped};
use crate::api::Caller;
use crate::auth::caller_of_certificate;

/// How long a client may take for its handshake, in wall time.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A listener that is bound but does not answer yet.
#[derive(Debug)]
pub(crate) struct Listening {
    listener: TcpListener,
    /// Where it is bound.
    pub(crate) address: SocketAddr,
}

impl Listening {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }
}

/// Answers requests until the server is told to stop; then ends every connection.
pub(crate) fn serve(listening: Listening, tls: Arc<ServerConfig>, server: Arc<Server>) -> JoinHandle<()> {
    let acceptor = TlsAcceptor::from(tls);
    let mut stop = server.stop.clone();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listening.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, acceptor.clone(), server.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the API server could not accept a connection");
                        server.api.clock().wall_sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = stopped(&mut stop) => break,
            }
        }
        drain(connections, server.api.clock()).await;
    })
}

/// Lets answers under way come to their end, for a moment.
async fn drain(mut connections: JoinSet<()>, clock: &Clock) {
    let ended = async { while connections.join_next().await.is_some() {} };
    if clock.wall_timeout(Duration::from_millis(500), ended).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, server: Arc<Server>) {
    // Small frames of watches must not wait for each other.
    let _ = stream.set_nodelay(true);
    let clock = server.api.clock().clone();
    let stream = match clock.wall_timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
        Err(_) => return,
    };
    let peer = peer(&stream);
    let mut stop = server.stop.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (server, peer) = (server.clone(), peer.clone());
        async move { Ok::<_, Infallible>(handle(&server, peer, request.map(Body::new)).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the API server broke");
            }
            return;
        }
        () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    // Whatever goes wrong now is the end that was wanted.
    let _ = connection.await;
}

fn peer(stream: &TlsStream<TcpStream>) -> Option<Caller> {
    let (_, session) = stream.get_ref();
    caller_of_certificate(session.peer_certificates()?.first()?)
}
