//! The verbs of `extensions` (recordings of the service; API model of 2023-05-01).
//!
//! What agents do about an extension is not modelled: it succeeds after a while, as with agents that install it well.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sim_core::ledger::{Row, Txn};

use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Call, Reply, Timing, Verb};
use super::super::target::Typed;
use super::super::tracked::{self, Plan};
use super::body;
use crate::lro::{Document, Form, Operation, State};
use crate::profile::Style;
use crate::store::resources;

/// In recordings it takes one to five minutes until the agents have installed an extension.
const WRITE: Timing = Timing { style: Style::AsyncOperation, span: Duration::from_secs(90), retry_after: 10 };
const DELETE: Timing = Timing { style: Style::Both, span: Duration::from_secs(30), retry_after: 10 };

/// What an extension without a pinned version ends up with.
const CURRENT: &str = "1.0.0";

/// From this version on, versions and system extensions are told apart.
fn shown(call: &Call<'_>, mut extension: Value) -> Value {
    if call.version < "2022-11-01"
        && let Some(properties) = extension.get_mut("properties").and_then(Value::as_object_mut)
    {
        let current = properties.shift_remove("currentVersion").unwrap_or_default();
        properties.shift_remove("isSystemExtension");
        if properties.get("version").is_none_or(Value::is_null) {
            properties.insert("version".into(), current);
        }
    }
    extension
}

/// Below the extension; its cluster's type is spelled in the provider's own way.
fn document(resource: &Value, region: &str, running: &str) -> impl Fn(&str) -> Document + use<> {
    let path = tracked::text(resource, "id").replace("/connectedClusters/", "/ConnectedClusters/");
    let running = running.to_owned();
    let home =
        (!region.is_empty()).then(|| format!("https://{region}.rp.kubernetesconfiguration.azure.com{path}"));
    move |id: &str| Document {
        path: format!("{path}/operations/{id}"),
        form: Form::Brief,
        running: running.clone(),
        home: home.clone(),
        ..Document::default()
    }
}

/// Where the cluster is.
fn region(typed: &Typed<'_>, txn: &Txn<'_>) -> String {
    let cluster = typed.host.as_ref().and_then(|host| resources::get(txn, &host.key()));
    cluster.map(|row| tracked::text(&resources::resource(row), "location").to_owned()).unwrap_or_default()
}

fn name(verb: &str) -> String {
    format!("{}/{}/{verb}", super::NAMESPACE, super::EXTENSIONS)
}

pub(super) fn list(call: &Call<'_>, typed: &Typed<'_>, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    let shown = |_: &str, row: &Row| tracked::json_text(&shown(call, resources::resource(row)));
    tracked::list(call, typed, txn, shown).map(Reply::with_null_link)
}

pub(super) fn handle(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let key = typed.key();
    let found = resources::get(txn, &key).cloned();
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, &key, found.as_ref(), txn),
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (_, None) => {
            let text = format!("Extension instance with name '{}' not found.", typed.name());
            Err(Refusal::of_service(Kind::NotFound, "ResourceNotFound", text))
        }
        (Verb::Delete, Some(found)) => Ok(delete(call, &key, &found, txn)),
        (Verb::Patch, Some(found)) => patch(call, &key, &found, txn),
        (_, Some(found)) => Ok(Reply::Ok(Arc::new(shown(call, resources::resource(&found))))),
    }
}

fn put(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    found: Option<&Row>,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    tracked::check_name(typed.name(), 63, "-.", "an extension")?;
    if let Some(found) = found {
        tracked::check_alive(found)?;
    }
    let extension = body::put(call, typed, key, found.map(resources::resource).as_ref(), txn)?;
    let running = if found.is_some() { "Updating" } else { "Creating" };
    let document = document(&extension, &region(typed, txn), running);
    let plan = Plan { name: &name("write"), timing: WRITE, document: &document, hub: false };
    let operation = tracked::begin(call, plan, key, &extension, txn);
    Ok(tracked::written(call, key, extension, operation, found.is_none(), txn, |extension| {
        shown(call, extension)
    }))
}

fn patch(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    tracked::check_alive(found)?;
    let extension = tracked::with_state(body::patch(call, &resources::resource(found))?, "Updating");
    let document = document(&extension, "", "Updating");
    let plan = Plan { name: &name("write"), timing: WRITE, document: &document, hub: false };
    let operation = tracked::begin(call, plan, key, &extension, txn);
    Ok(tracked::written(call, key, extension, operation, false, txn, |extension| shown(call, extension)))
}

/// A forced deletion does not wait for agents. Its reply, the text of an HTTP message, is what the service sends.
fn delete(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Reply {
    if call.query.get("forceDelete").is_some_and(|force| force.eq_ignore_ascii_case("true")) {
        tracked::remove(txn, key);
        return Reply::Ok(Arc::new(json!({
            "version": "1.1",
            "content": { "headers": [] },
            "statusCode": 200,
            "reasonPhrase": "OK",
            "headers": [],
            "trailingHeaders": [],
            "requestMessage": null,
            "isSuccessStatusCode": true,
        })));
    }
    let document = document(&resources::resource(found), "", "Deleting");
    let plan = Plan { name: &name("delete"), timing: DELETE, document: &document, hub: false };
    tracked::delete(call, plan, key, found, txn)
}

/// The end of a write or a delete.
pub(super) fn settle(operation: &Operation, outcome: State, now: Timestamp, txn: &mut Txn<'_>) -> State {
    let failed = matches!(outcome, State::Failed { .. });
    let outcome = tracked::settle(operation, outcome, txn, |extension| {
        let pinned = extension.pointer("/properties/version").filter(|version| version.is_string()).cloned();
        extension["properties"]["currentVersion"] = pinned.unwrap_or_else(|| CURRENT.into());
        extension["systemData"]["lastModifiedAt"] = body::moment(now);
    });
    if failed && let Some(row) = resources::get(txn, &operation.key).cloned() {
        let mut extension = resources::resource(&row);
        extension["properties"]["statuses"] = json!([{
            "code": "InstallationFailed",
            "displayStatus": "Failed",
            "level": "Error",
            "message": "The installation of the extension failed.",
            "time": body::moment(now),
        }]);
        resources::put(txn, &operation.key, &extension, resources::operation(&row));
    }
    outcome
}
