//! Resource groups (ARM resource group API; recordings of create, update, list and delete).

use std::sync::Arc;
use std::time::Duration;

use arm_wire::error::ArmError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sim_core::ledger::{Row, Txn};

use super::super::catalog::regions::Region;
use super::super::page::{Filter, page};
use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Call, Reply, Subject, Timing, Verb};
use super::super::target::scope::within;
use super::super::{tags, tracked};
use crate::lro::{self, Document, Operation, State};
use crate::profile::Style;
use crate::store::{self, GROUPS, LOCKS, RESOURCES, ROLE_ASSIGNMENTS, Rows, groups, resources};

/// How long an empty group takes to go, in world time.
const DELETE: Timing = Timing { style: Style::Location, span: Duration::from_secs(20), retry_after: 15 };

/// Longest name.
const LONGEST: usize = 90;

pub(super) fn list(call: &Call<'_>, subscription: &str, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    let filter = Filter::of(call.query)?;
    let prefix = resources::prefix(subscription, None);
    let rows = txn.rows(GROUPS, &prefix).filter(|(_, row)| filter.accepts(&row.value));
    page(call.query, rows, |_, row: &Row| tracked::json_text(&row.value)).map(Reply::Page)
}

pub(super) fn handle(
    call: &Call<'_>,
    subscription: &str,
    group: &str,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    let found = groups::get(txn, subscription, group).cloned();
    if call.verb == Verb::Put {
        return put(call, subscription, group, found, txn);
    }
    let found = found.ok_or_else(|| Refusal::group_not_found(group))?;
    match call.verb {
        Verb::Head => Ok(Reply::Nothing),
        Verb::Patch => patch(call, subscription, group, &found, txn),
        Verb::Delete => delete(call, subscription, group, &found, txn),
        _ => Ok(Reply::Ok(found)),
    }
}

fn body<'a>(call: &Call<'a>) -> Result<&'a Map<String, Value>, Refusal> {
    call.body
        .and_then(Value::as_object)
        .ok_or_else(|| Refusal::invalid_content("the body must be a JSON object"))
}

fn check_name(group: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_alphanumeric() || "-_().".contains(c);
    if group.chars().count() > LONGEST || group.ends_with('.') || !group.chars().all(allowed) {
        let text = format!(
            "The provided resource group name '{group}' has these invalid characters or is too long: names have 1 to \
             {LONGEST} letters, digits, '-', '_', '(', ')' and '.', and do not end in '.'."
        );
        return Err(Refusal::gateway(Kind::Invalid, "InvalidResourceGroup", text));
    }
    Ok(())
}

