//! `Microsoft.Resources`: Resource Manager's own things. Subscriptions, tenants, locations, namespaces, groups, tags, and the
//! list of all resources.

mod groups;
mod list;
mod namespaces;
mod subscriptions;
mod tagging;

use jiff::Timestamp;
use sim_core::ledger::Txn;

use super::deployments;
use super::refusal::Refusal;
use super::seam::{Call, Manner, Provider, Reply, TypeSpec, Verb};
use super::target::Target;
use crate::lro::{self, Operation, State};

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.Resources";

const fn spec(name: &'static str, verbs: &'static [Verb]) -> TypeSpec {
    TypeSpec { name, verbs, actions: &[], list: false, gated: false, manner: Manner::Own }
}

const READ: &[Verb] = &[Verb::Get];

const TYPES: &[TypeSpec] = &[
    spec("tenants", READ),
    spec("subscriptions", READ),
    spec("subscriptions/locations", READ),
    spec("subscriptions/operationresults", READ),
    spec("locations/operationStatuses", READ),
    spec("providers", &[Verb::Get, Verb::Post]),
    spec("resourceGroups", &[Verb::Get, Verb::Head, Verb::Put, Verb::Patch, Verb::Delete, Verb::Post]),
    spec("resources", READ),
    TypeSpec {
        name: "deployments",
        verbs: &[Verb::Get, Verb::Put, Verb::Delete],
        actions: &["validate", "whatIf", "exportTemplate", "cancel"],
        list: true,
        gated: false,
        manner: Manner::Own,
    },
    TypeSpec {
        name: "deployments/operations",
        verbs: READ,
        actions: &[],
        list: true,
        gated: false,
        manner: Manner::Own,
    },
    TypeSpec {
        name: "deployments/operationStatuses",
        verbs: READ,
        actions: &[],
        list: false,
        gated: false,
        manner: Manner::Own,
    },
    spec("tags", &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete]),
];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Resources;

impl Provider for Resources {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn types(&self) -> &'static [TypeSpec] {
        TYPES
    }

    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        match call.target {
            Target::Tenants => Ok(subscriptions::tenants(call)),
            Target::Subscriptions => Ok(subscriptions::list(call)),
            Target::Subscription { subscription } => subscriptions::get(call, subscription),
            Target::Locations { subscription } => Ok(subscriptions::locations(call, subscription)),
            Target::Namespaces { subscription } => Ok(namespaces::list(call, *subscription, txn)),
            Target::Namespace { subscription, namespace } => {
                namespaces::get(call, *subscription, namespace, txn)
            }
            Target::NamespaceAction { subscription, namespace, action } => {
                namespaces::act(call, subscription, namespace, action, txn)
            }
            Target::Groups { subscription } => groups::list(call, subscription, txn),
            Target::Group { subscription, group } => groups::handle(call, subscription, group, txn),
            Target::Resources { subscription, group } => {
                list::list(call, subscription, group.as_deref(), txn)
            }
            Target::OperationResult { subscription, id } => lro::get(txn, id)
                .filter(|found| found.subscription.eq_ignore_ascii_case(subscription))
                .filter(|found| found.is_readable(call.now, call.profile.operation_retention()))
                .map(|found| Reply::Outcome(Box::new(found)))
                .ok_or_else(|| Refusal::operation_not_found(id)),
            Target::OperationStatus { id, .. } => call.operation(id, txn).map(Reply::Status),
            Target::GroupAction { action, .. } => {
                Err(Refusal::not_modelled(&format!("the action '{action}' of resource groups")))
            }
            Target::Resource(typed) if typed.type_name().eq_ignore_ascii_case("tags") => {
                tagging::handle(call, typed, txn)
            }
            Target::Collection(_) | Target::Resource(_) | Target::Action(_) => deployments::handle(call, txn),
            _ => Err(Refusal::not_modelled("this path")),
        }
    }

    fn settle(&self, operation: &Operation, outcome: State, now: Timestamp, txn: &mut Txn<'_>) -> State {
        match operation.name.rsplit('/').nth(1) {
            Some("resourceGroups") => groups::settle(operation, outcome, txn),
            Some("deployments") => deployments::settle(operation, outcome, txn),
            _ => namespaces::settle(operation, outcome, now, txn),
        }
    }
}
