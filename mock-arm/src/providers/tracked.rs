//! What the resources of all providers have in common: who made them, where they stand, what works on them.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sim_core::ledger::{Row, Txn};

use super::catalog;
use super::page::page;
use super::refusal::{Kind, Refusal};
use super::seam::{Call, Page, Reply, Subject, Timing};
use super::tags;
use super::target::Typed;
use crate::lro::{self, Document, Operation, State};
use crate::profile::Style;
use crate::store::time::precise;
use crate::store::{RESOURCES, Rows, identities, resources};

/// The text at `member` of a resource; empty when there is none.
pub(super) fn text<'a>(resource: &'a Value, member: &str) -> &'a str {
    resource.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Who made a resource and who changed it last, when the call changes it now.
pub(super) fn system_data(call: &Call<'_>, found: Option<&Value>) -> Value {
    let now = [
        ("By", Value::from(call.actor.id.to_string())),
        ("ByType", call.actor.kind.into()),
        ("At", precise(call.now).into()),
    ];
    let mut data = Map::new();
    for (part, value) in &now {
        let name = format!("created{part}");
        let known = found.and_then(|found| found.pointer(&format!("/systemData/{name}"))).cloned();
        data.insert(name, known.unwrap_or_else(|| value.clone()));
    }
    for (part, value) in now {
        data.insert(format!("lastModified{part}"), value);
    }
    Value::Object(data)
}

/// The principal of the system-assigned identity of `key`: the one it has, or a new one.
pub(super) fn principal(call: &Call<'_>, key: &str, found: Option<&Value>, txn: &mut Txn<'_>) -> String {
    let known = found.and_then(|found| found.pointer("/identity/principalId")).and_then(Value::as_str);
    match known {
        Some(known) => known.to_owned(),
        None => call.seed.uuid(&format!("identity/{key}/{}", identities::next(txn, key))).to_string(),
    }
}

/// The region's name, if the type can be created there.
pub(super) fn location(
    call: &Call<'_>,
    namespace: &str,
    kind: &str,
    wanted: &str,
) -> Result<&'static str, Refusal> {
    let entry = catalog::find(namespace).and_then(|known| known.find(kind));
    let offered = entry.map(catalog::TypeEntry::regions).unwrap_or_default();
    let region = tags::region(call.profile, wanted).filter(|region| offered.contains(&region.display));
    region.map(|region| region.name).ok_or_else(|| {
        let regions: Vec<String> = offered.iter().map(|name| catalog::regions::normalize(name)).collect();
        Refusal::gateway(
            Kind::Invalid,
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{wanted}' is not available for resource type '{namespace}/{kind}'. List of \
                 available regions for the resource type is '{}'.",
                regions.join(",")
            ),
        )
    })
}

/// Refuses to make a resource in another region than the one where it is.
pub(super) fn check_location(typed: &Typed<'_>, location: &str, found: &Value) -> Result<(), Refusal> {
    let there = text(found, "location");
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

/// Refuses names that are too long or have other characters than letters, digits and those of `also`.
pub(super) fn check_name(name: &str, longest: usize, also: &str, what: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || also.contains(c);
    if !name.is_empty() && name.len() <= longest && name.chars().all(allowed) {
        return Ok(());
    }
    let text = format!(
        "The name '{name}' is no name of {what}: 1 to {longest} letters, digits and any of '{also}'."
    );
    Err(Refusal::service(Kind::Invalid, "InvalidResourceName", text))
}

/// Whether the resource of a row is on its way out.
pub(super) fn is_deleting(row: &Row) -> bool {
    resources::state(row) == Some("Deleting")
}

/// Fails when a resource is on its way out. What the real service says then is not known; the code is ours.
pub(super) fn check_alive(found: &Row) -> Result<(), Refusal> {
    if is_deleting(found) {
        let resource = resources::resource(found);
        let text = format!(
            "The resource '{}' is being deleted. Wait until the deletion has ended.",
            text(&resource, "name")
        );
        return Err(Refusal::service(Kind::Conflict, "Conflict", text));
    }
    Ok(())
}

/// The resource with another `provisioningState`.
pub(super) fn with_state(mut resource: Value, state: &str) -> Value {
    resource["properties"]["provisioningState"] = state.into();
    resource
}

/// What kind of operation begins.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    /// What it does, as a permission would name it.
    pub(super) name: &'a str,
    /// Its built-in style and timing.
    pub(super) timing: Timing,
    /// Where its status is read, given its id.
    pub(super) document: &'a dyn Fn(&str) -> Document,
    /// Whether ids are a guid, a star and 64 hexadecimal digits, as those of the provider hub are.
    pub(super) hub: bool,
}

