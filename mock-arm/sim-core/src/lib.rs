//! Kernel of the simulation: everything that the fake cloud, the embedded cluster, the proxy and the agents
//! share and that knows neither ARM nor Kubernetes.
//!
//! - [`clock`]: the only source of time, world and wall; [`clock_link`] shares it with child processes.
//! - [`seed`]: the only source of randomness that shapes behaviour.
//! - [`ledger`]: the revisioned store under the cloud and the cluster.
//! - [`journal`]: what happened, in the world's time.
//! - [`faults`]: rules that say where and how something goes wrong.
//! - [`keys`] and [`pki`]: key pairs, certificate authorities, TLS configurations.
//! - [`net`]: how a simulated client reaches a host: resolver, dialer, trust, proxy.

pub mod clock;
pub mod clock_link;
pub mod faults;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod net;
pub mod pki;
pub mod seed;
mod timers;
