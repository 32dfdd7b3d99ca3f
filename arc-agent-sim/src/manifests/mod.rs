//! The Kubernetes objects of the agents, from one typed description.
//!
//! Names, labels, keys and shapes follow the agents' chart and the documents about it; the text is our own. They
//! satisfy a real API server and the `restricted` pod security standard, as agents from 1.36.1 do: there are no host
//! paths. Not modelled: the pre-delete hook, OpenShift's security context constraint, `guard`, `logcollector`,
//! `extension-events-collector`, Helm's release Secret.

mod config_map;
mod crds;
mod custom;
mod deployments;
mod namespace;
mod network;
mod rbac;
mod secrets;
mod settings;

use serde_json::Value;

pub use settings::{AgentSettings, ProxySettings};

use crate::config::NAMESPACE;

/// Every object of the agents, in the order in which they can be applied one by one: namespace, CRDs, RBAC,
/// configuration, Secrets, Services, custom objects, Deployments.
///
/// A CRD must be established before an object of its kind is accepted; the kinds of the custom objects come from
/// CRDs of this list.
#[must_use]
pub fn objects(settings: &AgentSettings) -> Vec<Value> {
    let mut all = vec![namespace::azure_arc()];
    all.extend(crds::all());
    all.extend(rbac::all(settings));
    all.extend(config_map::all(settings));
    all.extend(secrets::all(settings));
    all.extend(network::all(settings));
    all.extend(custom::all(settings));
    all.extend(deployments::all(settings));
    all
}

/// The CRDs alone: what a forced delete removes besides the namespace and the cluster-wide RBAC.
#[must_use]
pub fn custom_resource_definitions() -> Vec<Value> {
    crds::all()
}

/// Label that every object of the agents has.
const APP: (&str, &str) = ("app.kubernetes.io/name", "azure-arc-k8s");
/// Label that tells the agents apart.
const COMPONENT: &str = "app.kubernetes.io/component";

#[cfg(test)]
mod tests;
