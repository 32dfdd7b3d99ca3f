//! Namespaces of a subscription: registration as a process on the world's clock.

use std::sync::Arc;

use arm_wire::error::ArmError;
use jiff::Timestamp;
use serde_json::Value;
use sim_core::ledger::Txn;

use super::super::catalog::{self, Access, Namespace};
use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Call, Page, Reply, Subject, Timing};
use super::super::{authorization, registering, tracked};
use crate::lro::{self, Document, Operation, State};
use crate::profile::{Registration as Plan, RegistrationOutcome, Style};
use crate::store::registrations::{self, Registration};
use crate::store::{RESOURCES, Rows, resources};

fn find(namespace: &str) -> Result<&'static Namespace, Refusal> {
    catalog::find(namespace).ok_or_else(|| Refusal::unknown_namespace(namespace))
}

fn object(call: &Call<'_>, subscription: Option<&str>, namespace: &Namespace, txn: &Txn<'_>) -> Arc<Value> {
    let state = subscription.map(|id| registering::shown(call, id, namespace, txn));
    // A provider object is plain data: it always has a JSON form.
    Arc::new(serde_json::to_value(namespace.object(subscription, state)).unwrap_or_default())
}

pub(super) fn list(call: &Call<'_>, subscription: Option<&str>, txn: &Txn<'_>) -> Reply {
    let items = catalog::namespaces()
        .map(|namespace| tracked::json_text(&object(call, subscription, namespace, txn)))
        .collect();
    Reply::Page(Page { items, ..Page::default() })
}

pub(super) fn get(
    call: &Call<'_>,
    subscription: Option<&str>,
    namespace: &str,
    txn: &Txn<'_>,
) -> Result<Reply, Refusal> {
    Ok(Reply::Ok(object(call, subscription, find(namespace)?, txn)))
}

pub(super) fn act(
    call: &Call<'_>,
    subscription: &str,
    namespace: &str,
    action: &str,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    let namespace = find(namespace)?;
    let (state, _) = registering::standing(call.profile, txn, subscription, namespace);
    let plan = registrations::plan(txn, call.profile, namespace.name);
    if plan.outcome == RegistrationOutcome::Forbidden {
        let action = format!("{}/{action}/action", namespace.name);
        return Err(authorization::refusal(call, &action, &format!("/subscriptions/{subscription}")));
    }
    let register = action.eq_ignore_ascii_case("register");
    match (register, state) {
        (true, Registration::Registered | Registration::Registering)
        | (false, Registration::NotRegistered | Registration::Unregistered | Registration::Unregistering) => {
        }
        (false, _) if namespace.access == Access::RegistrationFree => {
            let text = format!("The namespace '{}' is always registered.", namespace.name);
            return Err(Refusal::gateway(Kind::Conflict, "RegistrationFreeNamespace", text));
        }
        (false, _) if in_use(subscription, namespace, txn) => {
            let text = format!(
                "The namespace '{}' cannot be unregistered while the subscription has resources of it.",
                namespace.name
            );
            return Err(Refusal::gateway(Kind::Conflict, "NamespaceInUse", text));
        }
        (true, _) if plan.outcome == RegistrationOutcome::Never => {}
        _ => begin(call, subscription, namespace, register, &plan, txn),
    }
    Ok(Reply::Ok(object(call, Some(subscription), namespace, txn)))
}

fn in_use(subscription: &str, namespace: &Namespace, txn: &Txn<'_>) -> bool {
    let prefix = resources::prefix(subscription, None);
    let (first, later) = (namespace.name.to_ascii_lowercase(), "/providers/");
    let of_it = |key: &str| {
        let innermost = key.rsplit_once(later).map(|(_, rest)| rest);
        let found = innermost.and_then(|rest| rest.split('/').next()).or_else(|| key.split('/').nth(2));
        found == Some(first.as_str())
    };
    txn.rows(RESOURCES, &prefix).any(|(key, _)| of_it(key))
}

fn begin(
    call: &Call<'_>,
    subscription: &str,
    namespace: &Namespace,
    register: bool,
    plan: &Plan,
    txn: &mut Txn<'_>,
) {
    let action = if register { "register" } else { "unregister" };
    let key = crate::store::key(&[subscription, namespace.name]);
    let span = if register { plan.delay() } else { plan.unregister_delay() };
    let timing = Timing { style: Style::Body, span, retry_after: 10 };
    let subject = Subject {
        operation: call.seed.uuid(&format!("operation/{action}/{key}/{}", txn.revision())).to_string(),
        id: &format!("/subscriptions/{subscription}/providers/{}", namespace.name),
        key: &key,
        location: "",
        document: Document::default(),
    };
    let draft = call.draft(format!("{}/{action}/action", namespace.name), timing, subject);
    let mut operation = lro::begin(txn, draft, call.now);
    if register {
        match plan.outcome {
            RegistrationOutcome::Stuck | RegistrationOutcome::Regional => lro::park(txn, &mut operation),
            RegistrationOutcome::Failed => {
                let text = format!("The registration of '{}' failed.", namespace.name);
                let error = ArmError::new("RegistrationFailed", text);
                lro::decide(txn, &mut operation, State::Failed { error });
            }
            _ => {}
        }
    }
    let state = if register { Registration::Registering } else { Registration::Unregistering };
    registrations::put(txn, subscription, namespace.name, state, call.now);
}

/// The end of a registration or unregistration. What does not succeed goes back to where it was.
pub(super) fn settle(operation: &Operation, outcome: State, now: Timestamp, txn: &mut Txn<'_>) -> State {
    let Some(namespace) = operation.subject.rsplit('/').next() else { return outcome };
    let register = operation.name.ends_with("/register/action");
    let state = match (register, &outcome) {
        (true, State::Succeeded) => Registration::Registered,
        (true, _) => Registration::NotRegistered,
        (false, State::Succeeded) => Registration::Unregistered,
        (false, _) => Registration::Registered,
    };
    registrations::put(txn, &operation.subscription, namespace, state, now);
    outcome
}
