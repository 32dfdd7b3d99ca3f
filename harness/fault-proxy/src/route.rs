//! Where a connection goes.

use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock};

use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::{Entry, Journal};
use sim_core::net::{Net, Stream};
use sim_core::seed::Seed;
use tokio::net::TcpStream;

use crate::HostPattern;
use crate::pass::Wires;

/// The actor's name in the journal.
const ACTOR: &str = "gateway";

/// What the gateway decided about a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A loopback target: this machine, no Internet involved.
    Loopback,
    /// A simulated host, served there.
    Routed(SocketAddr),
    /// A real host that the user lets through.
    Allowed,
    /// Neither.
    Refused,
}

impl Decision {
    /// The value of the fact `route` for fault rules.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Routed(_) => "routed",
            Self::Allowed => "allowed",
            Self::Refused => "unrouted",
        }
    }
}

/// An open connection to a target.
pub(crate) enum Target {
    /// Straight over TCP.
    Tcp(TcpStream),
    /// Through something else, an upstream proxy for instance.
    Stream(Stream),
}

/// The rules that may change while the gateway runs.
#[derive(Debug, Default)]
struct Table {
    routes: Vec<(HostPattern, SocketAddr)>,
    allow: Vec<HostPattern>,
}

/// Everything that a connection of the gateway needs.
#[derive(Debug)]
pub(crate) struct Router {
    table: RwLock<Table>,
    /// How allowed hosts are reached.
    pub(crate) outside: Net,
    pub(crate) faults: FaultSet,
    pub(crate) wires: Wires,
    journal: Journal,
}

impl Router {
    pub(crate) fn new(outside: Net, clock: Clock, faults: FaultSet, journal: Journal, seed: Seed) -> Self {
        let wires = Wires::new(clock, seed.stream("gateway/wire"));
        Self { table: RwLock::default(), outside, faults, wires, journal }
    }

    pub(crate) fn set_routes(&self, routes: Vec<(HostPattern, SocketAddr)>) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).routes = routes;
    }

    pub(crate) fn set_allow(&self, allow: Vec<HostPattern>) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).allow = allow;
    }

    /// Routes come before loopback, so that a scenario can take even a loopback target over; a simulated host stays
    /// simulated when it is allowed as well.
    pub(crate) fn decide(&self, host: &str, port: u16) -> Decision {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, address)) = table.routes.iter().find(|(pattern, _)| pattern.matches(host, port)) {
            return Decision::Routed(*address);
        }
        if is_loopback(host) {
            return Decision::Loopback;
        }
        if table.allow.iter().any(|pattern| pattern.matches(host, port)) {
            return Decision::Allowed;
        }
        Decision::Refused
    }

    /// Opens the connection that was decided on; the error says what failed.
    pub(crate) async fn open(&self, decision: Decision, host: &str, port: u16) -> Result<Target, String> {
        let dialled = match decision {
            Decision::Refused => return Err(format!("{host} is refused")),
            Decision::Allowed => {
                let stream = self.outside.connect("http", host, port).await;
                return stream.map(Target::Stream).map_err(|error| error.to_string());
            }
            Decision::Routed(address) => TcpStream::connect(address).await,
            Decision::Loopback => TcpStream::connect((host, port)).await,
        };
        let stream = dialled.map_err(|error| format!("cannot connect to {host}:{port}: {error}"))?;
        // Only latency suffers without it.
        let _ = stream.set_nodelay(true);
        Ok(Target::Tcp(stream))
    }

    pub(crate) fn record(
        &self,
        kind: &'static str,
        method: &str,
        host: &str,
        port: u16,
        detail: Option<String>,
    ) {
        let mut entry = Entry::new(ACTOR, kind).fact("method", method).fact("host", host).fact("port", port);
        if let Some(detail) = detail {
            entry = entry.fact("detail", detail);
        }
        self.journal.record(entry);
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