/// Begins an operation on `resource`.
pub(super) fn begin(
    call: &Call<'_>,
    plan: Plan<'_>,
    key: &str,
    resource: &Value,
    txn: &mut Txn<'_>,
) -> Operation {
    let draw =
        |part: &str| call.seed.uuid(&format!("operation/{}/{key}/{}/{part}", plan.name, txn.revision()));
    let mut id = draw("0").to_string();
    if plan.hub {
        id = format!("{id}*{}{}", draw("1").simple(), draw("2").simple());
        id = id
            .split_once('*')
            .map_or_else(String::new, |(guid, rest)| format!("{guid}*{}", rest.to_uppercase()));
    }
    let document = (plan.document)(&id);
    let subject = Subject {
        operation: id,
        id: text(resource, "id"),
        key,
        location: text(resource, "location"),
        document,
    };
    lro::forget(txn, call.now, call.profile.operation_retention());
    lro::begin(txn, call.draft(plan.name.into(), plan.timing, subject), call.now)
}

/// Writes a resource that `operation` works on, and answers with the form that `shown` gives it. An immediate operation
/// has ended by then, and its resource stands as succeeded.
pub(super) fn written(
    call: &Call<'_>,
    key: &str,
    resource: Value,
    mut operation: Operation,
    created: bool,
    txn: &mut Txn<'_>,
    shown: impl FnOnce(Value) -> Value,
) -> Reply {
    let immediate = operation.style == Style::Immediate;
    let resource = if immediate { with_state(resource, "Succeeded") } else { resource };
    resources::put(txn, key, &resource, Some(&operation.id));
    if immediate {
        lro::finish(txn, &mut operation, State::Succeeded, call.now);
    }
    match resources::get(txn, key) {
        Some(row) => Reply::Resource {
            body: json_text(&shown(resource)),
            created,
            etag: resources::etag(row),
            operation: (!immediate).then(|| Box::new(operation)),
        },
        None => Reply::Nothing,
    }
}

/// A document as it goes over the wire.
pub(super) fn json_text(document: &Value) -> Bytes {
    document.to_string().into()
}

/// Begins to delete the resource of `found`, or tells of the deletion that is under way.
pub(super) fn delete(call: &Call<'_>, plan: Plan<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Reply {
    let running = resources::operation(found).and_then(|id| lro::get(txn, id)).filter(Operation::is_running);
    if let Some(mut operation) = running.filter(|_| is_deleting(found)) {
        operation.etag = resources::etag(found);
        return Reply::Accepted(Box::new(operation));
    }
    let resource = resources::resource(found);
    let mut operation = begin(call, plan, key, &resource, txn);
    if operation.style == Style::Immediate {
        lro::finish(txn, &mut operation, State::Succeeded, call.now);
        remove(txn, key);
        return Reply::Nothing;
    }
    resources::put(txn, key, &with_state(resource, "Deleting"), Some(&operation.id));
    operation.etag = resources::get(txn, key).map(resources::etag).unwrap_or_default();
    Reply::Accepted(Box::new(operation))
}

/// Removes a resource and everything below it, deepest first.
pub(super) fn remove(txn: &mut Txn<'_>, key: &str) {
    let below = format!("{key}/");
    let mut keys: Vec<String> = txn.rows(RESOURCES, &below).map(|(key, _)| key.to_owned()).collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.matches('/').count()));
    keys.iter().for_each(|key| resources::delete(txn, key));
    resources::delete(txn, key);
}

/// The end of a write or a delete: `succeeded` brings the resource of a write into its final form. An operation that a
/// later one overtook changes nothing.
pub(super) fn settle(
    operation: &Operation,
    outcome: State,
    txn: &mut Txn<'_>,
    succeeded: impl FnOnce(&mut Value),
) -> State {
    let Some(row) = resources::get(txn, &operation.key).cloned() else { return outcome };
    if resources::operation(&row) != Some(operation.id.as_str()) {
        return outcome;
    }
    if operation.name.ends_with("/delete") && outcome == State::Succeeded {
        remove(txn, &operation.key);
        return outcome;
    }
    let state = match &outcome {
        State::Running | State::Succeeded => "Succeeded",
        State::Failed { .. } => "Failed",
        State::Canceled => "Canceled",
    };
    let mut resource = with_state(resources::resource(&row), state);
    if state == "Succeeded" {
        succeeded(&mut resource);
    }
    resources::put(txn, &operation.key, &resource, Some(&operation.id));
    outcome
}

