//! `Microsoft.Authorization`: locks, role assignments and role definitions, and what they forbid.
//!
//! Roles are looked at where the profile says so. Not modelled: custom roles, deny assignments, conditions, policies.

mod assignments;
mod definitions;
mod evaluate;
mod locks;

use jiff::Timestamp;
use sim_core::ledger::Txn;

pub(super) use evaluate::{check as check_roles, refusal};
pub(super) use locks::check as check_locks;

use super::refusal::Refusal;
use super::seam::{Call, Manner, Provider, Reply, TypeSpec, Verb};
use super::target::Target;
use crate::lro::{Operation, State};

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.Authorization";

const fn spec(name: &'static str) -> TypeSpec {
    let verbs = &[Verb::Get, Verb::Put, Verb::Delete];
    TypeSpec { name, verbs, actions: &[], list: true, gated: false, manner: Manner::Own }
}

const TYPES: &[TypeSpec] = &[spec("locks"), spec("roleAssignments"), spec("roleDefinitions")];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Authorization;

impl Provider for Authorization {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn types(&self) -> &'static [TypeSpec] {
        TYPES
    }

    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        let (Target::Collection(typed) | Target::Resource(typed)) = call.target else {
            return Err(Refusal::not_modelled("this path of Microsoft.Authorization"));
        };
        match typed.type_name().to_ascii_lowercase().as_str() {
            "locks" => locks::handle(call, typed, txn),
            "roleassignments" => assignments::handle(call, typed, txn),
            _ => definitions::handle(call, typed),
        }
    }

    fn settle(&self, _: &Operation, outcome: State, _: Timestamp, _: &mut Txn<'_>) -> State {
        outcome
    }
}
