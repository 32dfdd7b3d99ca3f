//! Management locks: inherited downwards, the most restrictive wins (Azure Resource Manager documentation).

use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Call, Reply, Verb};
use super::super::target::scope::within;
use super::super::target::{Target, Typed};
use super::super::{tags, tracked};
use crate::store::{LOCKS, Rows};

/// The scope that a lock's path names, in its casing.
fn scope(typed: &Typed<'_>) -> String {
    typed.host.as_ref().map_or_else(|| typed.container(), |host| host.id())
}

fn key(typed: &Typed<'_>) -> String {
    format!("{}|{}", scope(typed), typed.name()).to_ascii_lowercase()
}

pub(super) fn handle(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    if typed.name().is_empty() {
        let scope = scope(typed);
        let found = txn.rows(LOCKS, "").map(|(_, row)| row.value.clone());
        let found = found.filter(|lock| within(locked(lock), &scope));
        return Ok(tracked::whole(found.map(|lock| (*lock).clone())));
    }
    let key = key(typed);
    let found = txn.row(LOCKS, &key).map(|row| row.value.clone());
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, &key, found.is_some(), txn),
        (Verb::Delete, Some(_)) => {
            txn.delete(LOCKS, &key);
            Ok(Reply::Done)
        }
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (_, Some(lock)) => Ok(Reply::Ok(lock)),
        (_, None) => {
            let text = format!("The lock '{}' could not be found.", typed.name());
            Err(Refusal::gateway(Kind::NotFound, "LockNotFound", text))
        }
    }
}

fn put(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    found: bool,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    tracked::check_name(typed.name(), 260, "-_.() ", "a lock")?;
    let properties = call.object()?.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| Refusal::invalid_content("'properties' is missing"))?;
    let level = tags::text(properties, "level")?.unwrap_or_default();
    let known = ["CanNotDelete", "ReadOnly"].into_iter().find(|known| known.eq_ignore_ascii_case(level));
    let Some(level) = known else {
        let text = format!("the level '{level}' of a lock is not CanNotDelete or ReadOnly");
        return Err(Refusal::invalid_content(&text).target("properties.level"));
    };
    let mut lock = json!({
        "properties": { "level": level },
        "id": format!("{}/providers/{}/locks/{}", scope(typed), super::NAMESPACE, typed.name()),
        "type": "Microsoft.Authorization/locks",
        "name": typed.name(),
        "systemData": tracked::system_data(call, None),
    });
    if let Some(notes) = tags::text(properties, "notes")? {
        lock["properties"]["notes"] = notes.into();
    }
    txn.put(LOCKS, key, lock.clone());
    let lock = Arc::new(lock);
    Ok(if found { Reply::Ok(lock) } else { Reply::Created(lock) })
}

/// The scope that a lock is on.
fn locked(lock: &Value) -> &str {
    let id = tracked::text(lock, "id");
    id.rfind("/providers/Microsoft.Authorization/").and_then(|end| id.get(..end)).unwrap_or_default()
}

/// Refuses what a lock forbids: a delete under any lock at, above or below its scope; another write under a read-only
/// lock at or above it. Locks hold back control-plane requests only, and not the handling of locks and roles.
pub(in super::super) fn check(call: &Call<'_>, txn: &Txn<'_>) -> Result<(), Refusal> {
    let held = matches!(
        call.target,
        Target::Group { .. } | Target::GroupAction { .. } | Target::Resource(_) | Target::Action(_)
    );
    if !held || !call.verb.is_write() || call.target.namespace().eq_ignore_ascii_case(super::NAMESPACE) {
        return Ok(());
    }
    let scope = call.target.scope();
    let deletes = call.verb == Verb::Delete;
    let mut locks: Vec<String> = Vec::new();
    for (_, row) in txn.rows(LOCKS, "") {
        let at = locked(&row.value);
        let read_only = row.value.pointer("/properties/level").is_some_and(|level| level == "ReadOnly");
        let forbids =
            if deletes { within(&scope, at) || within(at, &scope) } else { read_only && within(&scope, at) };
        if forbids && !locks.iter().any(|known| known == at) {
            locks.push(at.to_owned());
        }
    }
    if locks.is_empty() {
        return Ok(());
    }
    Err(Refusal::locked(&scope, if deletes { "delete" } else { "write" }, &locks))
}
