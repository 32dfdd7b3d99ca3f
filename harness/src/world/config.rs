//! What a world is made of, before it is made.

use std::path::PathBuf;

use jiff::Timestamp;
use kube_sim::kubelet::NodeSpec;
use mock_arm::profile::Profile;
use sim_core::clock::Mode;
use sim_core::keys::KeySource;
use sim_core::seed::Seed;

use super::{Listen, Proxies};
use crate::client_env::OuterEnv;
use crate::clusters::{Backend, RealOptions};
use crate::images::Agents;
use crate::state::WorldName;

/// What [`super::World::start`] makes a world of.
#[derive(Debug)]
pub struct WorldConfig {
    /// Its name; also the name of its cluster and of the cluster's context.
    pub name: WorldName,
    /// How its clock moves.
    pub mode: Mode,
    /// What names, ids and draws come from.
    pub seed: Seed,
    /// The cloud.
    pub cloud: Profile,
    /// Hosts outside of the simulation that may be reached, as patterns of the gateway.
    pub allow: Vec<String>,
    /// DNS suffixes that the world's authority may also vouch for.
    pub names: Vec<String>,
    /// The proxy through which allowed hosts are reached.
    pub upstream: Option<String>,
    /// Labels of onboarding keys to be made ahead of need.
    pub onboarding_keys: Vec<String>,
    /// Where its listeners are.
    pub listen: Listen,
    /// The customer's proxies before clients and agents.
    pub proxies: Proxies,
    /// How the cluster is made.
    pub backend: Backend,
    /// What else is said about a real cluster.
    pub real: RealOptions,
    /// The user's own environment, for the programs that make a real cluster.
    pub outer: OuterEnv,
    /// A private folder for the world's files. It exists, and outlives the world.
    pub dir: PathBuf,
    /// What the agents are in an embedded cluster.
    pub agents: Agents,
    /// The nodes of an embedded cluster.
    pub nodes: Vec<NodeSpec>,
    /// The world's time at its start; the present when left out.
    pub start: Option<Timestamp>,
    /// Where RSA keys come from.
    pub keys: KeySource,
}
