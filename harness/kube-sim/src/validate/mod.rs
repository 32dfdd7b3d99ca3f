//! Which objects are refused, and with which words: the field errors of Kubernetes v1.34.
//!
//! Covered: metadata of every kind; pods and what makes them; services, secrets, config maps, namespaces, role bindings
//! and roles, custom resource definitions, ingresses, network policies, claims, volumes, autoscalers, budgets, quotas, limit
//! ranges, priority classes, leases, webhooks. Other kinds pass once their metadata is right. Not covered within those:
//! volume sources, security contexts, affinity.

mod decode;
mod definitions;
mod errors;
mod meta;
mod names;
mod network;
mod objects;
mod pods;
mod policies;
mod quantity;
mod rules;
mod storage;
mod workloads;

use serde_json::Value;

pub(crate) use names::{
    dns_subdomain as dns_subdomain_problems, label_value as label_value_problems,
    qualified as label_key_problems,
};
pub(crate) use quantity::canonical as canonical_quantity;

pub use decode::{duplicate_fields, type_error, unknown_fields};

use crate::status::Cause;
use errors::Errors;

/// What is wrong with an object that has been defaulted; nothing when it is fine. `old` is the object that it replaces.
#[must_use]
pub fn validate(group: &str, kind: &str, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(group, kind, object, old, &mut errors);
    match (group, kind) {
        ("", "Pod") => pods::pod(object, old, &mut errors),
        ("" | "apps" | "batch", _) if workloads::check(kind, object, old, &mut errors) => {}
        _ => objects::check(group, kind, object, old, &mut errors),
    }
    errors.into_causes()
}

/// What is wrong with a new event that came through the newer group of events; in storage form.
#[must_use]
pub(crate) fn new_event(event: &Value) -> Vec<Cause> {
    policies::new_event(event)
}

#[cfg(test)]
mod tests;
