//! What clients write to an extension, and the resource that comes of it (recordings of 2022 to 2025).

use serde_json::{Map, Value, json};
use sim_core::ledger::Txn;

use super::super::refusal::Refusal;
use super::super::seam::Call;
use super::super::target::Typed;
use super::super::{tags, tracked};
use crate::store::time;

/// The moment in the form of this provider: seven fraction digits and an offset.
pub(super) fn moment(now: jiff::Timestamp) -> Value {
    format!("{}+00:00", time::precise(now).trim_end_matches('Z')).into()
}

fn flag(properties: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refusal> {
    match properties.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => {
            let place = format!("properties.{name}");
            Err(Refusal::invalid_content(&format!("'{place}' is not true or false")).target(place))
        }
    }
}

/// Settings are pairs of texts. Protected ones are never shown: only their names stay.
fn settings(properties: &Map<String, Value>, name: &str) -> Result<Option<Map<String, Value>>, Refusal> {
    let place = format!("properties.{name}");
    let settings = match properties.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(settings)) => settings,
        Some(_) => return Err(Refusal::invalid_content(&format!("'{place}' is not an object")).target(place)),
    };
    if let Some((key, _)) = settings.iter().find(|(_, value)| !value.is_string()) {
        return Err(Refusal::invalid_content(&format!("'{place}.{key}' is not a text")).target(place));
    }
    let hidden = name == "configurationProtectedSettings";
    let shown =
        |(key, value): (&String, &Value)| (key.clone(), if hidden { "".into() } else { value.clone() });
    Ok(Some(settings.iter().map(shown).collect()))
}

fn properties<'a>(call: &Call<'a>) -> Result<&'a Map<String, Value>, Refusal> {
    let properties = call.object()?.get("properties").and_then(Value::as_object);
    properties.ok_or_else(|| {
        Refusal::invalid_content("the required member 'properties' is missing").target("properties")
    })
}

/// Where an extension goes: the whole cluster, or one namespace of it.
fn scope(properties: &Map<String, Value>, name: &str) -> Result<Value, Refusal> {
    match properties.get("scope") {
        None | Some(Value::Null) => Ok(json!({ "cluster": { "releaseNamespace": name } })),
        Some(Value::Object(scope)) if scope.contains_key("cluster") != scope.contains_key("namespace") => {
            Ok(Value::Object(scope.clone()))
        }
        Some(_) => {
            let text = "'properties.scope' is not an object with either 'cluster' or 'namespace'";
            Err(Refusal::invalid_content(text).target("properties.scope"))
        }
    }
}

/// The extension after a PUT.
pub(super) fn put(
    call: &Call<'_>,
    typed: &Typed<'_>,
    key: &str,
    found: Option<&Value>,
    txn: &mut Txn<'_>,
) -> Result<Value, Refusal> {
    let sent = properties(call)?;
    let kind = tags::text(sent, "extensionType")?.ok_or_else(|| {
        Refusal::invalid_content("the required member 'properties.extensionType' is missing")
            .target("properties.extensionType")
    })?;
    let old = |member: &str| found.and_then(|found| found.pointer(member)).cloned();
    let mut extension = json!({
        "id": typed.id(),
        "name": typed.name(),
        "type": "Microsoft.KubernetesConfiguration/extensions",
        "properties": {
            "extensionType": kind,
            "autoUpgradeMinorVersion": flag(sent, "autoUpgradeMinorVersion")?.unwrap_or(true),
            "releaseTrain": tags::text(sent, "releaseTrain")?.unwrap_or("Stable"),
            "version": tags::text(sent, "version")?,
            "currentVersion": old("/properties/currentVersion"),
            "scope": scope(sent, typed.name())?,
            "provisioningState": if found.is_some() { "Updating" } else { "Creating" },
            "configurationSettings": settings(sent, "configurationSettings")?.unwrap_or_default(),
            "configurationProtectedSettings": settings(sent, "configurationProtectedSettings")?.unwrap_or_default(),
            "statuses": [],
            "aksAssignedIdentity": null,
            "isSystemExtension": false,
        },
        "systemData": {
            "createdBy": null,
            "createdByType": null,
            "createdAt": old("/systemData/createdAt").unwrap_or_else(|| moment(call.now)),
            "lastModifiedBy": null,
            "lastModifiedByType": null,
            "lastModifiedAt": moment(call.now),
        },
    });
    let identity = call.object()?.get("identity").and_then(Value::as_object);
    if let Some(identity) = identity {
        match tags::text(identity, "type")? {
            Some(kind) if kind.eq_ignore_ascii_case("SystemAssigned") => {
                let principal = tracked::principal(call, key, found, txn);
                extension["identity"] = json!({ "type": "SystemAssigned", "principalId": principal });
            }
            _ => {
                let text = "'identity.type' is not SystemAssigned";
                return Err(Refusal::invalid_content(text).target("identity.type"));
            }
        }
    }
    Ok(extension)
}

/// The extension after a PATCH: settings are merged, other members replaced.
pub(super) fn patch(call: &Call<'_>, found: &Value) -> Result<Value, Refusal> {
    let empty = Map::new();
    let sent = match call.object()?.get("properties") {
        None | Some(Value::Null) => &empty,
        Some(_) => properties(call)?,
    };
    let mut extension = found.clone();
    if let Some(flag) = flag(sent, "autoUpgradeMinorVersion")? {
        extension["properties"]["autoUpgradeMinorVersion"] = flag.into();
    }
    for name in ["releaseTrain", "version"] {
        if let Some(text) = tags::text(sent, name)? {
            extension["properties"][name] = text.into();
        }
    }
    for name in ["configurationSettings", "configurationProtectedSettings"] {
        for (key, value) in settings(sent, name)?.into_iter().flatten() {
            extension["properties"][name][key] = value;
        }
    }
    extension["systemData"]["lastModifiedAt"] = moment(call.now);
    Ok(extension)
}
