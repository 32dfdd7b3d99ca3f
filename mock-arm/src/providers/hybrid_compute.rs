//! `Microsoft.HybridCompute`, as far as onboarding touches it: private link scopes, gateways, and the settings that tie a
//! gateway to a cluster (recordings of 2024; API model of 2025-09-16-preview).
//!
//! Not modelled: machines, private endpoints, and any effect of a scope or a gateway on the network.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sim_core::ledger::{Row, Txn};

use super::refusal::Refusal;
use super::seam::{Call, Manner, Provider, Reply, Timing, TypeSpec, Verb};
use super::tags;
use super::target::{Target, Typed};
use super::tracked::{self, Plan};
use crate::lro::{Document, Form, Operation, State};
use crate::profile::Style;
use crate::store::resources;

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.HybridCompute";
/// The type of private link scopes within it.
pub const SCOPES: &str = "privateLinkScopes";
/// The type of gateways within it.
pub const GATEWAYS: &str = "gateways";
const SETTINGS: &str = "settings";
const ENDPOINTS: &str = "privateLinkScopes/privateEndpointConnections";
const LINKS: &str = "privateLinkScopes/privateLinkResources";

const GATEWAY: Timing =
    Timing { style: Style::AsyncOperation, span: Duration::from_secs(60), retry_after: 10 };
const GONE: Timing = Timing { style: Style::Both, span: Duration::from_secs(30), retry_after: 10 };

const ALL: &[Verb] = &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete];
const READ: &[Verb] = &[Verb::Get];

const fn spec(name: &'static str, verbs: &'static [Verb], gated: bool) -> TypeSpec {
    TypeSpec { name, verbs, actions: &[], list: true, gated, manner: Manner::Proxied }
}

const TYPES: &[TypeSpec] = &[
    spec(SCOPES, ALL, true),
    spec(GATEWAYS, ALL, true),
    spec(SETTINGS, &[Verb::Get, Verb::Put, Verb::Patch], true),
    spec(ENDPOINTS, ALL, false),
    spec(LINKS, READ, false),
    spec("locations/operationStatus", READ, false),
];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct HybridCompute;

impl Provider for HybridCompute {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn types(&self) -> &'static [TypeSpec] {
        TYPES
    }

    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        let typed = match call.target {
            Target::OperationStatus { id, .. } => return call.operation(id, txn).map(Reply::Status),
            Target::Collection(typed) | Target::Resource(typed) => typed,
            _ => return Err(Refusal::not_modelled("this path of Microsoft.HybridCompute")),
        };
        let kind = typed.type_name();
        if kind.eq_ignore_ascii_case(LINKS) {
            return links(typed, txn);
        }
        match call.target {
            Target::Collection(typed) => tracked::list(call, typed, txn, tracked::as_stored),
            _ if kind.eq_ignore_ascii_case(SCOPES) => one(call, typed, txn, put_scope, None),
            _ if kind.eq_ignore_ascii_case(GATEWAYS) => one(call, typed, txn, put_gateway, Some(GONE)),
            _ if kind.eq_ignore_ascii_case(SETTINGS) => settings(call, typed, txn),
            _ if call.verb.is_write() => Err(Refusal::not_modelled("private endpoint connections")),
            _ => Err(Refusal::resource_not_found(
                &typed.full_name(),
                typed.group.as_deref().unwrap_or_default(),
            )),
        }
    }

    fn settle(&self, operation: &Operation, outcome: State, _: Timestamp, txn: &mut Txn<'_>) -> State {
        tracked::settle(operation, outcome, txn, |_| {})
    }
}

