//! What a client may write to a connected cluster, and what comes of it.

use serde_json::{Map, Value, json};

use super::super::refusal::{Kind, Refusal};
use super::super::seam::Call;
use super::super::target::Typed;
use super::super::{tags, tracked};
use super::{members, versions};

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
    key: &'a str,
    properties: &'a Map<String, Value>,
}

fn missing(member: &str) -> Refusal {
    Refusal::invalid_content(&format!("the required member '{member}' is missing")).target(member)
}

/// The `properties` of a body.
fn properties(body: &Map<String, Value>) -> Result<Option<&Map<String, Value>>, Refusal> {
    match body.get("properties") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(properties)) => Ok(Some(properties)),
        Some(_) => Err(Refusal::invalid_content("'properties' is not an object").target("properties")),
    }
}

fn identity(body: &Map<String, Value>) -> Result<&'static str, Refusal> {
    let identity = body.get("identity").and_then(Value::as_object).ok_or_else(|| missing("identity"))?;
    match tags::text(identity, "type")?.ok_or_else(|| missing("identity.type"))? {
        kind if kind.eq_ignore_ascii_case("SystemAssigned") => Ok("SystemAssigned"),
        kind if kind.eq_ignore_ascii_case("None") => Ok("None"),
        other => {
            let text = format!("'{other}' is not SystemAssigned or None");
            Err(Refusal::invalid_content(&text).target("identity.type"))
        }
    }
}

impl<'a> Put<'a> {
    /// Checks a PUT body.
    pub(super) fn read(call: &Call<'a>, typed: &Typed<'_>) -> Result<Self, Refusal> {
        tracked::check_name(typed.name(), LONGEST, "-_", "a connected cluster")?;
        let body = call.object()?;
        let wanted = tags::text(body, "location")?.ok_or_else(Refusal::location_required)?;
        let location = tracked::location(call, super::NAMESPACE, super::CLUSTERS, wanted)?;
        let tags = tags::read(body)?.unwrap_or_default();
        let identity = identity(body)?;
        let properties = properties(body)?.ok_or_else(|| missing("properties"))?;
        members::check(properties)?;
        let kind = tags::text(body, "kind")?.filter(|_| versions::has_kind(call.version));
        let key = properties.get("agentPublicKeyCertificate").and_then(Value::as_str);
        let key = key.ok_or_else(|| missing(members::KEY))?;
        members::check_key(key, kind)?;
        Ok(Self { location, tags, identity, kind, key, properties })
    }

    /// Refuses another key than the one that the cluster has, unless the profile lets it pass. What the real service
    /// answers is not known; clients treat the key as something that never changes.
    pub(super) fn check_key(&self, call: &Call<'_>, found: &Value) -> Result<(), Refusal> {
        let known = found.pointer("/properties/agentPublicKeyCertificate").and_then(Value::as_str);
        if call.profile.accept_key_changes || known.is_none_or(|known| known.is_empty() || known == self.key)
        {
            return Ok(());
        }
        let name = tracked::text(found, "name");
        let text = format!(
            "The agentPublicKeyCertificate of connected cluster '{name}' cannot be changed. Delete the resource and              create it again to use another key."
        );
        Err(Refusal::service(Kind::Conflict, "Conflict", text).target(members::KEY))
    }

    /// The resource that comes of it: new, or over the `found` one, whose reported values stay. `principal` gives the id
    /// of its identity, if it has one.
    pub(super) fn apply(
        &self,
        call: &Call<'_>,
        typed: &Typed<'_>,
        principal: impl FnOnce() -> String,
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
            "systemData": tracked::system_data(call, found),
            "identity": self.identity(call, principal),
        });
        let kind = self.kind.map(Value::from).or_else(|| found?.get("kind").cloned());
        if let Some(kind) = kind {
            resource["kind"] = kind;
        }
        resource["properties"] = Value::Object(self.properties(call.version, found));
        resource
    }

    fn identity(&self, call: &Call<'_>, principal: impl FnOnce() -> String) -> Value {
        if self.identity == "None" {
            return json!({ "type": "None" });
        }
        json!({ "principalId": principal(), "tenantId": call.profile.tenant.id, "type": self.identity })
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
            let sent = sent.filter(|_| versions::has_property(version, name));
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
            let known = !OWNED.contains(&name.as_str()) && members::is_known(name);
            if known && versions::has_property(version, name) && !new.contains_key(name) && !value.is_null() {
                new.insert(name.clone(), value.clone());
            }
        }
        keep_issuer(&mut new, old);
        new
    }

    /// Connecting, or for a cluster made without an agents' key: no agents installed.
    fn connectivity(&self, found: Option<&Value>) -> Value {
        let known = found.and_then(|found| found.pointer("/properties/connectivityStatus")).cloned();
        known.unwrap_or_else(|| {
            if self.key.is_empty() { "AgentNotInstalled".into() } else { "Connecting".into() }
        })
    }
}

/// The issuer's URL is the service's own, inside of a profile that clients send.
fn keep_issuer(new: &mut Map<String, Value>, old: Option<&Map<String, Value>>) {
    const URL: &str = "issuerUrl";
    let Some(profile) = new.get_mut("oidcIssuerProfile").and_then(Value::as_object_mut) else { return };
    profile.shift_remove(URL);
    let known = old.and_then(|old| old.get("oidcIssuerProfile")?.get(URL));
    if let Some(known) = known {
        profile.insert(URL.into(), known.clone());
    }
}

/// The resource after a PATCH: tags are replaced, the properties that the version lets change are merged, everything
/// else stays.
pub(super) fn patch(call: &Call<'_>, found: &Value) -> Result<Value, Refusal> {
    let body = call.object()?;
    let mut resource = found.clone();
    if let Some(tags) = tags::read(body)? {
        resource["tags"] = Value::Object(tags);
    }
    if let Some(changes) = properties(body)? {
        members::check(changes)?;
        let changes = changes.iter().filter(|(name, _)| {
            !OWNED.contains(&name.as_str())
                && members::is_known(name)
                && versions::may_patch(call.version, name)
        });
        changes.for_each(|(name, value)| merge(&mut resource["properties"], name, value));
    }
    let key = |resource: &Value| resource.pointer("/properties/agentPublicKeyCertificate").cloned();
    if key(&resource) != key(found) && !call.profile.accept_key_changes {
        let text = "The agentPublicKeyCertificate of a connected cluster cannot be changed.";
        return Err(Refusal::service(Kind::Conflict, "Conflict", text).target(members::KEY));
    }
    resource["systemData"] = tracked::system_data(call, Some(found));
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
