//! `Microsoft.Kubernetes`: connected clusters.
//!
//! [`agent`] is what the agents' services read and write; [`connectivity`] computes the status when somebody looks.
//! [`credential`] hands out how to reach a cluster; the relay behind it is not modelled, nor are private link and agentless
//! clusters beyond storing their properties.

pub mod agent;
mod body;
mod clusters;
pub mod connectivity;
mod credential;
mod members;
mod versions;

use jiff::Timestamp;
use sim_core::ledger::Txn;

use super::refusal::Refusal;
use super::seam::{Call, Manner, Provider, Reply, TypeSpec, Verb};
use super::target::Target;
use super::tracked;
use crate::lro::{Operation, State};

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.Kubernetes";
/// The type of connected clusters within it.
pub const CLUSTERS: &str = "connectedClusters";

const TYPES: &[TypeSpec] = &[
    TypeSpec {
        name: CLUSTERS,
        verbs: &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete],
        actions: &["listClusterUserCredential", "listClusterUserCredentials"],
        list: true,
        gated: true,
        manner: Manner::Hub,
    },
    TypeSpec { name: "Operations", verbs: &[], actions: &[], list: true, gated: false, manner: Manner::Hub },
    TypeSpec {
        name: "locations/operationStatuses",
        verbs: &[Verb::Get],
        actions: &[],
        list: false,
        gated: false,
        manner: Manner::Own,
    },
];

/// What may be permitted (Microsoft's published list of operations).
const OPERATIONS: &[(&str, &str)] = &[
    (
        "Microsoft.Kubernetes/register/action",
        "Registers Subscription with Microsoft.Kubernetes resource provider",
    ),
    (
        "Microsoft.Kubernetes/unregister/action",
        "Un-Registers Subscription with Microsoft.Kubernetes resource provider",
    ),
    ("Microsoft.Kubernetes/connectedClusters/Read", "Read connectedClusters"),
    ("Microsoft.Kubernetes/connectedClusters/Write", "Writes connectedClusters"),
    ("Microsoft.Kubernetes/connectedClusters/Delete", "Deletes connectedClusters"),
    (
        "Microsoft.Kubernetes/connectedClusters/listClusterUserCredential/action",
        "List clusterUser credential",
    ),
    ("Microsoft.Kubernetes/locations/operationstatuses/read", "Read Operation Statuses"),
    ("Microsoft.Kubernetes/locations/operationstatuses/write", "Write Operation Statuses"),
    (
        "Microsoft.Kubernetes/operations/read",
        "Lists operations available on Microsoft.Kubernetes resource provider",
    ),
    ("Microsoft.Kubernetes/RegisteredSubscriptions/read", "Reads registered subscriptions"),
];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Kubernetes;

impl Provider for Kubernetes {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn types(&self) -> &'static [TypeSpec] {
        TYPES
    }

    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        match call.target {
            Target::Collection(typed) if typed.type_name().eq_ignore_ascii_case("operations") => {
                Ok(tracked::operations(OPERATIONS))
            }
            Target::Collection(typed) => clusters::list(call, typed, txn),
            Target::Resource(typed) if typed.host.is_none() => clusters::handle(call, typed, txn),
            Target::Action(typed) => credential::list(call, typed, txn),
            Target::OperationStatus { id, .. } => call.operation(id, txn).map(Reply::Status),
            _ => Err(Refusal::not_modelled("this path of Microsoft.Kubernetes")),
        }
    }

    fn settle(&self, operation: &Operation, outcome: State, _now: Timestamp, txn: &mut Txn<'_>) -> State {
        clusters::settle(operation, outcome, txn)
    }
}