type Put = fn(&Call<'_>, &Typed<'_>, &str, Option<&Row>, &mut Txn<'_>) -> Result<Reply, Refusal>;

fn one(
    call: &Call<'_>,
    typed: &Typed<'_>,
    txn: &mut Txn<'_>,
    put: Put,
    gone: Option<Timing>,
) -> Result<Reply, Refusal> {
    let Some(group) = typed.group.as_deref() else {
        return Err(Refusal::unknown_type(NAMESPACE, call.version));
    };
    let key = typed.key();
    let found = resources::get(txn, &key).cloned();
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, &key, found.as_ref(), txn),
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (_, None) => Err(Refusal::resource_not_found(&typed.full_name(), group)),
        (Verb::Delete, Some(found)) => Ok(match gone {
            Some(timing) => {
                let document = document(call, &resources::resource(&found), "Deleting");
                let name = format!("{NAMESPACE}/{}/delete", typed.type_name());
                tracked::delete(
                    call,
                    Plan { name: &name, timing, document: &document, hub: false },
                    &key,
                    &found,
                    txn,
                )
            }
            None => {
                tracked::remove(txn, &key);
                Reply::Done
            }
        }),
        (Verb::Patch, Some(found)) => patch(call, &key, &found, txn),
        (_, Some(found)) => Ok(Reply::Ok(resources::shared(&found))),
    }
}

fn document(call: &Call<'_>, resource: &Value, running: &str) -> impl Fn(&str) -> Document + use<> {
    let subscription = call.target.subscription().unwrap_or_default().to_owned();
    let (location, running) = (tracked::text(resource, "location").to_owned(), running.to_owned());
    move |id: &str| Document {
        path: format!(
            "/subscriptions/{subscription}/providers/{NAMESPACE}/locations/{location}/operationStatus/{id}"
        ),
        form: Form::Timed,
        running: running.clone(),
        ..Document::default()
    }
}

/// What scopes and gateways have in common, without properties.
fn envelope(call: &Call<'_>, typed: &Typed<'_>, kind: &str, found: Option<&Row>) -> Result<Value, Refusal> {
    tracked::check_name(typed.name(), 255, "-_.", "this type")?;
    let body = call.object()?;
    let wanted = tags::text(body, "location")?.ok_or_else(Refusal::location_required)?;
    let location = tracked::location(call, NAMESPACE, kind, wanted)?;
    if let Some(found) = found {
        tracked::check_alive(found)?;
        tracked::check_location(typed, location, &resources::resource(found))?;
    }
    let mut resource = json!({
        "id": typed.id(),
        "name": typed.name(),
        "type": format!("{NAMESPACE}/{kind}"),
        "location": location,
    });
    if let Some(tags) = tags::read(body)? {
        resource["tags"] = Value::Object(tags);
    }
    Ok(resource)
}

fn sent<'a>(call: &Call<'a>) -> Result<Option<&'a Map<String, Value>>, Refusal> {
    Ok(call.object()?.get("properties").and_then(Value::as_object))
}

/// Immutable identifiers: the one that is there, or a drawn one.
fn identifier(call: &Call<'_>, key: &str, member: &str, found: Option<&Row>) -> Value {
    let known =
        found.and_then(|row| resources::resource(row).pointer(&format!("/properties/{member}")).cloned());
    known.unwrap_or_else(|| {
        call.seed.uuid(&format!("{member}/{key}/{}", call.now.as_nanosecond())).to_string().into()
    })
}

fn put_scope(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    found: Option<&Row>,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    let mut resource = envelope(call, typed, SCOPES, found)?;
    let access = match sent(call)? {
        Some(properties) => tags::text(properties, "publicNetworkAccess")?,
        None => None,
    };
    resource["properties"] = json!({
        "privateLinkScopeId": identifier(call, key, "privateLinkScopeId", found),
        "publicNetworkAccess": access.unwrap_or("Disabled"),
        "provisioningState": "Succeeded",
        "privateEndpointConnections": [],
    });
    resources::put(txn, key, &resource, None);
    // Recordings show 200 for a new scope, too.
    Ok(Reply::Ok(Arc::new(resource)))
}

fn put_gateway(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    found: Option<&Row>,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    let mut resource = envelope(call, typed, GATEWAYS, found)?;
    let id = identifier(call, key, "gatewayId", found);
    let features = sent(call)?.and_then(|properties| properties.get("allowedFeatures")).cloned();
    let endpoint = format!("{}.gw.arc.azure.com", id.as_str().unwrap_or_default());
    let running = if found.is_some() { "Updating" } else { "Creating" };
    resource["properties"] = json!({
        "provisioningState": running,
        "gatewayId": id,
        "gatewayType": "Public",
        "gatewayEndpoint": endpoint,
        "allowedFeatures": features.unwrap_or_else(|| json!(["*"])),
    });
    let document = document(call, &resource, running);
    let name = format!("{NAMESPACE}/{GATEWAYS}/write");
    let plan = Plan { name: &name, timing: GATEWAY, document: &document, hub: false };
    let operation = tracked::begin(call, plan, key, &resource, txn);
    Ok(tracked::written(call, key, resource, operation, found.is_none(), txn, |resource| resource))
}

