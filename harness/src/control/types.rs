//! What the control interface says.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sim_core::clock::Reading;

use crate::state::ProxyPlace;

/// A world at a glance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its name.
    pub world: String,
    /// Version of the program that runs it.
    pub version: String,
    /// The process that is the world.
    pub pid: u32,
    /// When it started, in wall time.
    pub started: Timestamp,
    /// The world's time and how it moves.
    pub clock: Reading,
    /// The seed.
    pub seed: u64,
    /// The gateway.
    pub gateway: SocketAddr,
    /// The cloud's own listener.
    pub cloud: SocketAddr,
    /// The control interface.
    pub control: SocketAddr,
    /// Tenant id.
    pub tenant: String,
    /// Default subscription.
    pub subscription: String,
    /// The clusters.
    pub clusters: Vec<ClusterStatus>,
    /// Hosts outside of the simulation that may be reached.
    pub allow: Vec<String>,
    /// The customer's proxies.
    #[serde(default)]
    pub proxies: Vec<ProxyPlace>,
}

/// One cluster of a world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Its name and the name of its context.
    pub name: String,
    /// How it is made, as `--cluster` says it: `embedded`, `kind=NAME`, `context=NAME`.
    pub backend: String,
    /// Where its API server is.
    pub url: String,
}

/// Why a control request failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// What happened.
    pub error: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
