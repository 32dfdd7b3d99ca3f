//! Starting and stopping a world.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use fault_proxy::{Gateway, GatewayConfig, HostPattern};
use mock_arm::{Cloud, CloudConfig};
use sim_core::clock::Clock;
use sim_core::clock_link::{self, ClockLink, ClockServer};
use sim_core::faults::FaultSet;
use sim_core::journal::{Entry, Journal};
use sim_core::keys::{self, Bits, KeySource};
use sim_core::pki::{Authority, Constraints};
use sim_core::seed::Seed;

use super::proxies::{self, Running};
use super::{WorldConfig, cluster, reached};
use crate::clusters::{Cluster, ClusterError};
use crate::state::ProxyPlace;

/// Label of the key that signs the cloud's tokens.
const SIGNING_KEY: &str = "entra/signing";

/// Names beside those of the simulated hosts that the world's authority may vouch for: this machine, and services
/// inside of a cluster.
const OWN_SUFFIXES: [&str; 3] = ["localhost", "svc", "cluster.local"];

/// A world could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A real cluster cannot be used.
    #[error("{0}")]
    Cluster(ClusterError),
    /// A host that is to be allowed is none.
    #[error("--allow: {0}")]
    Allow(fault_proxy::BadHostPattern),
    /// One part could not be started.
    #[error("the {part} could not be started: {reason}")]
    Part {
        /// Which part.
        part: &'static str,
        /// Why not.
        reason: String,
    },
}

/// Makes the error of one part.
pub(super) fn part<E: std::fmt::Display>(part: &'static str) -> impl FnOnce(E) -> StartError {
    move |error| StartError::Part { part, reason: error.to_string() }
}

/// A running world. [`World::shutdown`] ends it in order; dropping it ends it at once.
#[derive(Debug)]
pub struct World {
    config: Described,
    // Dropped first: its agents see a world that still answers.
    cluster: Box<dyn Cluster>,
    parts: Parts,
    _clock_server: ClockServer,
}

/// Everything of a world beside its cluster.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) faults: FaultSet,
    pub(super) keys: KeySource,
    pub(super) authority: Arc<Authority>,
    pub(super) cloud: Cloud,
    pub(super) gateway: Gateway,
    pub(super) proxies: Running,
    pub(super) clock_link: ClockLink,
}

/// What stays of the configuration.
#[derive(Debug)]
struct Described {
    name: String,
    seed: Seed,
    allow: Vec<String>,
    dir: PathBuf,
}

impl World {
    /// Starts every part of a world. When it returns, the cloud, the gateway and the cluster answer; RSA keys are still
    /// being made in the background, and whoever needs one first waits for it.
    ///
    /// # Errors
    /// [`StartError`]; what was started before is stopped again.
    pub async fn start(config: WorldConfig) -> Result<Self, StartError> {
        let clock = match config.start {
            Some(start) => Clock::new(config.mode, start),
            None => Clock::running(1.0),
        };
        clock.set_mode(config.mode);
        let journal = Journal::new(clock.clone());
        let faults = FaultSet::new(config.seed, clock.clone(), journal.clone());
        let keys = config.keys.clone();
        keys.prefetch(SIGNING_KEY, Bits::Rsa2048);
        for label in &config.onboarding_keys {
            keys.prefetch(label, Bits::Rsa4096);
        }
        let authority = Arc::new(authority(&config, &clock)?);
        let cloud = Cloud::start(CloudConfig {
            clock: clock.clone(),
            seed: config.seed,
            journal: journal.clone(),
            faults: faults.clone(),
            keys: keys.clone(),
            authority: authority.clone(),
            profile: config.cloud.clone(),
            listen: config.listen.at(config.listen.cloud),
            names: config.listen.names.clone(),
        })
        .await
        .map_err(part("cloud"))?;
        let gateway = gateway(&config, &cloud, &clock, &journal, &faults).await?;
        let secret = keys::secret("clock link").map_err(part("clock server"))?;
        let (clock_link, clock_server) =
            clock_link::serve(clock.clone(), secret).await.map_err(part("clock server"))?;
        let proxies = Running::default();
        let mut parts =
            Parts { clock, journal, faults, keys, authority, cloud, gateway, proxies, clock_link };
        parts.proxies = Box::pin(Running::start(&config, &parts)).await?;
        if let Some(proxy) = parts.proxies.cluster() {
            // Pods that know the proxy by a name ask for it as they ask for any host.
            let mut all = proxies::proxy_routes(proxy);
            all.extend(routes(&parts.cloud)?);
            parts.gateway.set_routes(all);
        }
        let cluster = cluster::start(&config, &parts).await?;
        parts.journal.record(Entry::new("world", "started").fact("seed", config.seed.value()));
        let described = Described {
            name: config.name.to_string(),
            seed: config.seed,
            allow: config.allow,
            dir: config.dir,
        };
        Ok(Self { config: described, cluster, parts, _clock_server: clock_server })
    }