fn region(call: &Call<'_>, location: &str) -> Result<&'static Region, Refusal> {
    tags::region(call.profile, location).ok_or_else(|| {
        let known: Vec<&str> = tags::regions(call.profile).map(|region| region.name).collect();
        Refusal::gateway(
            Kind::Invalid,
            "LocationNotAvailableForResourceGroup",
            format!(
                "The provided location '{location}' is not available for resource group. List of available regions \
                 is '{}'.",
                known.join(",")
            ),
        )
    })
}

fn put(
    call: &Call<'_>,
    subscription: &str,
    group: &str,
    found: Option<Arc<Value>>,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    check_name(group)?;
    let body = body(call)?;
    let location = tags::text(body, "location")?.ok_or_else(Refusal::location_required)?;
    let location = region(call, location)?.name;
    if let Some(found) = &found {
        if groups::is_deleting(found) {
            return Err(Refusal::group_being_deleted(group));
        }
        let there = found.get("location").and_then(Value::as_str).unwrap_or_default();
        if there != location {
            let text = format!(
                "Invalid resource group location '{location}'. The Resource group already exists in location '{there}'."
            );
            return Err(Refusal::gateway(Kind::Conflict, "InvalidResourceGroupLocation", text));
        }
    }
    let mut value = json!({
        "id": format!("/subscriptions/{subscription}/resourceGroups/{group}"),
        "name": group,
        "type": arm_wire::group::TYPE,
        "location": location,
    });
    if let Some(manager) = tags::text(body, "managedBy")? {
        value["managedBy"] = manager.into();
    }
    if let Some(tags) = tags::read(body)? {
        value["tags"] = Value::Object(tags);
    }
    value["properties"] = json!({ "provisioningState": "Succeeded" });
    groups::put(txn, subscription, group, value.clone());
    let value = Arc::new(value);
    Ok(if found.is_some() { Reply::Ok(value) } else { Reply::Created(value) })
}

fn patch(
    call: &Call<'_>,
    subscription: &str,
    group: &str,
    found: &Value,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    if groups::is_deleting(found) {
        return Err(Refusal::group_being_deleted(group));
    }
    let body = body(call)?;
    let mut value = found.clone();
    if let Some(tags) = tags::read(body)? {
        value["tags"] = Value::Object(tags);
    }
    if let Some(manager) = tags::text(body, "managedBy")? {
        value["managedBy"] = manager.into();
    }
    groups::put(txn, subscription, group, value.clone());
    Ok(Reply::Ok(Arc::new(value)))
}

/// How long a group's name may be in the id of its deletion, and how much of a longer one stays.
const JOB_NAME: usize = 64;
const JOB_START: usize = 47;

/// The id of a group deletion, as the real service makes it: base64url of a JSON text with the job's name, in which
/// some characters are written as a colon and their code, and long names end in a hash (ours is another one).
fn job(group: &str, location: &str) -> String {
    let mut name = group.to_uppercase().replace('-', ":2D").replace('_', ":5F").replace('.', ":2E");
    if name.len() > JOB_NAME {
        // FNV-1a: short, stable, and told apart is all that it has to be.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let start: String = name.chars().take(JOB_START).collect();
        name = format!("{start}|{hash:016X}");
    }
    let text = json!({
        "jobId": format!("RESOURCEGROUPDELETIONJOB-{name}-{}", location.to_uppercase()),
        "jobLocation": location,
    });
    URL_SAFE_NO_PAD.encode(text.to_string())
}

fn delete(
    call: &Call<'_>,
    subscription: &str,
    group: &str,
    found: &Value,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    let location = found.get("location").and_then(Value::as_str).unwrap_or_default();
    let id = job(group, location);
    if groups::is_deleting(found)
        && let Some(operation) = lro::get(txn, &id).filter(Operation::is_running)
    {
        return Ok(Reply::Accepted(Box::new(operation)));
    }
    let document = Document { timeout: None, ..Document::hub(super::NAMESPACE, location, &id) };
    let subject = Subject {
        operation: id,
        id: found.get("id").and_then(Value::as_str).unwrap_or_default(),
        key: &store::key(&[subscription, group]),
        location,
        document,
    };
    let draft = call.draft("Microsoft.Resources/subscriptions/resourceGroups/delete".into(), DELETE, subject);
    let operation = lro::begin(txn, draft, call.now);
    set_state(txn, subscription, group, found, "Deleting");
    Ok(Reply::Accepted(Box::new(operation)))
}

fn set_state(txn: &mut Txn<'_>, subscription: &str, group: &str, found: &Value, state: &str) {
    let mut value = found.clone();
    value["properties"] = json!({ "provisioningState": state });
    groups::put(txn, subscription, group, value);
}

/// Removes what is in a group in the order of dependence: children and extensions before what they belong to, what stands
/// on a cluster before clusters; then roles and locks, then the group.
fn cascade(txn: &mut Txn<'_>, subscription: &str, group: &str) {
    let prefix = resources::prefix(subscription, Some(group));
    let mut keys: Vec<String> = txn.rows(RESOURCES, &prefix).map(|(key, _)| key.to_owned()).collect();
    let stands_on_another = |key: &str| !key.contains("/microsoft.extendedlocation/");
    keys.sort_by_key(|key| (std::cmp::Reverse(key.matches('/').count()), stands_on_another(key)));
    keys.iter().for_each(|key| resources::delete(txn, key));
    let scope = format!("/subscriptions/{subscription}/resourceGroups/{group}");
    for table in [LOCKS, ROLE_ASSIGNMENTS] {
        let gone: Vec<String> = txn
            .rows(table, "")
            .filter(|(key, _)| within(key.split('|').next().unwrap_or_default(), &scope))
            .map(|(key, _)| key.to_owned())
            .collect();
        gone.iter().for_each(|key| {
            txn.delete(table, key);
        });
    }
    groups::delete(txn, subscription, group);
}

/// The end of a deletion: everything in the group goes, deepest first; or the group is as before.
pub(super) fn settle(operation: &Operation, outcome: State, txn: &mut Txn<'_>) -> State {
    let Some((subscription, group)) = operation.key.split_once('/') else { return outcome };
    if outcome == State::Succeeded {
        cascade(txn, subscription, group);
        return outcome;
    }
    if let Some(found) = groups::get(txn, subscription, group).cloned() {
        set_state(txn, subscription, group, &found, "Succeeded");
    }
    match outcome {
        State::Failed { error } => State::Failed { error: blocked(operation, error) },
        other => other,
    }
}

fn blocked(operation: &Operation, cause: ArmError) -> ArmError {
    let group = operation.subject.rsplit('/').next().unwrap_or_default();
    let text = format!(
        "Deletion of resource group '{group}' failed as resources could not be deleted. The provisioning state of the \
         resource group will be rolled back."
    );
    ArmError::new("ResourceGroupDeletionBlocked", text).detail(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_has_the_id_that_the_real_service_gives_it() {
        assert_eq!(
            job("cli_record_test_tc_000999990", "eastus2euap"),
            "eyJqb2JJZCI6IlJFU09VUkNFR1JPVVBERUxFVElPTkpPQi1DTEk6NUZSRUNPUkQ6NUZURVNUOjVGVEM6NUYwMDA5OTk5OTAtRUFTVFVTMkVVQVAiLCJqb2JMb2NhdGlvbiI6ImVhc3R1czJldWFwIn0"
        );
    }
}
