//! A running gateway: its listener and its end.

use std::net::SocketAddr;
use std::sync::Arc;

use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::net::{Net, NetError, ProxyRules, accept};
use sim_core::seed::Seed;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::HostPattern;
use crate::connection;
use crate::route::Router;

/// What a gateway is made of.
#[derive(Debug)]
pub struct GatewayConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Which hosts lead where. The first match counts.
    pub routes: Vec<(HostPattern, SocketAddr)>,
    /// Which hosts are let through to the real network.
    pub allow: Vec<HostPattern>,
    /// The proxy through which allowed hosts are reached, as `HTTPS_PROXY` would name it.
    pub upstream: Option<String>,
    /// Allowed hosts that are reached without it, in the form of `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// The world's clock.
    pub clock: Clock,
    /// The world's journal.
    pub journal: Journal,
    /// The world's fault rules.
    pub faults: FaultSet,
    /// The world's seed, for faults that draw.
    pub seed: Seed,
}

/// A gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be listened on.
    #[error("the gateway cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The upstream proxy is not one.
    #[error("'{0}' names no proxy: write [http://][USER:PASSWORD@]HOST:PORT")]
    Upstream(String),
    /// Nothing can be trusted or reached.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// A running gateway. Dropping it stops it and cuts its connections.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    router: Arc<Router>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts to listen and serve.
    ///
    /// # Errors
    /// [`StartError`] when the address is taken or the upstream proxy is none.
    pub async fn start(config: GatewayConfig) -> Result<Self, StartError> {
        let outside = outside(config.upstream.as_deref(), config.no_proxy.as_deref())?;
        let router = Arc::new(Router::new(outside, config.clock, config.faults, config.journal, config.seed));
        router.set_routes(config.routes);
        router.set_allow(config.allow);
        let taken = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let (stop, stopped) = watch::channel(false);
        let serving = router.clone();
        let task = tokio::spawn(async move {
            let begin = |stream| connection::serve(stream, serving.clone());
            accept("the gateway", listener, &serving.wires.clock, stopped, begin).await;
        });
        Ok(Self { address, router, stop, task: Some(task) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the routes; open connections stay.
    pub fn set_routes(&self, routes: Vec<(HostPattern, SocketAddr)>) {
        self.router.set_routes(routes);
    }

    /// Replaces the allowed hosts; open connections stay.
    pub fn set_allow(&self, allow: Vec<HostPattern>) {
        self.router.set_allow(allow);
    }

    /// Stops listening, cuts every connection, and returns when nothing of the gateway runs any more.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // It ends by itself; a panic in it was reported already.
            let _ = task.await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The listener's task owns the connections' tasks, which end with it.
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// The way to allowed hosts.
fn outside(upstream: Option<&str>, no_proxy: Option<&str>) -> Result<Net, StartError> {
    let Some(upstream) = upstream.filter(|upstream| !upstream.is_empty()) else {
        return Ok(Net::builder().build()?);
    };
    let rules = ProxyRules::new(Some(upstream), Some(upstream), no_proxy);
    if rules.is_empty() {
        return Err(StartError::Upstream(upstream.into()));
    }
    // The system's roots are for a proxy that is reached within TLS; targets' TLS is not ours.
    let base =
        if upstream.starts_with("https://") { Net::from_env(|_| None)? } else { Net::builder().build()? };
    Ok(base.to_builder().proxy(rules).build()?)
}
