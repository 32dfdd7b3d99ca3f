//! A running cloud: binds, serves, drives long-running operations, stops.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::KeySource;
use sim_core::ledger::Ledger;
use sim_core::pki::{Authority, PkiError, Subject};
use sim_core::seed::Seed;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::front::{Front, listener};
use crate::lro;
use crate::profile::Profile;
use crate::providers::Registry;
use crate::store::DUE;
use crate::surfaces;
use crate::world::{Parts, World};

/// What a cloud is started with.
#[derive(Debug)]
pub struct CloudConfig {
    /// World and wall time.
    pub clock: Clock,
    /// The root of all simulated randomness.
    pub seed: Seed,
    /// Where to record what happens.
    pub journal: Journal,
    /// What goes wrong.
    pub faults: FaultSet,
    /// Where RSA keys come from.
    pub keys: KeySource,
    /// Who signs the listener's certificate and the agents' identities.
    pub authority: Arc<Authority>,
    /// What the cloud consists of.
    pub profile: Profile,
    /// Where to listen; port 0 means any free one.
    pub listen: SocketAddr,
    /// Names and addresses in the listener's certificate beside those of the simulated hosts and of loopback. The authority must be
    /// allowed to vouch for them.
    pub names: Vec<String>,
}

/// A cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}. Choose an address of this machine and a port that is free (0 for any)"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make the listener's certificate: {0}")]
    Pki(#[from] PkiError),
}

/// A running simulated cloud. Dropping it stops it at once; [`Cloud::shutdown`] lets requests finish.
#[derive(Debug)]
pub struct Cloud {
    addr: SocketAddr,
    world: World,
    registry: Registry,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
    driver: JoinHandle<()>,
}

/// The names in the listener's certificate: every host that is played, one level of wildcard for suffixes, and this
/// machine.
fn certificate_names(own: Vec<String>) -> Vec<String> {
    let wildcard = |host: &str| if host.starts_with('.') { format!("*{host}") } else { host.to_owned() };
    let mut names: Vec<String> = surfaces::hosts().map(wildcard).collect();
    names.extend(["localhost".into(), "127.0.0.1".into(), "::1".into()]);
    names.extend(own);
    names
}

impl Cloud {
    /// Starts a cloud: it answers when this returns.
    ///
    /// # Errors
    /// [`StartError`] when the address is taken or the certificate cannot be made.
    pub async fn start(config: CloudConfig) -> Result<Self, StartError> {
        let CloudConfig { clock, seed, journal, faults, keys, authority, profile, listen, names } = config;
        let bind = |source| StartError::Bind { address: listen, source };
        let socket = TcpListener::bind(listen).await.map_err(bind)?;
        let addr = socket.local_addr().map_err(bind)?;
        let leaf = authority.issue(&Subject::server(certificate_names(names)))?;
        let tls = leaf.server_config(true)?;
        let world = World::new(Parts { clock, seed, journal, faults, keys, authority, profile });
        world.tokens.prefetch();
        let registry = Registry::default();
        let front = Arc::new(Front::new(world.clone(), registry.clone()));
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(listener::serve(socket, tls, front, world.clock.clone(), stopped));
        let driver = tokio::spawn(drive(world.clone(), registry.clone()));
        Ok(Self { addr, world, registry, stop, server: Some(server), driver })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it stores.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    /// What everything in it shares.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The resource providers.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Host names that it plays: exact ones, and suffixes with a leading dot. A gateway routes these here.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        surfaces::hosts().map(str::to_owned).collect()
    }

    /// The routes of the control API; whoever serves them puts a guard before them ([`crate::admin::guarded`]).
    pub fn admin_router(&self) -> axum::Router {
        crate::admin::router(self.world.clone())
    }

    /// Stops: takes no more connections and lets requests under way finish for a moment.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(server) = self.server.take() {
            let _ = server.await;
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.driver.abort();
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// Ends operations when the world's clock reaches their moment.
async fn drive(world: World, registry: Registry) {
    let mut revision = 0;
    loop {
        let Ok(mut changes) = world.ledger.watch(DUE, "", revision) else {
            // The feed moved on without us; what is due is read from the rows anyway.
            revision = world.ledger.revision();
            continue;
        };
        loop {
            let next = world.ledger.read(|view| {
                revision = view.revision();
                lro::next_due(view)
            });
            let due = async {
                match next {
                    Some(moment) => world.clock.sleep_until(moment).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                busy = due => {
                    let now = next.map_or_else(|| world.clock.now(), |moment: Timestamp| moment.max(world.clock.now()));
                    registry.settle_due(&world, now);
                    drop(busy);
                }
                changed = changes.next() => {
                    if changed.is_err() {
                        break;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::clock::Mode;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    async fn cloud() -> Cloud {
        let clock = Clock::new(Mode::Manual, "2026-01-01T00:00:00Z".parse().unwrap());
        let journal = Journal::new(clock.clone());
        let seed = Seed::new(1);
        let authority = Arc::new(Authority::new("test", &Default::default(), clock.wall()).unwrap());
        let faults = FaultSet::new(seed, clock.clone(), journal.clone());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (keys, profile, names) = (KeySource::fresh(), Profile::default(), Vec::new());
        Cloud::start(CloudConfig { clock, seed, journal, faults, keys, authority, profile, listen, names })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn advancing_the_clock_ends_what_comes_due_on_the_way() {
        let cloud = cloud().await;
        let world = cloud.world().clone();
        let draft = |id: &str, seconds| lro::Draft {
            id: id.into(),
            name: "Microsoft.Kubernetes/register/action".into(),
            namespace: "Microsoft.Resources".into(),
            subscription: "s".into(),
            subject: "/subscriptions/s/providers/Microsoft.Kubernetes".into(),
            key: "s/microsoft.kubernetes".into(),
            location: String::new(),
            style: crate::profile::Style::Body,
            retry_after: 10,
            span: Duration::from_secs(seconds),
            document: lro::Document::default(),
            fate: crate::profile::Fate::Succeed,
            hidden: std::time::Duration::ZERO,
        };
        let begun: Result<(), ()> = world.ledger.write(|txn| {
            lro::begin(txn, draft("one", 71), world.clock.now());
            lro::begin(txn, draft("two", 700), world.clock.now());
            Ok(())
        });
        begun.unwrap();
        assert!(world.clock.advance(Duration::from_secs(100)).await.quiet);
        let ended = |id: &str| world.ledger.read(|view| lro::get(view, id)).unwrap().ended;
        assert_eq!(ended("one").map(|time| time.to_string()).as_deref(), Some("2026-01-01T00:01:11Z"));
        assert_eq!(ended("two"), None);
        cloud.shutdown().await;
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = cloud().await;
        let world = first.world();
        let error = Cloud::start(CloudConfig {
            clock: world.clock.clone(),
            seed: world.seed,
            journal: world.journal.clone(),
            faults: world.faults.clone(),
            keys: world.keys.clone(),
            authority: world.authority.clone(),
            profile: Profile::default(),
            listen: first.addr(),
            names: Vec::new(),
        })
        .await
        .unwrap_err();
        assert!(error.to_string().contains(&first.addr().to_string()), "{error}");
    }
}
