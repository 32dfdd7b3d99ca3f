//! The verbs of `connectedClusters` (recordings of the Arc service; API model of 2021-10-01 and later).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sim_core::ledger::{Row, Txn};

use super::super::page::page;
use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Call, Reply, Subject, Timing, Verb};
use super::super::target::Typed;
use super::{body, connectivity, versions};
use crate::lro::{self, Operation, State};
use crate::profile::Style;
use crate::store::{RESOURCES, Rows, identities, resources};

/// A write takes 3 to 74 s in recordings, 7 s in most.
const WRITE: Timing = Timing { style: Style::AsyncOperation, span: Duration::from_secs(7), retry_after: 10 };
/// A delete takes 7 s in recordings, and its two headers name the same status document.
const DELETE: Timing = Timing { style: Style::Both, span: Duration::from_secs(7), retry_after: 10 };

pub(super) fn list(call: &Call<'_>, typed: &Typed<'_>, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    let prefix = resources::prefix(typed.subscription.unwrap_or_default(), typed.group.as_deref());
    let wanted = crate::store::key(&[super::NAMESPACE, super::CLUSTERS]);
    let ours = |key: &str| {
        let mut parts = key.splitn(3, '/');
        let rest = parts.nth(2).unwrap_or_default();
        rest.strip_prefix(wanted.as_str()).is_some_and(|name| name.starts_with('/'))
    };
    let rows = txn.rows(RESOURCES, &prefix).filter(|(key, _)| ours(key));
    page(call.query, rows.map(|(key, row)| (key, Arc::new(shown(call, row))))).map(Reply::Page)
}

/// The resource as the call's version shows it now.
fn shown(call: &Call<'_>, row: &Row) -> Value {
    let mut resource = resources::resource(row).clone();
    if let Some(properties) = resource.get_mut("properties") {
        let status = connectivity::status(properties, call.now);
        properties["connectivityStatus"] = status.as_str().into();
    }
    versions::view(resource, call.version)
}

fn reply(call: &Call<'_>, row: &Row, created: bool, operation: Option<Operation>) -> Reply {
    Reply::Resource {
        body: Arc::new(shown(call, row)),
        created,
        etag: resources::etag(row),
        operation: operation.map(Box::new),
    }
}

fn is_deleting(row: &Row) -> bool {
    resources::resource(row).pointer("/properties/provisioningState").is_some_and(|state| state == "Deleting")
}

pub(super) fn handle(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let (subscription, group) =
        (typed.subscription.unwrap_or_default(), typed.group.as_deref().unwrap_or_default());
    if group.is_empty() {
        return Err(Refusal::unknown_type(super::NAMESPACE, call.version));
    }
    let key = resources::key_of(subscription, group, super::NAMESPACE, &[super::CLUSTERS, typed.name()]);
    let found = resources::get(txn, &key).cloned();
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, &key, found.as_ref(), txn),
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (_, None) => {
            let name = format!("{}/{}/{}", super::NAMESPACE, super::CLUSTERS, typed.name());
            Err(Refusal::resource_not_found(&name, group))
        }
        (Verb::Delete, Some(found)) => delete(call, &key, &found, txn),
        (Verb::Patch, Some(found)) => patch(call, &key, &found, txn),
        (_, Some(found)) => Ok(reply(call, &found, false, None)),
    }
}

/// Fails when the cluster is on its way out. What the real service says then is not known; the code is ours.
fn check_alive(found: &Row, name: &str) -> Result<(), Refusal> {
    if is_deleting(found) {
        let text = format!("The resource '{name}' is being deleted. Wait until the deletion has ended.");
        return Err(Refusal::service(Kind::Conflict, "Conflict", text));
    }
    Ok(())
}

fn put(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    found: Option<&Row>,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    let wanted = body::Put::read(call, typed)?;
    let before = found.map(resources::resource);
    if let Some(found) = found {
        check_alive(found, typed.name())?;
        check_location(typed, wanted.location, resources::resource(found))?;
    }
    let principal = || call.seed.uuid(&format!("identity/{key}/{}", identities::next(txn, key)));
    let resource = wanted.apply(call, typed, principal, before);
    let operation = begin(call, "write", WRITE, key, &resource, txn);
    let state = if call_is_immediate(&operation) { "Succeeded" } else { "Accepted" };
    let resource = with_state(resource, state);
    finish(call, key, resource, operation, true, txn)
}

