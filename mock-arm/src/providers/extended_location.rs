//! `Microsoft.ExtendedLocation`: custom locations (recordings of 2023 to 2025; API model of 2021-08-31-preview).
//!
//! Not modelled: resource sync rules, enabled resource types, what agents do about a custom location.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sim_core::ledger::{Row, Txn};

use super::kubernetes;
use super::refusal::{Kind, Refusal};
use super::seam::{Call, Manner, Provider, Reply, Timing, TypeSpec, Verb};
use super::target::{Target, Typed};
use super::tracked::{self, Plan};
use super::{configuration, tags};
use crate::lro::{Document, Form, Operation, State};
use crate::profile::Style;
use crate::store::{RESOURCES, Rows, resources};

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.ExtendedLocation";
/// The type of custom locations within it.
pub const CUSTOM_LOCATIONS: &str = "customLocations";

/// Twenty seconds in recordings.
const WRITE: Timing = Timing { style: Style::AsyncOperation, span: Duration::from_secs(20), retry_after: 10 };
const DELETE: Timing = Timing { style: Style::Both, span: Duration::from_secs(20), retry_after: 10 };

const TYPES: &[TypeSpec] = &[
    TypeSpec {
        name: CUSTOM_LOCATIONS,
        verbs: &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete],
        actions: &[],
        list: true,
        gated: true,
        manner: Manner::Plain,
    },
    TypeSpec {
        name: "locations/operationsstatus",
        verbs: &[Verb::Get],
        actions: &[],
        list: false,
        gated: false,
        manner: Manner::Plain,
    },
];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct ExtendedLocation;

impl Provider for ExtendedLocation {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn types(&self) -> &'static [TypeSpec] {
        TYPES
    }

    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        match call.target {
            Target::Collection(typed) => tracked::list(call, typed, txn, tracked::as_stored),
            Target::Resource(typed) if typed.host.is_none() => handle(call, typed, txn),
            Target::OperationStatus { id, .. } => call.operation(id, txn).map(Reply::Status),
            _ => Err(Refusal::not_modelled("this path of Microsoft.ExtendedLocation")),
        }
    }

    fn settle(&self, operation: &Operation, outcome: State, _: Timestamp, txn: &mut Txn<'_>) -> State {
        tracked::settle(operation, outcome, txn, |_| {})
    }
}

fn handle(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    let Some(group) = typed.group.as_deref() else {
        return Err(Refusal::unknown_type(NAMESPACE, call.version));
    };
    let key = typed.key();
    let found = resources::get(txn, &key).cloned();
    match (call.verb, found) {
        (Verb::Put, found) => put(call, typed, &key, found.as_ref(), txn),
        (Verb::Delete, None) => Ok(Reply::Nothing),
        (_, None) => Err(Refusal::resource_not_found(&typed.full_name(), group)),
        (Verb::Delete, Some(found)) => {
            let document = document(call, &resources::resource(&found), "Deleting");
            let name = format!("{NAMESPACE}/{CUSTOM_LOCATIONS}/delete");
            let plan = Plan { name: &name, timing: DELETE, document: &document, hub: false };
            Ok(tracked::delete(call, plan, &key, &found, txn))
        }
        (Verb::Patch, Some(found)) => patch(call, &key, &found, txn),
        (_, Some(found)) => Ok(Reply::Ok(resources::shared(&found))),
    }
}

fn path(namespace: &str, subscription: &str, location: &str, id: &str) -> String {
    format!("/subscriptions/{subscription}/providers/{namespace}/locations/{location}/operationsstatus/{id}")
}

fn document(call: &Call<'_>, resource: &Value, running: &str) -> impl Fn(&str) -> Document + use<> {
    let subscription = call.target.subscription().unwrap_or_default().to_owned();
    let location = tracked::text(resource, "location").to_owned();
    let running = running.to_owned();
    move |id: &str| Document {
        path: path(NAMESPACE, &subscription, &location, id),
        link: Some(path(&NAMESPACE.to_ascii_lowercase(), &subscription, &location, id)),
        form: Form::Timed,
        running: running.clone(),
        timeout: Some("PT120M".into()),
        version: Some("2021-03-15-preview".into()),
        ..Document::default()
    }
}

fn required<'a>(properties: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    tags::text(properties, name)?.ok_or_else(|| {
        let place = format!("properties.{name}");
        Refusal::invalid_content(&format!("the required member '{place}' is missing")).target(place)
    })
}

