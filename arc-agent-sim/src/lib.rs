//! Simulated Azure Arc agents, one role per process.
//!
//! They are real clients of a Kubernetes API server and of Azure's endpoints, and hand over to each other as the real
//! agents do: onboarding key, identity certificate, tokens, metadata, heartbeat. [`run`] is one role, wherever it runs:
//! as a task ([`run_named`]), as a child process ([`main_from_env`]) or as a container. [`manifests`] holds the objects that deploy
//! them, [`images`] says which image is which role.

mod agent;
mod config;
mod error;
mod identity;
pub mod images;
mod jobs;
pub mod kube_client;
mod launch;
mod leader;
mod log;
pub mod manifests;
mod membership;
mod pace;
mod protocol;
mod role;
mod roles;
mod serve;
mod task;
#[cfg(test)]
mod testing;

pub use agent::{RoleContext, run};
pub use config::{AgentConfig, ConfigError, NAMESPACE};
pub use error::AgentError;
pub use jobs::Job;
pub use kube_client::{KubeClientError, from_kubeconfig, kube_client};
pub use launch::{SIDECAR, main_from_env};
pub use log::{AgentLog, Level};
pub use membership::{WORLD_NAMESPACE, WORLD_SECRET};
pub use protocol::jwk::Jwk;
pub use role::{Role, UnknownRole};
pub use task::run_named;
pub use tokio_util::sync::CancellationToken;
