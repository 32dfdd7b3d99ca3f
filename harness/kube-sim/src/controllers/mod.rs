//! The control plane's loops: they make the objects mean something.
//!
//! [`Controllers::start`] runs all of them, the scheduler and the kubelets as one task over the change feed. Every
//! controller is a synchronous, idempotent function of a key; see `manager` for the rules.

mod accounts;
mod cronjob;
mod daemonset;
mod definitions;
mod deployment;
mod disruption;
mod endpoints;
pub(crate) mod events;
mod expiry;
mod garbage;
mod history;
mod job;
mod kinds;
pub(crate) mod manager;
mod namespace;
mod nodes;
pub(crate) mod objects;
pub(crate) mod pods;
pub(crate) mod quantity;
mod quota;
mod replicaset;
pub(crate) mod selector;
mod statefulset;
pub(crate) mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod volumes;

use std::sync::Arc;

use tokio::task::JoinHandle;

use self::kinds::Kinds;
use self::manager::Manager;
use self::store::Store;
use crate::api::Api;
use crate::kubelet::live::LiveContainers;
use crate::kubelet::{Kubelet, KubeletConfig, Logs, Nodes};
use crate::scheduler::Scheduler;
use crate::status::Status;

/// What the controllers are told when they start.
#[derive(Debug, Clone)]
pub struct ControllersConfig {
    /// What the kubelets need.
    pub kubelet: KubeletConfig,
    /// The cluster's certificate authority as PEM, which every namespace gets as ConfigMap `kube-root-ca.crt`.
    pub ca_pem: String,
    /// Where what containers write goes.
    pub logs: Logs,
    /// Where running containers are found.
    pub(crate) live: LiveContainers,
}

/// The running control plane. Dropping it stops everything and kills every child process.
#[derive(Debug)]
pub struct Controllers {
    task: JoinHandle<()>,
}

impl Controllers {
    /// Starts controllers, scheduler and kubelets over `api`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the API lacks a kind that they need.
    pub fn start(api: &Api, config: ControllersConfig) -> Result<Self, Status> {
        let kinds = Arc::new(Kinds::new(api)?);
        let store = Store::new(api.clone(), kinds, "kube-controller-manager");
        let mut manager = Manager::new(api.clone());
        let ControllersConfig { kubelet, ca_pem, logs, live } = config;
        manager.add(|_| accounts::Accounts::new(&store, ca_pem));
        manager.add(|nudger| Nodes::new(&store, kubelet.clone(), &nudger));
        manager.add(|_| deployment::Deployments::new(&store));
        manager.add(|_| replicaset::ReplicaSets::new(&store));
        manager.add(|_| daemonset::DaemonSets::new(&store));
        manager.add(|_| statefulset::StatefulSets::new(&store));
        manager.add(|_| replicaset::ReplicaSets::replication_controllers(&store));
        manager.add(|_| job::Jobs::new(&store));
        manager.add(|_| cronjob::CronJobs::new(&store));
        manager.add(|_| volumes::Volumes::new(&store));
        manager.add(|_| disruption::Budgets::new(&store));
        manager.add(|_| nodes::NodeLifecycle::new(&store));
        manager.add(|_| quota::Quotas::new(&store));
        manager.add(|_| endpoints::Endpoints::new(&store));
        manager.add(|_| garbage::Garbage::new(&store));
        manager.add(|_| definitions::Definitions::new(&store));
        manager.add(|_| namespace::Namespaces::new(&store));
        manager.add(|_| expiry::Expiry::new(&store));
        manager.add(|_| Scheduler::new(&store));
        manager.add(|nudger| Kubelet::new(&store, kubelet, (logs, live), nudger));
        Ok(Self { task: tokio::spawn(manager.run()) })
    }

    /// Stops everything; when this returns, every child process has been killed and the volumes are gone.
    pub async fn shutdown(mut self) {
        self.stop().await;
    }

    /// As [`Controllers::shutdown`], for an owner who keeps the handle.
    pub(crate) async fn stop(&mut self) {
        self.task.abort();
        // The task ends by being cancelled, which is no error here.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Controllers {
    fn drop(&mut self) {
        self.task.abort();
    }
}
