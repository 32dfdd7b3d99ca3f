//! The client's side of cluster connect: what `az connectedk8s proxy` downloads from the registry and runs.
//!
//! It serves two ports of loopback. On one the Azure CLI hands over the hybrid connection of a cluster and gets a kubeconfig back; on the
//! other it takes the user's access token and every request of `kubectl`, which it sends through the relay. Each request opens a
//! websocket of its own. The CLI's side of it was seen in real runs; what the real program sends through the relay is not published,
//! so that part is this project's own, and agrees with its agents only.

mod config;
mod forward;
mod identity;
mod register;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sim_core::clock::Clock;
use sim_core::net::Net;
use sim_core::pki::{Authority, Constraints, Subject};
use tokio::net::TcpListener;

use self::config::Config;
use self::identity::Identity;
use self::register::Connection;

/// Name of the program as the CLI saves it, and the beginning of it under which it is known.
pub const PROGRAM: &str = "arcProxy";

/// The proxy cannot do its work.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct ProxyError {
    what: String,
    reason: String,
}

impl ProxyError {
    fn new(what: impl Into<String>, reason: impl ToString) -> Self {
        Self { what: what.into(), reason: reason.to_string() }
    }
}

/// What the two ports share.
struct Proxy {
    clock: Clock,
    net: Net,
    config: Config,
    identity: Identity,
    /// PEM of who signed the certificate of the port for `kubectl`.
    authority: String,
    /// By the first component of the path.
    connections: Mutex<Vec<(String, Connection)>>,
}

impl Proxy {
    fn connections(&self) -> MutexGuard<'_, Vec<(String, Connection)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves by the configuration file that the CLI wrote, until dropped.
///
/// # Errors
/// [`ProxyError`] when the file is unusable, a port is taken, or the network settings of the environment are unusable.
pub async fn run(file: &Path, clock: Clock) -> Result<(), ProxyError> {
    let config = Config::read(file)?;
    let net = Net::from_env(|name| std::env::var(name).ok())
        .map_err(|error| ProxyError::new("the network settings of the environment", error))?;
    let bind = async |port: u16| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |error| ProxyError::new(format!("cannot listen on {address}"), error);
        TcpListener::bind(address).await.map_err(failed)
    };
    let (plain, secure) = (bind(config.server.http_port).await?, bind(config.server.https_port).await?);
    let pki = |error| ProxyError::new("the proxy's certificate", error);
    let authority =
        Authority::new("dryarc connect proxy", &Constraints::default(), clock.wall()).map_err(pki)?;
    let leaf = authority.issue(&Subject::server(["localhost", "127.0.0.1"])).map_err(pki)?;
    let identity = Identity::new().map_err(|error| ProxyError::new("the proxy's secret", error))?;
    let tls = leaf.server_config(false).map_err(pki)?;
    let proxy = Arc::new(Proxy {
        clock,
        net,
        config,
        identity,
        authority: authority.pem().to_owned(),
        connections: Mutex::default(),
    });
    let user = proxy.clone();
    tokio::select! {
        () = serve::serve(plain, None, move |request| register::answer(proxy.clone(), request)) => {}
        () = serve::serve(secure, Some(tls), move |request| forward::answer(user.clone(), request)) => {}
    }
    Ok(())
}
