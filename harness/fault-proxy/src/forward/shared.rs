//! What the connections of a forward proxy share, and what it decides about a request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http::StatusCode;
use sim_core::faults::{FaultSet, Line};
use sim_core::journal::{Entry, Journal};
use sim_core::net::{Net, NetError, Stream};
use tokio::task::JoinSet;

use super::authority::ProxyAuthority;
use super::{Answer, ProxyConfig};
use crate::connection::{Asking, Struck, strike};
use crate::pass::Wires;
use crate::reply::Reply;

/// How long a resolver that says nothing is waited for, in world time.
const RESOLVER_PATIENCE: Duration = Duration::from_secs(30);

/// One proxy.
#[derive(Debug)]
pub(super) struct Shared {
    config: RwLock<Arc<ProxyConfig>>,
    /// The way to targets, and the roots that an intercepting proxy trusts there.
    pub(super) net: Net,
    /// The same by way of the upstream proxy, if there is one.
    pub(super) outside: Net,
    pub(super) wires: Wires,
    pub(super) faults: FaultSet,
    pub(super) journal: Journal,
    /// Who signs what the proxy shows.
    pub(super) authority: ProxyAuthority,
    /// Where it listens itself.
    pub(super) own: Vec<SocketAddr>,
    /// Upgraded connections.
    pub(super) upgraded: Mutex<JoinSet<()>>,
}

/// Where a request wants to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
}

/// What became of a request.
pub(super) enum Verdict {
    /// It may go on; perhaps something happens to its bytes.
    Go(Option<Line>),
    /// It is answered here.
    Answer(Reply),
    /// It is reset.
    Reset,
}

impl Shared {
    pub(super) fn new(
        config: ProxyConfig,
        authority: ProxyAuthority,
        (net, outside): (Net, Net),
        wires: Wires,
        faults: FaultSet,
        journal: Journal,
        own: Vec<SocketAddr>,
    ) -> Self {
        Self {
            config: RwLock::new(Arc::new(config)),
            net,
            outside,
            wires,
            faults,
            journal,
            authority,
            own,
            upgraded: Mutex::default(),
        }
    }

    /// How it behaves at the moment.
    pub(super) fn config(&self) -> Arc<ProxyConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_config(&self, config: ProxyConfig) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(super) fn record(&self, config: &ProxyConfig, kind: &'static str, target: Target<'_>, detail: &str) {
        let mut entry = Entry::new(config.name.clone(), kind)
            .fact("method", target.method)
            .fact("host", target.host)
            .fact("port", target.port);
        if !detail.is_empty() {
            entry = entry.fact("detail", detail.trim());
        }
        self.journal.record(entry);
    }

    /// Authentication, access lists and fault rules, in this order.
    pub(super) async fn decide(
        &self,
        config: &ProxyConfig,
        target: Target<'_>,
        authorization: Option<&str>,
    ) -> Verdict {
        if let Some(auth) = &config.auth
            && let Err(reply) = auth.admit(authorization)
        {
            self.record(config, "unauthenticated", target, "");
            return Verdict::Answer(reply);
        }
        if self.is_itself(config, target) {
            self.record(config, "denied", target, "it is the proxy itself");
            let text = format!("{}:{} is this proxy itself.\n", target.host, target.port);
            return Verdict::Answer(Reply::new(StatusCode::FORBIDDEN, text));
        }
        if !admits(config, target) {
            self.record(config, "denied", target, "");
            return Verdict::Answer(refusal(config, target));
        }
        self.strike(config, target, "forward").await
    }

    /// Fault rules alone: for requests inside of an intercepted tunnel (`route` is `intercepted` there).
    pub(super) async fn strike(&self, config: &ProxyConfig, target: Target<'_>, route: &str) -> Verdict {
        let &Target { method, host, port } = &target;
        let asking = Asking { hop: &config.name, method, host, port, route };
        match strike(&self.faults, &asking).await {
            Struck::GoOn(line) => Verdict::Go(line),
            Struck::Answer(reply) => Verdict::Answer(reply),
            Struck::Reset => Verdict::Reset,
        }
    }