/// One page of the resources of a list's type, each in the form that `shown` gives it.
pub(super) fn list(
    call: &Call<'_>,
    typed: &Typed<'_>,
    txn: &Txn<'_>,
    shown: impl Fn(&str, &Row) -> Bytes,
) -> Result<Reply, Refusal> {
    let kind = typed.path.last().map(|kind| kind.to_ascii_lowercase()).unwrap_or_default();
    // Below a group, a host or a parent, the type's resources stand together; in a subscription group by group.
    let scattered = typed.group.is_none() && typed.host.is_none();
    let own = format!("{}/{kind}/", typed.key());
    let (prefix, tail) = if scattered {
        let tail = format!("{}/{kind}/", typed.namespace.to_ascii_lowercase());
        (resources::prefix(typed.subscription.unwrap_or_default(), None), tail)
    } else {
        (own, String::new())
    };
    let ours = |key: &str| {
        let rest = key.get(prefix.len()..).unwrap_or_default();
        let rest = if scattered { rest.split_once('/').map_or("", |(_, rest)| rest) } else { rest };
        rest.strip_prefix(tail.as_str()).is_some_and(|name| !name.contains('/'))
    };
    let rows = txn.rows(RESOURCES, &prefix).filter(|(key, row)| ours(key) && is_listed(call, row));
    page(call.query, rows, shown).map(Reply::Page)
}

/// Whether lists show a resource yet: where the profile has them lag, one that was made a moment ago is missing.
pub(super) fn is_listed(call: &Call<'_>, row: &Row) -> bool {
    let lag = std::time::Duration::from_secs(call.profile.list_lag_seconds);
    if lag.is_zero() {
        return true;
    }
    let resource = resources::resource(row);
    let made = resource.pointer("/systemData/createdAt").and_then(Value::as_str);
    let made = made.and_then(|made| made.parse::<jiff::Timestamp>().ok());
    made.is_none_or(|made| sim_core::clock::later(made, lag) <= call.now)
}

/// The resource of a row as it is stored.
pub(super) fn as_stored(_key: &str, row: &Row) -> Bytes {
    Bytes::copy_from_slice(resources::text(row).as_bytes())
}

/// A list that is always complete.
pub(super) fn whole(items: impl IntoIterator<Item = Value>) -> Reply {
    Reply::Page(Page { items: items.into_iter().map(|item| json_text(&item)).collect(), ..Page::default() })
}

/// The operations of a namespace, as `GET /providers/{namespace}/operations` lists them.
pub(super) fn operations(names: &[(&str, &str)]) -> Reply {
    whole(names.iter().map(|(name, display)| {
        let (provider, rest) = name.split_once('/').unwrap_or((name, ""));
        let (resource, operation) = rest.rsplit_once('/').unwrap_or((rest, rest));
        json!({
            "name": name,
            "display": { "provider": provider, "resource": resource, "operation": operation, "description": display },
        })
    }))
}

/// Whether resources of a type are stored as such, so that others can extend them.
pub(super) fn is_stored(namespace: &str, kind: &str) -> bool {
    const STORED: &[(&str, &str)] = &[
        (super::kubernetes::NAMESPACE, super::kubernetes::CLUSTERS),
        (super::configuration::NAMESPACE, super::configuration::EXTENSIONS),
        (super::extended_location::NAMESPACE, super::extended_location::CUSTOM_LOCATIONS),
        (super::hybrid_compute::NAMESPACE, super::hybrid_compute::SCOPES),
        (super::hybrid_compute::NAMESPACE, super::hybrid_compute::GATEWAYS),
    ];
    STORED
        .iter()
        .any(|(known, name)| known.eq_ignore_ascii_case(namespace) && name.eq_ignore_ascii_case(kind))
}

/// The row of a resource that has to be there, by its id: for parents and references.
pub(super) fn find_by_id<'a>(id: &str, txn: &'a Txn<'_>) -> Option<&'a Row> {
    use super::target::Target;
    match Target::parse(id, false) {
        Target::Resource(typed) => resources::get(txn, &typed.key()).filter(|row| !is_deleting(row)),
        _ => None,
    }
}
