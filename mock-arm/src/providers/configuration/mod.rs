//! `Microsoft.KubernetesConfiguration`: extensions of connected clusters.
//!
//! Not modelled: source control and Flux configurations, extension types, private link scopes, extensions of other clusters.

mod body;
mod extensions;

use jiff::Timestamp;
use sim_core::ledger::Txn;

use super::kubernetes;
use super::refusal::Refusal;
use super::seam::{Call, Manner, Provider, Reply, TypeSpec, Verb};
use super::target::{Target, Typed};
use crate::lro::{Operation, State};

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.KubernetesConfiguration";
/// The type of extensions within it.
pub const EXTENSIONS: &str = "extensions";

const TYPES: &[TypeSpec] = &[TypeSpec {
    name: EXTENSIONS,
    verbs: &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete],
    actions: &[],
    list: true,
    gated: true,
    manner: Manner::Versioned,
}];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Configuration;

/// Extensions are those of connected clusters.
fn check_host(typed: &Typed<'_>) -> Result<(), Refusal> {
    match &typed.host {
        Some(host)
            if host.namespace.eq_ignore_ascii_case(kubernetes::NAMESPACE)
                && host.type_name().eq_ignore_ascii_case(kubernetes::CLUSTERS) =>
        {
            Ok(())
        }
        Some(host) => {
            Err(Refusal::not_modelled(&format!("extensions of '{}/{}'", host.namespace, host.type_name())))
        }
        None => Err(Refusal::not_modelled("extensions without a cluster")),
    }
}

impl Provider for Configuration {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn types(&self) -> &'static [TypeSpec] {
        TYPES
    }

    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        match call.target {
            Target::Collection(typed) => {
                check_host(typed)?;
                extensions::list(call, typed, txn)
            }
            Target::Resource(typed) => {
                check_host(typed)?;
                extensions::handle(call, typed, txn)
            }
            Target::OperationStatus { id, .. } => call.operation(id, txn).map(Reply::Status),
            _ => Err(Refusal::not_modelled("this path of Microsoft.KubernetesConfiguration")),
        }
    }

    fn settle(&self, operation: &Operation, outcome: State, now: Timestamp, txn: &mut Txn<'_>) -> State {
        extensions::settle(operation, outcome, now, txn)
    }
}
