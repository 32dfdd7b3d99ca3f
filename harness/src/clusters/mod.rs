//! The clusters of worlds: one that is embedded, and real ones.
//!
//! A real cluster ([`RealCluster`]) is made by the `kind` program or is any that a kubeconfig context names. It is led into a
//! world without privilege on this machine, and without a change to any pod:
//!
//! - [`relay`]: this process listens on an address that the nodes reach, and hands connections to the gateway;
//! - [`objects`]: a service without pods leads to it from inside of the cluster, on Azure's own ports;
//! - [`names`], [`corefile`]: CoreDNS answers the simulated host names with that service;
//! - a Secret holds the world's clock, authority and seed, and agents read it when they start;
//! - [`images`]: the agents' images, made of this very program, under the names that the charts use.
//!
//! All of it is written down before it is done ([`undo`]), and undone when the world ends or, if its process died, by the next
//! command ([`leftovers`]).

mod backend;
pub mod collect;
pub mod corefile;
mod embedded;
mod error;
pub mod images;
mod kind_cli;
mod kubeconfig;
pub mod leftovers;
pub mod names;
mod node_images;
pub mod objects;
mod real;
pub mod relay;
pub mod remnants;
mod tool;
pub mod undo;

use std::fmt;

use futures::future::BoxFuture;

pub use backend::{Backend, BadBackend, Progress, RealOptions};
pub use error::{ClusterError, Trouble};
pub use kubeconfig::of_context as kubeconfig_of_context;
pub use real::{RealCluster, WorldFacts};

/// A world's cluster, however it is made.
pub trait Cluster: fmt::Debug + Send + Sync {
    /// How it is made, as `--cluster` says it.
    fn backend(&self) -> String;

    /// Where its API server is.
    fn url(&self) -> String;

    /// The text of a kubeconfig whose current context is this cluster, with an administrator's credentials.
    fn kubeconfig(&self) -> String;

    /// Ends it, or leads it out of the world. What cannot be undone stays written down.
    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), ClusterError>>;
}
