//! The Kubernetes objects of the agents, from one typed description.
//!
//! Names, labels, keys and shapes follow the agents' chart and the documents about it; the text is our own. They
//! satisfy a real API server and the `restricted` pod security standard, as agents from 1.36.1 do: there are no host
//! paths. They are what the chart under `fixtures/charts` renders to, object by object; the CRDs are in the chart's folder
//! `crds`, which Helm installs and never removes. Not modelled: OpenShift's security context constraint, Secrets of
//! `guard`.

mod checks;
mod config_map;
mod crds;
mod custom;
mod deployments;
mod namespace;
mod network;
mod rbac;
mod release;
mod secrets;
mod settings;
mod values;

use serde_json::Value;

pub use checks::{
    CHECKS_CHART, CHECKS_CONTAINER, CHECKS_JOB, CHECKS_RELEASE, CheckSettings, check_template_of, checks,
};
pub use release::{CHART, RELEASE, RELEASE_NAMESPACE, owned, owned_by, template_of};
pub use secrets::onboarding as onboarding_secret;
pub use settings::{AgentSettings, Guard, Overrides, ProxySettings, ReadinessProbe};
pub use values::{Values, ValuesError, set};

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

/// What the chart renders to: every object but the CRDs, in the same order.
#[must_use]
pub fn rendered(settings: &AgentSettings) -> Vec<Value> {
    let is_definition = |object: &Value| object["kind"] == "CustomResourceDefinition";
    objects(settings).into_iter().filter(|object| !is_definition(object)).collect()
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
