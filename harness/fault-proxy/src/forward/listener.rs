//! Where a forward proxy listens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use sim_core::net::accept;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::ProxyError;
use super::session;
use super::shared::Shared;
use crate::leg::Leg;
use crate::reply::Reply;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// A bound port.
pub(super) struct Listener {
    inner: TcpListener,
    pub(super) address: SocketAddr,
}

impl Listener {
    pub(super) async fn bind(address: SocketAddr) -> Result<Self, ProxyError> {
        let taken = |source| ProxyError::Listen { address, source };
        let inner = TcpListener::bind(address).await.map_err(taken)?;
        let address = inner.local_addr().map_err(taken)?;
        Ok(Self { inner, address })
    }

    /// Serves until asked to stop. `open` counts the connections of all listeners of a proxy.
    pub(super) fn serve(
        self,
        shared: Arc<Shared>,
        tls: Option<Arc<ServerConfig>>,
        open: Arc<Semaphore>,
        stopped: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let acceptor = tls.map(TlsAcceptor::from);
        tokio::spawn(admit(self.inner, shared, acceptor, open, stopped))
    }
}

async fn admit(
    listener: TcpListener,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    open: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
) {
    let begin = |stream| {
        let taken = Semaphore::MAX_PERMITS - open.available_permits();
        let full = shared.config().limits.connections.is_some_and(|most| taken >= most);
        let permit = open.clone().try_acquire_owned().ok().filter(|_| !full);
        let (shared, tls) = (shared.clone(), tls.clone());
        async move {
            match permit {
                Some(_permit) => begin(shared, tls, stream).await,
                None => turn_away(stream).await,
            }
        }
    };
    accept("the proxy", listener, &shared.wires.clock, stopped, begin).await;
    shared.abandon();
}

async fn begin(shared: Arc<Shared>, tls: Option<TlsAcceptor>, stream: TcpStream) {
    // Only latency suffers without it.
    let _ = stream.set_nodelay(true);
    let client = match tls {
        None => Leg::Tcp(stream),
        Some(acceptor) => {
            let shaken = shared.wires.clock.wall_timeout(HANDSHAKE, Box::pin(acceptor.accept(stream))).await;
            match shaken {
                Ok(Ok(stream)) => Leg::Tls(Box::new(stream)),
                Ok(Err(error)) => return tracing::debug!(%error, "a client does not take the certificate"),
                Err(_) => return,
            }
        }
    };
    if let Err(error) = session::serve(shared, client).await {
        tracing::debug!(%error, "a connection of the proxy ended early");
    }
}

/// There are too many already.
async fn turn_away(mut stream: TcpStream) {
    let text = "This proxy has as many connections as it takes.\n";
    let reply = Reply::new(http::StatusCode::SERVICE_UNAVAILABLE, text.into());
    // Who does not read it learns it from the end of the connection.
    let _ = stream.write_all(&reply.bytes()).await;
    let _ = stream.shutdown().await;
}