    /// A connection to a target, as the proxy's resolver and its upstream proxy have it; with TLS if `scheme` is `https`.
    pub(super) async fn open(
        &self,
        config: &ProxyConfig,
        scheme: &str,
        target: Target<'_>,
    ) -> Result<Stream, Reply> {
        let opened = match self.resolve(config, target).await {
            Err(reply) => Err(reply),
            Ok(address) => self.dial(scheme, target, address).await.map_err(|error| unreachable(&error)),
        };
        if let Err(reply) = &opened {
            self.record(config, "unreachable", target, &reply.text);
        }
        opened
    }

    async fn dial(
        &self,
        scheme: &str,
        target: Target<'_>,
        address: Option<IpAddr>,
    ) -> Result<Stream, NetError> {
        let _busy = self.wires.clock.busy();
        let Some(address) = address else {
            return self.outside.connect(scheme, target.host, target.port).await;
        };
        // No proxy rule is about this scheme.
        let stream = self.net.connect("tcp", &address.to_string(), target.port).await?;
        if scheme == "https" { self.net.secure(stream, target.host).await } else { Ok(stream) }
    }

    /// The address that the proxy's own resolver makes of a host, if it has an opinion of its own.
    async fn resolve(&self, config: &ProxyConfig, target: Target<'_>) -> Result<Option<IpAddr>, Reply> {
        let host = target.host;
        let rule = config.dns.iter().find(|rule| rule.host.matches(host, target.port));
        let failed = |status, what: &str| {
            let text = format!("The host '{host}' cannot be found: {what}.\n");
            Err(Reply::new(status, text))
        };
        match rule.map(|rule| rule.answer) {
            None => Ok(None),
            Some(Answer::Address(address)) => Ok(Some(address)),
            Some(Answer::NxDomain) => {
                failed(StatusCode::SERVICE_UNAVAILABLE, "there is no such name (NXDOMAIN)")
            }
            Some(Answer::ServFail) => {
                failed(StatusCode::SERVICE_UNAVAILABLE, "the resolver failed (SERVFAIL)")
            }
            Some(Answer::Silence) => {
                drop(self.wires.clock.sleep(RESOLVER_PATIENCE).await);
                failed(StatusCode::GATEWAY_TIMEOUT, "the resolver does not answer")
            }
        }
    }

    fn is_itself(&self, config: &ProxyConfig, target: Target<'_>) -> bool {
        let host = target.host.to_ascii_lowercase();
        let own_name =
            config.https.iter().flat_map(|https| &https.names).any(|name| name.eq_ignore_ascii_case(&host));
        self.own.iter().any(|own| {
            let address = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
            let bound = own.ip();
            let here = own_name
                || address == Some(bound)
                || ((bound.is_unspecified() || bound.is_loopback()) && is_loopback(&host));
            here && own.port() == target.port
        })
    }

    /// Cuts the upgraded connections.
    pub(super) fn abandon(&self) {
        self.upgraded.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Keeps an upgraded connection until it ends, or the proxy does.
    pub(super) fn keep(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let mut upgraded = self.upgraded.lock().unwrap_or_else(PoisonError::into_inner);
        while upgraded.try_join_next().is_some() {}
        upgraded.spawn(connection);
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| {
            let ip = ip.to_canonical();
            ip.is_loopback() || ip.is_unspecified()
        })
}

fn admits(config: &ProxyConfig, target: Target<'_>) -> bool {
    let any = |list: &[crate::HostRange]| list.iter().any(|range| range.matches(target.host, target.port));
    (config.allow.is_empty() || any(&config.allow)) && !any(&config.deny)
}

fn refusal(config: &ProxyConfig, target: Target<'_>) -> Reply {
    let text = config.refusal.text.as_ref().map_or_else(
        || {
            format!(
                "{}:{} is not allowed by the access lists of proxy '{}'.\n",
                target.host, target.port, config.name
            )
        },
        |text| format!("{text}\n"),
    );
    Reply::numbered(config.refusal.status, text)
}

fn unreachable(error: &NetError) -> Reply {
    let status = match error {
        NetError::Resolve { .. } => StatusCode::SERVICE_UNAVAILABLE,
        NetError::Dial { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
            StatusCode::GATEWAY_TIMEOUT
        }
        _ => StatusCode::BAD_GATEWAY,
    };
    Reply::new(status, format!("{error}\n"))
}

/// Set when a connection must end with a reset.
pub(super) type ResetFlag = Arc<AtomicBool>;
