//! `Microsoft.Kubernetes`: connected clusters.
//!
//! [`agent`] is what the agents' services read and write; [`connectivity`] computes the status when somebody looks.
//! Not modelled: `listClusterUserCredential`, private link, agentless clusters beyond storing their properties.

pub mod agent;
mod body;
mod clusters;
pub mod connectivity;
mod versions;

use jiff::Timestamp;
use sim_core::ledger::Txn;

use super::refusal::Refusal;
use super::seam::{Call, Provider, Reply, TypeSpec, Verb};
use super::target::Target;
use crate::lro::{self, Operation, State};

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.Kubernetes";
/// The type of connected clusters within it.
pub const CLUSTERS: &str = "connectedClusters";

const TYPES: &[TypeSpec] = &[
    TypeSpec {
        name: CLUSTERS,
        verbs: &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete],
        list: true,
        gated: true,
        hub: true,
    },
    TypeSpec {
        name: "locations/operationStatuses",
        verbs: &[Verb::Get],
        list: false,
        gated: false,
        hub: true,
    },
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
            Target::Collection(typed) => clusters::list(call, typed, txn),
            Target::Resource(typed) if !typed.extension => clusters::handle(call, typed, txn),
            Target::OperationStatus { id, .. } => status(id, txn),
            _ => Err(Refusal::not_modelled("this path of Microsoft.Kubernetes")),
        }
    }

    fn settle(&self, operation: &Operation, outcome: State, _now: Timestamp, txn: &mut Txn<'_>) -> State {
        clusters::settle(operation, outcome, txn)
    }
}

fn status(id: &str, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    let operation = lro::get(txn, id).filter(|found| found.namespace.eq_ignore_ascii_case(NAMESPACE));
    operation.map(|found| Reply::Status(Box::new(found))).ok_or_else(|| Refusal::operation_not_found(id))
}
