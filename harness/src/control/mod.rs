//! The control interface: how `dryarc` commands reach the process that is the world.
//!
//! HTTP on its own loopback port. Every request carries the bearer token of the world's record and the version of this
//! interface; both are checked before anything else. The routes of the cloud (clock, faults, providers, journal) come
//! from the cloud itself; the ones about the world as a whole are here.

mod client;
mod server;
mod types;

pub use client::{Control, ControlError, Events};
pub use server::{ControlConfig, ControlServer};
pub use types::{ClusterStatus, Problem, Status};

pub use mock_arm::admin::{VERSION, VERSION_HEADER};
