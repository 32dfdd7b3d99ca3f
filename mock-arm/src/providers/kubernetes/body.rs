//! What a client may write to a connected cluster, and what comes of it.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::catalog;
use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Actor, Call};
use super::super::tags;
use super::super::target::Typed;
use super::versions;
use crate::store::time::precise;

/// Properties that the service owns: what a client sends of them is ignored, because clients send whole resources
/// back.
const OWNED: &[&str] = &[
    "provisioningState",
    "connectivityStatus",
    "kubernetesVersion",
    "totalNodeCount",
    "agentVersion",
    "totalCoreCount",
    "lastConnectivityTime",
    "managedIdentityCertificateExpirationTime",
    "offering",
    "miscellaneousProperties",
];

/// Longest name (Microsoft's naming data for the type).
const LONGEST: usize = 63;

/// A checked PUT body.
pub(super) struct Put<'a> {
    pub(super) location: &'static str,
    tags: Map<String, Value>,
    identity: &'a str,
    kind: Option<&'a str>,
    properties: &'a Map<String, Value>,
}

pub(super) fn object<'a>(call: &Call<'a>) -> Result<&'a Map<String, Value>, Refusal> {
    call.body
        .and_then(Value::as_object)
        .ok_or_else(|| Refusal::invalid_content("the body must be a JSON object"))
}

fn missing(member: &str) -> Refusal {
    Refusal::invalid_content(&format!("the required member '{member}' is missing")).target(member)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.len() > LONGEST || !name.chars().all(allowed) {
        let text = format!(
            "The name '{name}' is no name of a connected cluster: 1 to {LONGEST} letters, digits, '-' and '_'."
        );
        return Err(Refusal::service(Kind::Invalid, "InvalidResourceName", text));
    }
    Ok(())
}

/// The region's name, if connected clusters exist there.
fn location(call: &Call<'_>, wanted: &str) -> Result<&'static str, Refusal> {
    let offered = catalog::find(super::NAMESPACE).and_then(|known| known.find(super::CLUSTERS));
    let offered = offered.map(catalog::TypeEntry::regions).unwrap_or_default();
    let region = tags::region(call.profile, wanted).filter(|region| offered.contains(&region.display));
    region.map(|region| region.name).ok_or_else(|| {
        let regions: Vec<String> = offered.iter().map(|name| catalog::regions::normalize(name)).collect();
        Refusal::gateway(
            Kind::Invalid,
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{wanted}' is not available for resource type '{}/{}'. List of available \
                 regions for the resource type is '{}'.",
                super::NAMESPACE,
                super::CLUSTERS,
                regions.join(",")
            ),
        )
    })
}

impl<'a> Put<'a> {
    /// Checks a PUT body.
    pub(super) fn read(call: &Call<'a>, typed: &Typed<'_>) -> Result<Self, Refusal> {
        check_name(typed.name())?;
        let body = object(call)?;
        let wanted = tags::text(body, "location")?.ok_or_else(Refusal::location_required)?;
        let location = location(call, wanted)?;
        let tags = tags::read(body)?.unwrap_or_default();
        let identity = body.get("identity").and_then(Value::as_object).ok_or_else(|| missing("identity"))?;
        let identity = match tags::text(identity, "type")?.ok_or_else(|| missing("identity.type"))? {
            kind if kind.eq_ignore_ascii_case("SystemAssigned") => "SystemAssigned",
            kind if kind.eq_ignore_ascii_case("None") => "None",
            other => {
                let text = format!("'{other}' is not SystemAssigned or None");
                return Err(Refusal::invalid_content(&text).target("identity.type"));
            }
        };
        let properties =
            body.get("properties").and_then(Value::as_object).ok_or_else(|| missing("properties"))?;
        let kind = tags::text(body, "kind")?;
        let key = properties.get("agentPublicKeyCertificate").and_then(Value::as_str);
        let key = key.ok_or_else(|| missing("properties.agentPublicKeyCertificate"))?;
        if key.is_empty() && kind.is_none() {
            return Err(Refusal::invalid_content("the agents' public key is empty")
                .target("properties.agentPublicKeyCertificate"));
        }
        Ok(Self { location, tags, identity, kind, properties })
    }

