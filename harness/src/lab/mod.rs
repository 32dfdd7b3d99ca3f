//! A world as a value, for tests in Rust: started in this process, made to go wrong by rules, waited for in its own time, and gone
//! when it is dropped.
//!
//! The clock is instant: it stands still while something is at work and jumps to what is waited for, so that twenty minutes take
//! milliseconds and the same seed does the same each time. Agents are tasks of this process. A test needs a runtime of tokio;
//! one of a single thread makes the order of events repeatable.
//!
//! ```
//! use std::time::Duration;
//!
//! use harness::lab::{Fault, Lab, LabOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let lab = Lab::start(LabOptions::default()).await?;
//! lab.fault(Fault::wire("firewall").fact("host", "*.dp.kubernetesconfiguration.azure.com").refuse());
//! let failed = lab.onboard("edge", "arc").await.unwrap_err();
//! assert!(failed.to_string().contains("dp.kubernetesconfiguration.azure.com"), "{failed}");
//!
//! lab.clear("firewall");
//! lab.onboard("edge", "arc").await?;
//! let connected = async || lab.connectivity("edge", "arc").await.is_ok_and(|status| status == "Connected");
//! lab.until(Duration::from_secs(600), connected).await?;
//! # Ok(())
//! # })
//! # }
//! ```

mod access;
mod error;
mod fault;
#[cfg(test)]
mod feature_tests;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube_sim::kubelet::NodeSpec;
use mock_arm::profile::{Principal, Profile};
use sim_core::clock::{Clock, Mode, later};
use sim_core::faults::Rule;
use sim_core::journal::{Event, Filter};
use sim_core::keys::KeySource;
use sim_core::net::Net;
use sim_core::seed::Seed;

use crate::clusters::RealOptions;
use crate::driver::{
    ApiVersion, Azure, AzureError, Cluster, Driver, DriverError, KEY_LABEL, OffboardOptions, Offboarded,
    OnboardOptions, Onboarded, Pace,
};
use crate::images::Agents;
use crate::state::{Scratch, WorldName, sweep_scratch};
use crate::world::{Backend, Listen, Proxies, World, WorldConfig};

use access::registered;
pub use access::{azure, credentials, network};
pub use error::LabError;
pub use fault::Fault;

/// The region of what a test names no region for.
const LOCATION: &str = "eastus";

/// How often a condition is looked at, in world time.
const LOOK: Duration = Duration::from_secs(10);

/// What a lab's world is made of.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// What names, ids and draws come from.
    pub seed: u64,
    /// The cloud. Its first service principal is who onboards; one is added where there is none.
    pub cloud: Profile,
    /// Whether the providers that onboarding needs are registered from the start.
    pub registered: bool,
    /// The world's time when it begins.
    pub start: Timestamp,
    /// The cluster's nodes.
    pub nodes: Vec<NodeSpec>,
    /// The customer's proxies.
    pub proxies: Proxies,
    /// Where RSA keys come from. Making them takes most of the time; keys that are kept make tests quick.
    pub keys: KeySource,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            cloud: Profile::default(),
            registered: true,
            // 2026-01-05T09:00:00Z, a Monday morning.
            start: Timestamp::constant(1_767_603_600, 0),
            nodes: vec![NodeSpec::default()],
            proxies: Proxies::default(),
            keys: KeySource::kept(),
        }
    }
}

/// A running world. Dropping it ends everything in it; [`Lab::close`] waits for the end.
pub struct Lab {
    world: World,
    clock: Clock,
    net: Net,
    azure: Azure,
    cluster: Cluster,
    keys: KeySource,
    /// Gone last.
    _folder: Scratch,
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lab").field("world", &self.world.name()).finish_non_exhaustive()
    }
}

/// What the folders of these worlds are called first.
const SCRATCH: &str = "dryarc-lab-";

