//! The verbs of `connectedClusters` (recordings of the Arc service; API model of 2021-10-01 and later).

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use sim_core::ledger::{Row, Txn};

use super::super::refusal::Refusal;
use super::super::seam::{Call, Reply, Timing, Verb};
use super::super::target::Typed;
use super::super::tracked::{self, Plan};
use super::{body, connectivity, versions};
use crate::lro::{Document, Operation, State};
use crate::profile::Style;
use crate::store::resources;

/// A write takes 3 to 74 s in recordings, 7 s in most.
const WRITE: Timing = Timing { style: Style::AsyncOperation, span: Duration::from_secs(7), retry_after: 10 };
/// A change that is long-running is followed through its `Location` (API model of 2025-12-01-preview).
const PATCH: Timing = Timing { style: Style::Location, span: Duration::from_secs(3), retry_after: 10 };
/// A delete takes 7 s in recordings, and its two headers name the same status document.
const DELETE: Timing = Timing { style: Style::Both, span: Duration::from_secs(7), retry_after: 10 };

pub(super) fn list(call: &Call<'_>, typed: &Typed<'_>, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    tracked::list(call, typed, txn, |key, row| on_the_wire(call, key, row))
}

/// The resource as the call's version shows it now.
fn shown(call: &Call<'_>, mut resource: Value) -> Value {
    if let Some(properties) = resource.get_mut("properties") {
        let status = connectivity::status(properties, call.now);
        properties["connectivityStatus"] = status.as_str().into();
    }
    versions::view(resource, call.version)
}

/// The same as it goes over the wire, made anew only where it could have changed.
fn on_the_wire(call: &Call<'_>, key: &str, row: &Row) -> Bytes {
    call.rendered.get(key, row, call.version, call.now).unwrap_or_else(|| {
        let resource = resources::resource(row);
        let until = connectivity::changes_at(&resource["properties"], call.now);
        let body = tracked::json_text(&shown(call, resource));
        call.rendered.keep(key, row, call.version, call.now..until, body.clone());
        body
    })
}

fn reply(call: &Call<'_>, key: &str, row: &Row) -> Reply {
    let body = on_the_wire(call, key, row);
    Reply::Resource { body, created: false, etag: resources::etag(row), operation: None }
}

pub(super) fn handle(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let Some(group) = typed.group.as_deref() else {
        return Err(Refusal::unknown_type(super::NAMESPACE, call.version));
    };
    let key = typed.key();
    let found = resources::get(txn, &key).cloned();
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, &key, found.as_ref(), txn),
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (_, None) => Err(Refusal::resource_not_found(&typed.full_name(), group)),
        (Verb::Delete, Some(found)) => Ok(delete(call, &key, &found, txn)),
        (Verb::Patch, Some(found)) => patch(call, &key, &found, txn),
        (_, Some(found)) => Ok(reply(call, &key, &found)),
    }
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
    let before = before.as_ref();
    if let (Some(found), Some(before)) = (found, before) {
        tracked::check_alive(found)?;
        tracked::check_location(typed, wanted.location, before)?;
        wanted.check_key(call, before)?;
    }
    let principal = || tracked::principal(call, key, before, txn);
    let resource = wanted.apply(call, typed, principal, before);
    let operation = begin(call, "write", WRITE, key, &resource, txn);
    let resource = tracked::with_state(resource, "Accepted");
    Ok(tracked::written(call, key, resource, operation, true, txn, |resource| shown(call, resource)))
}

fn patch(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    tracked::check_alive(found)?;
    let resource = body::patch(call, &resources::resource(found))?;
    // From this version on a PATCH is a long-running operation; before, it is done at once.
    if call.version >= "2025-12-01" {
        let operation = begin(call, "write", PATCH, key, &resource, txn);
        if operation.style != Style::Immediate {
            resources::put(txn, key, &tracked::with_state(resource, "Updating"), Some(&operation.id));
            return Ok(Reply::Accepted(Box::new(operation)));
        }
        return Ok(tracked::written(call, key, resource, operation, false, txn, |resource| {
            shown(call, resource)
        }));
    }
    resources::put(txn, key, &resource, resources::operation(found));
    let row = resources::get(txn, key).unwrap_or(found);
    Ok(reply(call, key, row))
}

fn begin(
    call: &Call<'_>,
    verb: &str,
    timing: Timing,
    key: &str,
    resource: &Value,
    txn: &mut Txn<'_>,
) -> Operation {
    let location = tracked::text(resource, "location").to_owned();
    let document = |id: &str| Document::hub(super::NAMESPACE, &location, id);
    let name = format!("{}/{}/{verb}", super::NAMESPACE, super::CLUSTERS);
    tracked::begin(call, Plan { name: &name, timing, document: &document, hub: true }, key, resource, txn)
}

fn delete(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Reply {
    let location = tracked::text(&resources::resource(found), "location").to_owned();
    let document = |id: &str| Document::hub(super::NAMESPACE, &location, id);
    let name = format!("{}/{}/delete", super::NAMESPACE, super::CLUSTERS);
    let plan = Plan { name: &name, timing: DELETE, document: &document, hub: true };
    tracked::delete(call, plan, key, found, txn)
}

/// The end of a write or a delete.
pub(super) fn settle(operation: &Operation, outcome: State, txn: &mut Txn<'_>) -> State {
    tracked::settle(operation, outcome, txn, |_| {})
}