    /// The resource that comes of it: new, or over the `found` one, whose reported values stay. `principal` gives the id
    /// of a new identity, if one is needed.
    pub(super) fn apply(
        &self,
        call: &Call<'_>,
        typed: &Typed<'_>,
        principal: impl FnOnce() -> Uuid,
        found: Option<&Value>,
    ) -> Value {
        let subscription = typed.subscription.unwrap_or_default();
        let group = typed.group.as_deref().unwrap_or_default();
        let id = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{}/{}/{}",
            super::NAMESPACE,
            super::CLUSTERS,
            typed.name()
        );
        let mut resource = json!({
            "id": id,
            "name": typed.name(),
            "type": arm_wire::connected_cluster::WIRE_TYPE,
            "location": self.location,
            "tags": self.tags,
            "systemData": system_data(call, found),
            "identity": self.identity(call, principal, found),
        });
        let kind = self.kind.map(Value::from).or_else(|| found?.get("kind").cloned());
        if let Some(kind) = kind {
            resource["kind"] = kind;
        }
        resource["properties"] = Value::Object(self.properties(call.version, found));
        resource
    }

    fn identity(&self, call: &Call<'_>, principal: impl FnOnce() -> Uuid, found: Option<&Value>) -> Value {
        if self.identity == "None" {
            return json!({ "type": "None" });
        }
        let known = found.and_then(|found| found.pointer("/identity/principalId")).and_then(Value::as_str);
        let principal = known.map_or_else(|| principal().to_string(), str::to_owned);
        json!({ "principalId": principal, "tenantId": call.profile.tenant.id, "type": self.identity })
    }

    fn properties(&self, version: &str, found: Option<&Value>) -> Map<String, Value> {
        let old = found.and_then(|found| found.get("properties")).and_then(Value::as_object);
        let kept = |name: &str| old.and_then(|old| old.get(name)).cloned();
        let mut new = Map::new();
        new.insert("provisioningState".into(), "Accepted".into());
        new.insert("connectivityStatus".into(), self.connectivity(found));
        let defaults = [
            ("privateLinkState", json!("Disabled")),
            ("azureHybridBenefit", json!("NotApplicable")),
            ("agentPublicKeyCertificate", Value::Null),
            ("aadProfile", json!({})),
            ("distribution", Value::Null),
            ("infrastructure", Value::Null),
            ("arcAgentProfile", json!({ "agentAutoUpgrade": "Enabled" })),
        ];
        for (name, default) in defaults {
            let sent = self.properties.get(name).filter(|value| !value.is_null());
            let hidden = || kept(name).filter(|_| !versions::has_property(version, name));
            let value = sent.cloned().or_else(hidden).unwrap_or(default);
            if !value.is_null() {
                new.insert(name.into(), value);
            }
        }
        for (name, value) in old.into_iter().flatten() {
            if (OWNED.contains(&name.as_str()) || !versions::has_property(version, name))
                && !new.contains_key(name)
            {
                new.insert(name.clone(), value.clone());
            }
        }
        for (name, value) in self.properties {
            if !OWNED.contains(&name.as_str()) && !new.contains_key(name) && !value.is_null() {
                new.insert(name.clone(), value.clone());
            }
        }
        new
    }

    /// Connecting, or for a cluster made without an agents' key: no agents installed.
    fn connectivity(&self, found: Option<&Value>) -> Value {
        let known = found.and_then(|found| found.pointer("/properties/connectivityStatus")).cloned();
        let keyless = self.properties.get("agentPublicKeyCertificate").is_some_and(|key| key == "");
        known.unwrap_or_else(|| if keyless { "AgentNotInstalled".into() } else { "Connecting".into() })
    }
}

fn system_data(call: &Call<'_>, found: Option<&Value>) -> Value {
    let (who, kind, when) = author(call.actor, call);
    let created = |name: &str| found.and_then(|found| found.pointer(&format!("/systemData/{name}"))).cloned();
    json!({
        "createdBy": created("createdBy").unwrap_or_else(|| who.clone()),
        "createdByType": created("createdByType").unwrap_or_else(|| kind.clone()),
        "createdAt": created("createdAt").unwrap_or_else(|| when.clone()),
        "lastModifiedBy": who,
        "lastModifiedByType": kind,
        "lastModifiedAt": when,
    })
}

fn author(actor: Actor, call: &Call<'_>) -> (Value, Value, Value) {
    (actor.id.to_string().into(), actor.kind.into(), precise(call.now).into())
}

/// The resource after a PATCH: tags are replaced, properties merged, everything else stays.
pub(super) fn patch(call: &Call<'_>, found: &Value) -> Result<Value, Refusal> {
    let body = object(call)?;
    let mut resource = found.clone();
    if let Some(tags) = tags::read(body)? {
        resource["tags"] = Value::Object(tags);
    }
    match body.get("properties") {
        None | Some(Value::Null) => {}
        Some(Value::Object(changes)) => {
            for (name, value) in changes.iter().filter(|(name, _)| !OWNED.contains(&name.as_str())) {
                merge(&mut resource["properties"], name, value);
            }
        }
        Some(_) => return Err(Refusal::invalid_content("'properties' is not an object").target("properties")),
    }
    resource["systemData"] = system_data(call, Some(found));
    Ok(resource)
}

/// JSON merge patch (RFC 7396) of one member.
fn merge(target: &mut Value, name: &str, value: &Value) {
    let Some(members) = target.as_object_mut() else { return };
    match value {
        Value::Null => {
            members.shift_remove(name);
        }
        Value::Object(changes) => {
            let member = members.entry(name).or_insert_with(|| json!({}));
            if !member.is_object() {
                *member = json!({});
            }
            changes.iter().for_each(|(name, value)| merge(member, name, value));
        }
        other => {
            members.insert(name.into(), other.clone());
        }
    }
}