impl Lab {
    /// Starts a world and returns when cloud and cluster answer.
    ///
    /// # Errors
    /// [`LabError::Start`] with what could not be started.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        sweep_scratch(SCRATCH);
        let folder = Scratch::new(SCRATCH).map_err(LabError::start)?;
        let (seed, keys) = (Seed::new(options.seed), options.keys.clone());
        let name = WorldName::temporary("lab", std::process::id());
        let world = Box::pin(World::start(config(options, name, folder.path().into()))).await;
        let world = world.map_err(LabError::start)?;
        let clock = world.clock().clone();
        let net = network(&world).map_err(LabError::start)?;
        let kube = arc_agent_sim::kube_client::from_kubeconfig(&net, &world.cluster().kubeconfig(), None);
        let cluster = Cluster::new(kube.map_err(LabError::start)?);
        let profile: Arc<Profile> = world.cloud().world().profile.clone();
        let azure = azure(&net, &clock, seed, credentials(&profile, profile.principals.first()));
        clock.quiet().await;
        Ok(Self { world, clock, net, azure, cluster, keys, _folder: folder })
    }

    /// The world itself.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The network of a client that trusts the world and reaches every simulated host: for an HTTP client of your own.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Azure, as the first service principal sees it.
    #[must_use]
    pub fn azure(&self) -> &Azure {
        &self.azure
    }

    /// The cluster, as its administrator sees it.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Makes something go wrong from now on. A rule replaces the one with the same id.
    pub fn fault(&self, rule: Rule) {
        self.world.faults().add(rule);
    }

    /// Ends the fault of this id; false when there is none.
    pub fn clear(&self, id: &str) -> bool {
        self.world.faults().clear(Some(id)) > 0
    }

    /// How often the fault of this id struck.
    #[must_use]
    pub fn fired(&self, id: &str) -> u64 {
        let all = self.world.faults().list();
        all.iter().find(|status| status.rule.id == id).map_or(0, |status| status.fired)
    }

    /// What happened so far, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Event> {
        self.world.journal().read(&Filter::default())
    }

    /// Connects the cluster as `az connectedk8s connect` does; the group is made if it does not exist.
    ///
    /// # Errors
    /// [`DriverError`] with the stage and the code of the Azure CLI.
    pub async fn onboard(&self, name: &str, group: &str) -> Result<Onboarded, DriverError> {
        let options = OnboardOptions { location: Some(LOCATION.into()), ..OnboardOptions::new(name, group) };
        self.onboard_with(&options).await
    }

    /// The same with every option of the command.
    ///
    /// # Errors
    /// See [`Lab::onboard`].
    pub async fn onboard_with(&self, options: &OnboardOptions) -> Result<Onboarded, DriverError> {
        Box::pin(self.driver().onboard(options)).await
    }

    /// Disconnects the cluster as `az connectedk8s delete` does.
    ///
    /// # Errors
    /// [`DriverError`] with the stage and the code of the Azure CLI.
    pub async fn offboard(&self, name: &str, group: &str) -> Result<Offboarded, DriverError> {
        let options =
            OffboardOptions { name: name.into(), group: group.into(), force: false, no_wait: false };
        Box::pin(self.driver().offboard(&options)).await
    }

    fn driver(&self) -> Driver {
        let kube = self.cluster.client().clone();
        Driver::new(self.azure.clone(), kube, self.clock.clone(), self.keys.clone(), Arc::new(|_| {}))
    }

    /// `connectivityStatus` of a connected cluster; `Gone` when there is none.
    ///
    /// # Errors
    /// [`AzureError`] when Azure does not answer or refuses.
    pub async fn connectivity(&self, name: &str, group: &str) -> Result<String, AzureError> {
        let found = self.azure.cluster(group, name, ApiVersion::CLUSTERS.0).await?;
        let status = found.map_or("Gone".into(), |it| it["properties"]["connectivityStatus"].clone());
        Ok(status.as_str().unwrap_or_default().to_owned())
    }

    /// Lets so much of the world's time go by, through everything that is due on the way.
    pub async fn advance(&self, span: Duration) {
        self.clock.foreground_sleep(span).await;
        self.clock.quiet().await;
    }

    /// Waits until `condition` holds; it is looked at every ten seconds of the world's time.
    ///
    /// # Errors
    /// [`LabError::Late`] when it does not hold `within` that span of the world's time.
    pub async fn until(&self, within: Duration, condition: impl AsyncFn() -> bool) -> Result<(), LabError> {
        let deadline = later(self.clock.now(), within);
        let pace = Pace::new(self.clock.clone());
        loop {
            self.clock.quiet().await;
            if condition().await {
                return Ok(());
            }
            if self.clock.now() >= deadline {
                return Err(LabError::Late(within));
            }
            pace.world(LOOK).await;
        }
    }

    /// Ends the world and waits until nothing of it runs any more.
    pub async fn close(self) {
        // An embedded cluster has nothing that could not be undone.
        let _ = self.world.shutdown().await;
    }
}

/// A world in this process on an instant clock, with agents as tasks. Its files are in `dir`, which exists and outlives it.
pub(crate) fn config(options: LabOptions, name: WorldName, dir: PathBuf) -> WorldConfig {
    let mut cloud = options.cloud;
    if options.registered {
        registered(&mut cloud);
    }
    if cloud.principals.is_empty() {
        cloud.principals.push(Principal::default());
    }
    WorldConfig {
        name,
        mode: Mode::Instant,
        seed: Seed::new(options.seed),
        cloud,
        allow: Vec::new(),
        names: Vec::new(),
        upstream: None,
        onboarding_keys: vec![KEY_LABEL.into()],
        listen: Listen::default(),
        proxies: options.proxies,
        backend: Backend::Embedded,
        real: RealOptions::default(),
        outer: crate::client_env::OuterEnv::default(),
        dir,
        agents: Agents::Tasks,
        nodes: options.nodes,
        start: Some(options.start),
        keys: options.keys,
    }
}