/// The cluster and the extensions that a custom location stands on have to be there; the texts are ours.
fn check_below(properties: &Map<String, Value>, host: &str, txn: &Txn<'_>) -> Result<Value, Refusal> {
    let missing = |what: &str, id: &str, member: &str| {
        let text = format!("The {what} '{id}' of the custom location could not be found.");
        Refusal::service(Kind::Invalid, "ResourceNotFound", text).target(member)
    };
    let is = |id: &str, namespace: &str, kind: &str| match Target::parse(id, false) {
        Target::Resource(typed) => {
            typed.namespace.eq_ignore_ascii_case(namespace) && typed.type_name().eq_ignore_ascii_case(kind)
        }
        _ => false,
    };
    if !is(host, kubernetes::NAMESPACE, kubernetes::CLUSTERS) || tracked::find_by_id(host, txn).is_none() {
        return Err(missing("connected cluster", host, "properties.hostResourceId"));
    }
    let ids = properties.get("clusterExtensionIds").cloned().unwrap_or_else(|| json!([]));
    for id in ids.as_array().into_iter().flatten() {
        let id = id.as_str().unwrap_or_default();
        let below = super::target::scope::within(id, host);
        if !below
            || !is(id, configuration::NAMESPACE, configuration::EXTENSIONS)
            || tracked::find_by_id(id, txn).is_none()
        {
            return Err(missing("cluster extension", id, "properties.clusterExtensionIds"));
        }
    }
    Ok(ids)
}

/// A namespace of a cluster belongs to one custom location.
fn check_free(key: &str, host: &str, namespace: &str, txn: &Txn<'_>) -> Result<(), Refusal> {
    let kind = format!("/{NAMESPACE}/{CUSTOM_LOCATIONS}/").to_ascii_lowercase();
    let taken = txn.rows(RESOURCES, "").find(|(other, row)| {
        if *other == key || !other.contains(&kind) {
            return false;
        }
        let resource = resources::resource(row);
        let properties = resource.get("properties").unwrap_or(&Value::Null);
        tracked::text(properties, "hostResourceId").eq_ignore_ascii_case(host)
            && tracked::text(properties, "namespace") == namespace
    });
    match taken {
        None => Ok(()),
        Some((_, row)) => {
            let text = format!(
                "The namespace '{namespace}' of the cluster is already that of '{}'.",
                tracked::text(&resources::resource(row), "id")
            );
            Err(Refusal::service(Kind::Conflict, "Conflict", text).target("properties.namespace"))
        }
    }
}

fn put(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    found: Option<&Row>,
    txn: &mut Txn<'_>,
) -> Result<Reply, Refusal> {
    tracked::check_name(typed.name(), 63, "-_.", "a custom location")?;
    let body = call.object()?;
    let wanted = tags::text(body, "location")?.ok_or_else(Refusal::location_required)?;
    let location = tracked::location(call, NAMESPACE, CUSTOM_LOCATIONS, wanted)?;
    if let Some(found) = found {
        tracked::check_alive(found)?;
        tracked::check_location(typed, location, &resources::resource(found))?;
    }
    let properties = body.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| Refusal::invalid_content("'properties' is missing"))?;
    let (host, namespace) = (required(properties, "hostResourceId")?, required(properties, "namespace")?);
    let extensions = check_below(properties, host, txn)?;
    check_free(key, host, namespace, txn)?;
    let running = if found.is_some() { "Updating" } else { "Creating" };
    let mut resource = json!({
        "id": typed.id(),
        "name": typed.name(),
        "location": location,
        "type": format!("{NAMESPACE}/{CUSTOM_LOCATIONS}"),
        "systemData": tracked::system_data(call, found.map(resources::resource).as_ref()),
        "properties": {
            "hostType": tags::text(properties, "hostType")?.unwrap_or("Kubernetes"),
            "hostResourceId": host,
            "namespace": namespace,
            "provisioningState": running,
            "clusterExtensionIds": extensions,
            "authentication": {},
        },
    });
    if let Some(name) = tags::text(properties, "displayName")? {
        resource["properties"]["displayName"] = name.into();
    }
    if let Some(tags) = tags::read(body)? {
        resource["tags"] = Value::Object(tags);
    }
    let document = document(call, &resource, running);
    let name = format!("{NAMESPACE}/{CUSTOM_LOCATIONS}/write");
    let plan = Plan { name: &name, timing: WRITE, document: &document, hub: false };
    let operation = tracked::begin(call, plan, key, &resource, txn);
    Ok(tracked::written(call, key, resource, operation, found.is_none(), txn, |resource| resource))
}

/// Tags are replaced; of the properties, the display name and the extensions can change. Done at once.
fn patch(call: &Call<'_>, key: &str, found: &Row, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
    tracked::check_alive(found)?;
    let body = call.object()?;
    let mut resource = resources::resource(found);
    if let Some(tags) = tags::read(body)? {
        resource["tags"] = Value::Object(tags);
    }
    if let Some(properties) = body.get("properties").and_then(Value::as_object) {
        if let Some(name) = tags::text(properties, "displayName")? {
            resource["properties"]["displayName"] = name.into();
        }
        if properties.contains_key("clusterExtensionIds") {
            let host =
                resource.pointer("/properties/hostResourceId").and_then(Value::as_str).unwrap_or_default();
            let extensions = check_below(properties, host, txn)?;
            resource["properties"]["clusterExtensionIds"] = extensions;
        }
    }
    resource["systemData"] = tracked::system_data(call, Some(&resource));
    resources::put(txn, key, &resource, resources::operation(found));
    Ok(Reply::Ok(Arc::new(resource)))
}
