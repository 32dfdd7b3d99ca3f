//! A world: one cloud, one clock, one seed, one fault set, one journal, one gateway, one cluster, all in this process.
//!
//! [`World`] is the library's value: two of them can live in one process. [`Hosted`] is a world with a folder of its
//! own, the files that clients need, and a control interface: what `dryarc up` runs.

mod clock;
mod cluster;
mod config;
mod hosted;
mod listen;
mod profile;
mod proxies;
mod reception;
mod start;

pub use clock::{BadMode, DEFAULT_SPEED, at_speed, mode};
pub use config::WorldConfig;
pub use hosted::Hosted;
pub use listen::{Listen, default_gateway, reached};
pub use profile::{ProfileError, WorldProfile};
pub use proxies::{Egress, Proxies, ProxyFileError, read_proxy};
pub use reception::{HostError, HostOptions, Reception, prepared};
pub use start::{StartError, World};

pub use crate::clusters::{Backend, BadBackend};