/// Tags are replaced; of a gateway, the allowed features can change. Done at once.
fn patch(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    tracked::check_alive(found)?;
    let mut resource = resources::resource(found);
    if let Some(tags) = tags::read(call.object()?)? {
        resource["tags"] = Value::Object(tags);
    }
    if let Some(features) = sent(call)?.and_then(|properties| properties.get("allowedFeatures"))
        && resource.pointer("/properties/allowedFeatures").is_some()
    {
        resource["properties"]["allowedFeatures"] = features.clone();
    }
    resources::put(txn, key, &resource, resources::operation(found));
    Ok(Reply::Ok(Arc::new(resource)))
}

/// The settings of a cluster: which gateway it goes through. There is one, named `default`, made when it is first written.
fn settings(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    if typed.host.is_none() || !typed.name().eq_ignore_ascii_case("default") {
        return Err(Refusal::not_modelled(
            "settings other than those named 'default' of a connected cluster",
        ));
    }
    let key = typed.key();
    let found = resources::get(txn, &key).cloned();
    if !call.verb.is_write() {
        let group = typed.group.as_deref().unwrap_or_default();
        let found = found.ok_or_else(|| Refusal::resource_not_found(&typed.full_name(), group))?;
        return Ok(Reply::Ok(resources::shared(&found)));
    }
    let gateway = sent(call)?.and_then(|properties| properties.get("gatewayProperties")).cloned();
    let id = gateway.as_ref().and_then(|gateway| gateway.get("gatewayResourceId")).and_then(Value::as_str);
    if let Some(id) = id.filter(|id| !id.is_empty())
        && tracked::find_by_id(id, txn).is_none()
    {
        let text = format!("the gateway '{id}' could not be found");
        return Err(Refusal::invalid_content(&text).target("properties.gatewayProperties.gatewayResourceId"));
    }
    let resource = json!({
        "id": typed.id(),
        "name": typed.name(),
        "type": format!("{NAMESPACE}/{SETTINGS}"),
        "properties": {
            "tenantId": call.profile.tenant.id,
            "gatewayProperties": gateway.unwrap_or_else(|| json!({})),
        },
    });
    resources::put(txn, &key, &resource, None);
    Ok(Reply::Ok(Arc::new(resource)))
}

/// What of a scope can be reached privately (recorded).
fn links(typed: &Typed<'_>, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    let path: Vec<_> = typed.path.iter().take(2).cloned().collect();
    let scope = Typed { path, ..typed.clone() };
    let region = resources::get(txn, &scope.key())
        .map(|row| tracked::text(&resources::resource(row), "location").to_owned())
        .unwrap_or_default();
    let link = json!({
        "id": format!("{}/privateLinkResources/hybridcompute", scope.id()),
        "name": "hybridcompute",
        "type": format!("{NAMESPACE}/{LINKS}"),
        "properties": {
            "groupId": "hybridcompute",
            "requiredMembers": [
                "HybridCompute.Global",
                "HybridCompute.Server",
                "HybridCompute.TokenService",
                "GuestConfig.GlobalService",
                format!("GuestConfig.AgentService.{region}"),
                "HybridCompute.K8sConfiguration",
            ],
            "requiredZoneNames": [
                "privatelink.his.arc.azure.com",
                "privatelink.Guestconfiguration.azure.com",
                "privatelink.dp.kubernetesconfiguration.azure.com",
            ],
        },
    });
    match typed.name() {
        "" => Ok(tracked::whole([link])),
        name if name.eq_ignore_ascii_case("hybridcompute") => Ok(Reply::Ok(Arc::new(link))),
        _ => Err(Refusal::resource_not_found(&typed.full_name(), typed.group.as_deref().unwrap_or_default())),
    }
}
