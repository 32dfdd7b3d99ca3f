//! `Microsoft.Resources/tags/default`: the tags of a subscription, a group or a resource, as a resource of their own.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sim_core::ledger::Txn;

use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Call, Reply, Verb};
use super::super::tags;
use super::super::target::Typed;
use crate::store::{Rows, SUBSCRIPTION_TAGS, groups, key, resources};

/// Whose tags they are.
enum Owner {
    Subscription(String),
    Group(String, String),
    Resource(String),
}

fn owner(typed: &Typed<'_>) -> Owner {
    let subscription = typed.subscription.unwrap_or_default().to_owned();
    match (&typed.host, &typed.group) {
        (Some(host), _) => Owner::Resource(host.key()),
        (None, Some(group)) => Owner::Group(subscription, group.clone().into_owned()),
        (None, None) => Owner::Subscription(subscription),
    }
}

fn read(owner: &Owner, txn: &Txn<'_>) -> Map<String, Value> {
    let found = match owner {
        Owner::Subscription(id) => txn.row(SUBSCRIPTION_TAGS, &key(&[id])).map(|row| (*row.value).clone()),
        Owner::Group(subscription, group) => {
            groups::get(txn, subscription, group).and_then(|group| group.get("tags")).cloned()
        }
        Owner::Resource(key) => {
            resources::get(txn, key).and_then(|row| resources::resource(row).get("tags").cloned())
        }
    };
    match found {
        Some(Value::Object(tags)) => tags,
        _ => Map::new(),
    }
}

fn write(owner: &Owner, tags: Map<String, Value>, txn: &mut Txn<'_>) {
    match owner {
        Owner::Subscription(id) => txn.put(SUBSCRIPTION_TAGS, &key(&[id]), Value::Object(tags)),
        Owner::Group(subscription, group) => {
            if let Some(mut found) = groups::get(txn, subscription, group).map(|group| (**group).clone()) {
                found["tags"] = Value::Object(tags);
                groups::put(txn, subscription, group, found);
            }
        }
        Owner::Resource(key) => {
            if let Some(row) = resources::get(txn, key).cloned() {
                let mut resource = resources::resource(&row);
                resource["tags"] = Value::Object(tags);
                resources::put(txn, key, &resource, resources::operation(&row));
            }
        }
    }
}

/// Tag names compare without case, values do not.
fn position(tags: &Map<String, Value>, name: &str) -> Option<String> {
    tags.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned()
}

fn merge(tags: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        let name = position(tags, &name).unwrap_or(name);
        tags.insert(name, value);
    }
}

fn remove(tags: &mut Map<String, Value>, less: &Map<String, Value>) {
    for (name, value) in less {
        if let Some(known) = position(tags, name).filter(|known| tags.get(known) == Some(value)) {
            tags.shift_remove(&known);
        }
    }
}

fn sent(body: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let properties = body.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| Refusal::invalid_content("'properties' is missing"))?;
    Ok(tags::read(properties)?.unwrap_or_default())
}

pub(super) fn handle(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    if !typed.name().eq_ignore_ascii_case("default") {
        let text = format!("The tags '{}' do not exist: there are only those named 'default'.", typed.name());
        return Err(Refusal::gateway(Kind::Invalid, "InvalidTagsResourceName", text));
    }
    let owner = owner(typed);
    let mut found = read(&owner, txn);
    match call.verb {
        Verb::Put => found = sent(call.object()?)?,
        Verb::Delete => found = Map::new(),
        Verb::Patch => {
            let body = call.object()?;
            let more = sent(body)?;
            match tags::text(body, "operation")?.unwrap_or_default().to_ascii_lowercase().as_str() {
                "replace" => found = more,
                "merge" => merge(&mut found, more),
                "delete" => remove(&mut found, &more),
                other => {
                    let text = format!("the operation '{other}' is not Merge, Replace or Delete");
                    return Err(Refusal::invalid_content(&text).target("operation"));
                }
            }
        }
        Verb::Get | Verb::Head | Verb::Post => {}
    }
    if call.verb.is_write() {
        // The limits hold for what comes of it, too.
        let mut check = Map::new();
        check.insert("tags".into(), Value::Object(found.clone()));
        tags::read(&check)?;
        write(&owner, found.clone(), txn);
    }
    if call.verb == Verb::Delete {
        return Ok(Reply::Done);
    }
    let scope = typed.host.as_ref().map_or_else(|| typed.container(), |host| host.id());
    Ok(Reply::Ok(Arc::new(json!({
        "id": format!("{scope}/providers/{}/tags/default", super::NAMESPACE),
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": { "tags": found },
    }))))
}
