//! Role assignments (role assignment API of 2022-04-01; recordings of its refusals).

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sim_core::ledger::Txn;
use uuid::Uuid;

use super::super::refusal::{Cause, Kind, Refusal};
use super::super::seam::{Call, Reply, Verb};
use super::super::target::Typed;
use super::super::target::scope::within;
use super::super::{tags, tracked};
use super::definitions;
use crate::store::time::precise;
use crate::store::{ROLE_ASSIGNMENTS, Rows};

fn scope(typed: &Typed<'_>) -> String {
    let scope = typed.host.as_ref().map_or_else(|| typed.container(), |host| host.id());
    if scope.is_empty() { "/".into() } else { scope }
}

fn key(scope: &str, name: &str) -> String {
    format!("{scope}|{name}").to_ascii_lowercase()
}

/// A member of an assignment's properties.
pub(super) fn member<'a>(assignment: &'a Value, name: &str) -> &'a str {
    assignment.get("properties").map(|properties| tracked::text(properties, name)).unwrap_or_default()
}

pub(super) fn handle(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let scope = scope(typed);
    if typed.name().is_empty() {
        return Ok(list(call, &scope, txn));
    }
    let key = key(&scope, typed.name());
    let found = txn.row(ROLE_ASSIGNMENTS, &key).map(|row| row.value.clone());
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, &scope, found.as_deref(), txn),
        (Verb::Delete, Some(found)) => {
            txn.delete(ROLE_ASSIGNMENTS, &key);
            Ok(Reply::Ok(found))
        }
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (_, Some(found)) => Ok(Reply::Ok(found)),
        (_, None) => {
            let text = format!("The role assignment '{}' is not found.", typed.name());
            Err(Refusal::service(Kind::NotFound, "RoleAssignmentNotFound", text))
        }
    }
}

/// What the filters of the list mean: `atScope()` leaves out what lies below; `principalId eq` and `assignedTo` name a
/// principal.
fn list(call: &Call<'_>, scope: &str, txn: &Txn<'_>) -> Reply {
    let filter = call.query.get("$filter").unwrap_or_default();
    let at_scope = filter.to_ascii_lowercase().contains("atscope()");
    let principal = ["principalId eq '", "assignedTo('"]
        .iter()
        .find_map(|start| filter.split(start).nth(1)?.split('\'').next());
    let rows = txn.rows(ROLE_ASSIGNMENTS, "").map(|(_, row)| row.value.clone());
    let found = rows.filter(|one| {
        let at = member(one, "scope");
        let placed = within(scope, at) || (!at_scope && within(at, scope));
        placed && principal.is_none_or(|wanted| member(one, "principalId").eq_ignore_ascii_case(wanted))
    });
    tracked::whole(found.map(|one| (*one).clone()))
}

fn required<'a>(properties: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    tags::text(properties, name)?.ok_or_else(|| {
        Refusal::invalid_content(&format!("'properties.{name}' is missing"))
            .target(format!("properties.{name}"))
    })
}

fn put(
    call: &Call<'_>,
    typed: &Typed<'_>,
    scope: &str,
    found: Option<&Value>,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    let invalid = |code: &'static str, text: String| Refusal::service(Kind::Invalid, code, text);
    let name = typed.name();
    if Uuid::try_parse(name).is_err() {
        let text =
            format!("The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.");
        return Err(invalid("InvalidRoleAssignmentId", text));
    }
    let body = call.object()?;
    let properties = body.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| Refusal::invalid_content("'properties' is missing"))?;
    let role = required(properties, "roleDefinitionId")?;
    let principal = required(properties, "principalId")?;
    if Uuid::try_parse(principal).is_err() {
        let text = format!("The principal ID '{principal}' is not valid. Principal ID must be a GUID.");
        return Err(invalid("InvalidPrincipalId", text));
    }
    let Some(role) = definitions::find(role) else {
        let text = format!("The specified role definition with ID '{role}' does not exist.");
        return Err(invalid("RoleDefinitionDoesNotExist", text));
    };
    let subscription = typed.subscription.map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
    let role = format!("{subscription}/providers/{}/roleDefinitions/{}", super::NAMESPACE, role.id);
    if let Some(found) = found
        && (member(found, "principalId") != principal || member(found, "roleDefinitionId") != role)
    {
        let text = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
        return Err(invalid("RoleAssignmentUpdateNotPermitted", text.into()));
    }
    let same = |one: &Value| {
        member(one, "principalId").eq_ignore_ascii_case(principal)
            && member(one, "roleDefinitionId").eq_ignore_ascii_case(&role)
            && member(one, "scope").eq_ignore_ascii_case(scope)
    };
    if found.is_none() && txn.rows(ROLE_ASSIGNMENTS, "").any(|(_, row)| same(&row.value)) {
        let text = "The role assignment already exists.";
        let refusal = Refusal::service(Kind::Conflict, "RoleAssignmentExists", text);
        return Err(Refusal { cause: Cause::Unsaid { extras: false }, ..refusal });
    }
    let created = found.map_or_else(|| precise(call.now), |found| member(found, "createdOn").to_owned());
    let given = |member: &str| properties.get(member).cloned().unwrap_or_default();
    let kind = tags::text(properties, "principalType")?.unwrap_or("ServicePrincipal");
    let at = scope.trim_end_matches('/');
    let assignment = json!({
        "properties": {
            "roleDefinitionId": role,
            "principalId": principal,
            "principalType": kind,
            "scope": scope,
            "condition": given("condition"),
            "conditionVersion": given("conditionVersion"),
            "createdOn": created,
            "updatedOn": precise(call.now),
            "createdBy": call.actor.id,
            "updatedBy": call.actor.id,
            "delegatedManagedIdentityResourceId": null,
            "description": given("description"),
        },
        "id": format!("{at}/providers/{}/roleAssignments/{name}", super::NAMESPACE),
        "type": "Microsoft.Authorization/roleAssignments",
        "name": name,
    });
    txn.put(ROLE_ASSIGNMENTS, &key(scope, name), assignment.clone());
    let assignment = Arc::new(assignment);
    Ok(if found.is_some() { Reply::Ok(assignment) } else { Reply::Created(assignment) })
}
