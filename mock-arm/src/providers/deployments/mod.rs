//! `Microsoft.Resources/deployments`: templates whose resources are all modelled (deployments API of 2021-04-01).
//!
//! A deployment applies all of its resources at once, in the order of their dependence and in one transaction, so that a
//! template that cannot be applied changes nothing; it runs until the operations of its resources have ended. Not modelled:
//! complete mode, linked and nested templates, copies, scripts, and template functions beyond those of [`expression`].

mod apply;
mod expression;
mod template;

use std::sync::Arc;
use std::time::Duration;

use arm_wire::error::ArmError;
use serde_json::{Value, json};
use sim_core::ledger::Txn;

use super::refusal::Refusal;
use super::seam::{Call, Reply, Subject, Timing, Verb};
use super::target::{Target, Typed};
use super::{tags, tracked};
use crate::lro::{self, Document, Form, Operation, State};
use crate::profile::Style;
use crate::store::time::precise;
use crate::store::{DEPLOYMENTS, Rows, resources};

/// The type within `Microsoft.Resources`.
pub const DEPLOYMENTS_TYPE: &str = "deployments";

const WRITE: Timing = Timing { style: Style::AsyncOperation, span: Duration::from_secs(5), retry_after: 5 };

/// Answers a call on deployments.
pub(super) fn handle(call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let (Target::Collection(typed) | Target::Resource(typed) | Target::Action(typed)) = call.target else {
        return Err(Refusal::not_modelled("this path of deployments"));
    };
    if typed.group.is_none() || typed.host.is_some() {
        return Err(Refusal::not_modelled("deployments outside of resource groups"));
    }
    let key = typed.key();
    match call.target {
        Target::Action(_) => validate(call, typed, txn),
        Target::Collection(typed) if typed.path.len() > 1 => operations(typed, &key, txn),
        Target::Collection(_) => {
            let prefix = format!("{key}/{DEPLOYMENTS_TYPE}/");
            Ok(tracked::whole(txn.rows(DEPLOYMENTS, &prefix).map(|(_, row)| resources::resource(row))))
        }
        _ => one(call, typed, &key, txn),
    }
}

fn not_found(typed: &Typed<'_>) -> Refusal {
    let text = format!("Deployment '{}' could not be found.", typed.named());
    Refusal::gateway(super::refusal::Kind::NotFound, "DeploymentNotFound", text)
}

fn one(call: &Call<'_>, typed: &Typed<'_>, key: &str, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let found = txn.row(DEPLOYMENTS, key).map(resources::resource);
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, key, found.is_none(), txn),
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (Verb::Delete, Some(_)) => {
            // Only the record goes; what was deployed stays.
            txn.delete(DEPLOYMENTS, key);
            Ok(Reply::Nothing)
        }
        (_, Some(found)) => Ok(Reply::Ok(Arc::new(found))),
        (_, None) => Err(not_found(typed)),
    }
}

fn put(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    created: bool,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    tracked::check_name(typed.name(), 64, "-_.()", "a deployment")?;
    let applied = apply::apply(call, typed, txn)?;
    let id = typed.id();
    let number = format!(
        "{:020}",
        call.seed.uuid(&format!("deployment/{key}/{}", txn.revision())).as_u128() % 10_u128.pow(20)
    );
    let document = Document {
        path: format!("{id}/operationStatuses/{number}"),
        form: Form::State,
        running: "Running".into(),
        ..Document::default()
    };
    let subject = Subject { operation: number, id: &id, key, location: "", document };
    let draft = call.draft("Microsoft.Resources/deployments/write".into(), WRITE, subject);
    let operation = lro::begin(txn, draft, call.now);
    let properties = json!({
        "templateHash": applied.hash,
        "parameters": applied.parameters,
        "mode": "Incremental",
        "provisioningState": "Accepted",
        "timestamp": precise(call.now),
        "duration": "PT0S",
        "correlationId": call.seed.uuid(&format!("correlation/{}", operation.id)).to_string(),
        "providers": applied.providers,
        "dependencies": [],
        "outputs": applied.outputs,
        "outputResources": applied.ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
    });
    let mut deployment = json!({
        "id": id,
        "name": typed.name(),
        "type": "Microsoft.Resources/deployments",
        "properties": properties,
    });
    if let Some(tags) = tags::read(call.object()?)? {
        deployment["tags"] = Value::Object(tags);
    }
    store(txn, key, &deployment, &operation.id, &applied.keys);
    Ok(Reply::Resource {
        body: tracked::json_text(&deployment),
        created,
        etag: String::new(),
        operation: Some(Box::new(operation)),
    })
}