    /// Stops every part: first the agents, so that they see a world that still answers, then the rest.
    ///
    /// # Errors
    /// When something that was done to a real cluster could not be undone; it stays written down, and everything else
    /// has stopped.
    pub async fn shutdown(self) -> Result<(), ClusterError> {
        let ended = self.cluster.shutdown().await;
        self.parts.proxies.shutdown().await;
        self.parts.gateway.shutdown().await;
        self.parts.cloud.shutdown().await;
        ended
    }

    /// Name of the world, of its cluster and of the cluster's context.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The world's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    /// Where other processes follow that clock.
    #[must_use]
    pub fn clock_link(&self) -> &ClockLink {
        &self.parts.clock_link
    }

    /// What names, ids and draws come from.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.config.seed
    }

    /// What happened.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.parts.journal
    }

    /// What goes wrong.
    #[must_use]
    pub fn faults(&self) -> &FaultSet {
        &self.parts.faults
    }

    /// Where RSA keys come from.
    #[must_use]
    pub fn keys(&self) -> &KeySource {
        &self.parts.keys
    }

    /// Who signs the certificates of simulated hosts.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.parts.authority
    }

    /// The cloud.
    #[must_use]
    pub fn cloud(&self) -> &Cloud {
        &self.parts.cloud
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.parts.gateway
    }

    /// The customer's proxies and how they are reached.
    #[must_use]
    pub fn proxies(&self) -> Vec<ProxyPlace> {
        self.parts.proxies.places()
    }

    /// The root certificate that the proxy of this name (see [`World::proxies`]) shows certificates of, PEM.
    #[must_use]
    pub fn proxy_ca(&self, name: &str) -> Option<&str> {
        self.parts.proxies.ca_pem(name)
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &dyn Cluster {
        self.cluster.as_ref()
    }

    /// Hosts outside of the simulation that may be reached.
    #[must_use]
    pub fn allow(&self) -> &[String] {
        &self.config.allow
    }

    /// The folder of the world's files.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        &self.config.dir
    }
}

fn authority(config: &WorldConfig, clock: &Clock) -> Result<Authority, StartError> {
    let hosts = mock_arm::surfaces::hosts().map(|host| host.trim_start_matches('.'));
    let own = hosts.chain(OWN_SUFFIXES).map(str::to_owned);
    let named =
        config.names.iter().chain(&config.listen.names).map(|name| name.trim_start_matches("*.").to_owned());
    let suffixes = own.chain(named).collect();
    let name = format!("dryarc world {}", config.name);
    Authority::new(&name, &Constraints { suffixes }, clock.wall()).map_err(part("certificate authority"))
}

async fn gateway(
    config: &WorldConfig,
    cloud: &Cloud,
    clock: &Clock,
    journal: &Journal,
    faults: &FaultSet,
) -> Result<Gateway, StartError> {
    let pattern = |text: &String| text.parse::<HostPattern>();
    let allow = config.allow.iter().map(pattern).collect::<Result<_, _>>().map_err(StartError::Allow)?;
    Gateway::start(GatewayConfig {
        listen: config.listen.at(config.listen.gateway),
        routes: routes(cloud)?,
        allow,
        upstream: config.upstream.clone(),
        no_proxy: config.outer.no_proxy().map(str::to_owned),
        clock: clock.clone(),
        journal: journal.clone(),
        faults: faults.clone(),
        seed: config.seed,
    })
    .await
    .map_err(part("gateway"))
}

/// Every host of the cloud, and where it is served.
fn routes(cloud: &Cloud) -> Result<Vec<(HostPattern, SocketAddr)>, StartError> {
    let at = reached(cloud.addr());
    let hosts = cloud.hosts();
    hosts.iter().map(|host| Ok((routed(host).map_err(part("gateway"))?, at))).collect()
}

/// The cloud writes a suffix with a leading dot, the gateway with a leading `*.`.
fn routed(host: impl AsRef<str>) -> Result<HostPattern, fault_proxy::BadHostPattern> {
    let host = host.as_ref();
    if host.starts_with('.') { format!("*{host}").parse() } else { host.parse() }
}