fn call_is_immediate(operation: &Operation) -> bool {
    operation.style == Style::Immediate
}

/// Writes the resource and answers; an immediate operation has ended by then.
fn finish(
    call: &Call<'_>,
    key: &str,
    resource: Value,
    mut operation: Operation,
    created: bool,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    resources::put(txn, key, resource, Some(&operation.id));
    let shown = if call_is_immediate(&operation) {
        lro::finish(txn, &mut operation, State::Succeeded, call.now);
        None
    } else {
        Some(operation)
    };
    match resources::get(txn, key) {
        Some(row) => Ok(reply(call, row, created, shown)),
        None => Ok(Reply::Nothing),
    }
}

fn check_location(typed: &Typed<'_>, location: &str, found: &Value) -> Result<(), Refusal> {
    let there = found.get("location").and_then(Value::as_str).unwrap_or_default();
    if there == location {
        return Ok(());
    }
    Err(Refusal::gateway(
        Kind::Conflict,
        "InvalidResourceLocation",
        format!(
            "The resource '{}' already exists in location '{there}' in resource group '{}'. A resource with the same \
             name cannot be created in location '{location}'. Please select a new resource name.",
            typed.name(),
            typed.group.as_deref().unwrap_or_default()
        ),
    ))
}

fn patch(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let before = resources::resource(found);
    check_alive(found, before.get("name").and_then(Value::as_str).unwrap_or_default())?;
    let resource = body::patch(call, before)?;
    resources::put(txn, key, resource, resources::operation(found));
    let row = resources::get(txn, key).unwrap_or(found);
    Ok(reply(call, row, false, None))
}

fn delete(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let running = resources::operation(found).and_then(|id| lro::get(txn, id)).filter(Operation::is_running);
    if let Some(operation) = running.filter(|_| is_deleting(found)) {
        return Ok(Reply::Accepted(Box::new(operation)));
    }
    let resource = resources::resource(found).clone();
    let mut operation = begin(call, "delete", DELETE, key, &resource, txn);
    if call_is_immediate(&operation) {
        lro::finish(txn, &mut operation, State::Succeeded, call.now);
        resources::delete(txn, key);
        return Ok(Reply::Nothing);
    }
    resources::put(txn, key, with_state(resource, "Deleting"), Some(&operation.id));
    Ok(Reply::Accepted(Box::new(operation)))
}

fn with_state(mut resource: Value, state: &str) -> Value {
    resource["properties"]["provisioningState"] = state.into();
    resource
}

fn begin(
    call: &Call<'_>,
    verb: &str,
    timing: Timing,
    key: &str,
    resource: &Value,
    txn: &mut Txn<'_>,
) -> Operation {
    let member = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
    // The real ids are a guid, a star and 64 hexadecimal digits.
    let draw = |part: &str| call.seed.uuid(&format!("operation/{verb}/{key}/{}/{part}", txn.revision()));
    let digits = format!("{}{}", draw("1").simple(), draw("2").simple()).to_uppercase();
    let subject = Subject {
        operation: format!("{}*{digits}", draw("0")),
        id: member("id"),
        key,
        location: member("location"),
    };
    let name = format!("{}/{}/{verb}", super::NAMESPACE, super::CLUSTERS);
    lro::begin(txn, call.draft(name, timing, subject), call.now)
}

/// The end of a write or a delete. An operation that a later one overtook changes nothing.
pub(super) fn settle(operation: &Operation, outcome: State, txn: &mut Txn<'_>) -> State {
    let Some(row) = resources::get(txn, &operation.key).cloned() else { return outcome };
    if resources::operation(&row) != Some(operation.id.as_str()) {
        return outcome;
    }
    let deleted = operation.name.ends_with("/delete") && outcome == State::Succeeded;
    if deleted {
        resources::delete(txn, &operation.key);
        return outcome;
    }
    let state = match &outcome {
        State::Running | State::Succeeded => "Succeeded",
        State::Failed { .. } => "Failed",
        State::Canceled => "Canceled",
    };
    let resource = with_state(resources::resource(&row).clone(), state);
    resources::put(txn, &operation.key, resource, Some(&operation.id));
    outcome
}