fn store(txn: &mut Txn<'_>, key: &str, deployment: &Value, operation: &str, keys: &[String]) {
    let mut row = resources::stored(deployment, Some(operation));
    row["keys"] = keys.into();
    txn.put(DEPLOYMENTS, key, row);
}

/// Tries a template out: what it would do is undone.
fn validate(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let action = typed.path.last().map(AsRef::as_ref).unwrap_or_default();
    if !action.eq_ignore_ascii_case("validate") {
        return Err(Refusal::not_modelled(&format!("the action '{action}' of deployments")));
    }
    let planned = apply::plan(call, typed, txn)?;
    Ok(Reply::Ok(Arc::new(json!({
        "id": typed.id(),
        "name": typed.named(),
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "mode": "Incremental",
            "provisioningState": "Succeeded",
            "timestamp": precise(call.now),
            "validatedResources": planned.iter().map(|one| json!({ "id": one.id })).collect::<Vec<_>>(),
        },
    }))))
}

/// The operations of a deployment: one for each resource.
fn operations(typed: &Typed<'_>, key: &str, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    let row = txn.row(DEPLOYMENTS, key).ok_or_else(|| not_found(typed))?;
    let keys = row.value.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let shown = keys.iter().filter_map(Value::as_str).enumerate().map(|(number, key)| {
        let resource = resources::get(txn, key).map(resources::resource).unwrap_or_default();
        let text = |name: &str| tracked::text(&resource, name).to_owned();
        json!({
            "id": format!("{}/operations/{number:016X}", typed.id()),
            "operationId": format!("{number:016X}"),
            "properties": {
                "provisioningOperation": "Create",
                "provisioningState": state(&resource),
                "targetResource": { "id": text("id"), "resourceName": text("name"), "resourceType": text("type") },
            },
        })
    });
    Ok(tracked::whole(shown.collect::<Vec<_>>()))
}

fn state(resource: &Value) -> &str {
    resource.pointer("/properties/provisioningState").and_then(Value::as_str).unwrap_or("Succeeded")
}

/// The end of a deployment: it waits until what it deployed has ended, and fails with it.
pub(super) fn settle(operation: &Operation, outcome: State, txn: &mut Txn<'_>) -> State {
    let Some(row) = txn.row(DEPLOYMENTS, &operation.key).cloned() else { return outcome };
    let keys: Vec<String> = row
        .value
        .get("keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect();
    let found: Vec<Value> =
        keys.iter().filter_map(|key| resources::get(txn, key)).map(resources::resource).collect();
    let outcome = if outcome == State::Succeeded { judge(&found) } else { outcome };
    let word = match &outcome {
        State::Running => "Running",
        State::Succeeded => "Succeeded",
        State::Failed { .. } => "Failed",
        State::Canceled => "Canceled",
    };
    let mut deployment = resources::resource(&row);
    deployment["properties"]["provisioningState"] = word.into();
    if let State::Failed { error } = &outcome {
        // An error is plain data: it always has a JSON form.
        deployment["properties"]["error"] = serde_json::to_value(error).unwrap_or_default();
    }
    store(txn, &operation.key, &deployment, &operation.id, &keys);
    outcome
}

fn judge(found: &[Value]) -> State {
    if found.iter().any(|resource| !arm_wire::envelope::is_terminal(state(resource))) {
        return State::Running;
    }
    let failed = found.iter().filter(|resource| state(resource) != "Succeeded");
    let details: Vec<ArmError> = failed
        .map(|resource| {
            let text = "The resource write operation failed to complete successfully, because it reached terminal provisioning state";
            ArmError::new("ResourceDeploymentFailure", format!("{text} '{}'.", state(resource)))
                .target(tracked::text(resource, "id"))
        })
        .collect();
    if details.is_empty() {
        return State::Succeeded;
    }
    let text = "At least one resource deployment operation failed. Please list deployment operations for details. Please see \
                https://aka.ms/arm-deployment-operations for usage details.";
    let error = details.into_iter().fold(ArmError::new("DeploymentFailed", text), ArmError::detail);
    State::Failed { error }
}
