//! An embedded Kubernetes: API server, controllers and a kubelet that runs processes.
//!
//! Floors, each of which knows only those below it:
//!
//! 1. [`cluster`]: starts and stops everything;
//! 2. [`front`]: the only floor that knows HTTP; [`discovery`] and [`auth`] answer for it;
//! 3. [`controllers`], [`scheduler`], [`kubelet`]: loops over the change feed;
//! 4. [`api`]: the verbs, synchronous functions over one transaction of the ledger;
//! 5. [`schema`], [`patch`], [`tables`], [`defaults`], [`validate`], `rules`, `cron`: pure
//!    functions over JSON and texts;
//! 6. [`registry`]: which kinds exist, as data; [`status`]: the errors that Kubernetes answers.

mod admission;
pub mod api;
pub mod auth;
pub mod bootstrap;
pub mod cluster;
pub mod controllers;
mod cron;
pub mod defaults;
pub mod discovery;
pub mod front;
pub mod kubelet;
mod network;
pub mod patch;
pub mod registry;
mod rules;
pub mod scheduler;
pub mod schema;
pub mod status;
mod streaming;
pub mod tables;
pub mod validate;

/// The Kubernetes version that this cluster reports.
pub const KUBERNETES_VERSION: &str = "v1.34.4";
