//! The forward proxy: a customer's proxy, with everything that goes wrong at one.

mod auth;
mod authority;
mod config;
mod exchange;
mod head;
mod inside;
mod listener;
mod session;
mod shared;
mod sni;
mod span;
#[cfg(test)]
mod tests;
mod upgraded;

use std::net::SocketAddr;
use std::sync::Arc;

use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::net::{Net, NetError, Proxy, ProxyRules};
use sim_core::seed::Seed;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::authority::AuthorityError;
use self::authority::ProxyAuthority;
pub use self::config::{
    Answer, Auth, BadConfig, DnsRule, Flaw, Https, Intercept, Limits, Password, ProxyConfig, Refusal, Scheme,
    ServerNames, Upgrade, Websockets,
};
use self::listener::Listener;
use self::shared::Shared;
pub use self::span::{BadSpan, Span};
use crate::pass::Wires;

/// What a forward proxy finds around it.
#[derive(Debug)]
pub struct Surroundings {
    /// The way to targets: resolver, dialer, and the roots that an intercepting proxy trusts there. Its proxy rules do not
    /// count.
    pub net: Net,
    /// The clock that its delays, limits and windows live by.
    pub clock: Clock,
    /// Where it says what it did.
    pub journal: Journal,
    /// The fault rules; the configuration's own are added to them, under the proxy's name.
    pub faults: FaultSet,
    /// What jitter is drawn from.
    pub seed: Seed,
}

/// A forward proxy could not be started, or its configuration not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A port cannot be listened on.
    #[error("the proxy cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The upstream proxy is not one.
    #[error("upstream: this names no proxy: write [http://|https://][USER:PASSWORD@]HOST:PORT")]
    Upstream,
    /// The upstream proxy is the proxy itself.
    #[error("upstream: {0} is this proxy itself")]
    Circle(String),
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// No certificate could be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Nothing can be trusted or reached.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// A running forward proxy. Dropping it stops it and cuts its connections.
///
/// It speaks HTTP/1.1 (or 1.0) to its clients, in the clear and within TLS: CONNECT, and requests in absolute form. It reads the
/// first request of a connection strictly, so that nothing is understood in two ways behind it. Not modelled: HTTP/2 to the
/// proxy, SOCKS, caching, and answers of Windows' own authentication.
#[derive(Debug)]
pub struct ForwardProxy {
    address: SocketAddr,
    https: Option<SocketAddr>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl ForwardProxy {
    /// Starts to listen and serve.
    ///
    /// # Errors
    /// [`ProxyError`] when an address is taken or the configuration makes no sense.
    pub async fn start(config: ProxyConfig, around: Surroundings) -> Result<Self, ProxyError> {
        config.check()?;
        let authority = ProxyAuthority::new(&config.name, &around.clock)?;
        let plain = Listener::bind(config.listen).await?;
        let tls = match &config.https {
            None => None,
            Some(https) => {
                let here = ["localhost", "127.0.0.1", "::1"].map(String::from);
                let names: Vec<String> = https.names.iter().cloned().chain(here).collect();
                let first = names.first().cloned().unwrap_or_default();
                let server = authority.server_for(&format!("https {first}"), &names, https.certificate)?;
                Some((Listener::bind(https.listen).await?, server))
            }
        };
        let (address, https) = (plain.address, tls.as_ref().map(|(listener, _)| listener.address));
        let own: Vec<SocketAddr> = std::iter::once(address).chain(https).collect();
        let net = around.net.to_builder().proxy(ProxyRules::default()).build()?;
        let outside = outside(&net, &config, &own)?;
        let label = format!("{}/wire", config.name);
        let wires = Wires::new(around.clock, around.seed.stream(&label));
        add_rules(&config, &around.faults);
        let shared =
            Shared::new(config, authority, (net, outside), wires, around.faults, around.journal, own);
        let shared = Arc::new(shared);
        let (stop, stopped) = watch::channel(false);
        let open = Arc::new(tokio::sync::Semaphore::new(tokio::sync::Semaphore::MAX_PERMITS));
        let mut tasks = vec![plain.serve(shared.clone(), None, open.clone(), stopped.clone())];
        if let Some((listener, server)) = tls {
            tasks.push(listener.serve(shared.clone(), Some(server), open, stopped));
        }
        Ok(Self { address, https, shared, stop, tasks })
    }

    /// Where it is reached by `http://`.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it is reached by `https://`, if it is.
    #[must_use]
    pub fn https_addr(&self) -> Option<SocketAddr> {
        self.https
    }

    /// The root certificate of what it shows, PEM: what clients of an intercepting or `https://` proxy have to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.shared.authority.root_pem()
    }

    /// How it behaves at the moment.
    #[must_use]
    pub fn config(&self) -> Arc<ProxyConfig> {
        self.shared.config()
    }

    /// Changes how it behaves from the next request on. Listeners, name, upstream and rules stay as they were.
    ///
    /// # Errors
    /// [`ProxyError::Config`]; nothing is changed then.
    pub fn set_config(&self, config: ProxyConfig) -> Result<(), ProxyError> {
        config.check()?;
        let now = self.shared.config();
        self.shared.set_config(ProxyConfig {
            name: now.name.clone(),
            listen: now.listen,
            https: now.https.clone(),
            upstream: now.upstream.clone(),
            upstream_skip: now.upstream_skip.clone(),
            rules: now.rules.clone(),
            ..config
        });
        Ok(())
    }

    /// Stops listening, cuts every connection, and returns when nothing of the proxy runs any more.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            // It ends by itself; a panic in it was reported already.
            let _ = task.await;
        }
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        // The listeners' tasks own the connections' tasks, which end with them.
        for task in &self.tasks {
            task.abort();
        }
        self.shared.abandon();
    }
}

/// The way to targets by the upstream proxy, if there is one.
fn outside(net: &Net, config: &ProxyConfig, own: &[SocketAddr]) -> Result<Net, ProxyError> {
    let Some(upstream) = config.upstream.as_deref().filter(|upstream| !upstream.is_empty()) else {
        return Ok(net.clone());
    };
    let proxy = Proxy::parse(upstream).ok_or(ProxyError::Upstream)?;
    let here = |own: &SocketAddr| {
        let same = proxy.host == own.ip().to_string() || proxy.host.eq_ignore_ascii_case("localhost");
        same && proxy.port == own.port()
    };
    if own.iter().any(here) {
        return Err(ProxyError::Circle(proxy.to_string()));
    }
    let rules = ProxyRules::new(Some(upstream), Some(upstream), config.upstream_skip.as_deref());
    Ok(net.to_builder().proxy(rules).build()?)
}

/// The configuration's rules strike at this proxy only.
fn add_rules(config: &ProxyConfig, faults: &FaultSet) {
    for (index, rule) in config.rules.iter().enumerate() {
        let mut rule = rule.0.clone();
        if rule.id.is_empty() {
            rule.id = format!("{}-{}", config.name, index + 1);
        }
        rule.matcher.facts.insert("hop".into(), config.name.clone());
        faults.add(rule);
    }
}
