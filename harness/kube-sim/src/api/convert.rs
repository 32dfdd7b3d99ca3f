//! Between the version that a caller speaks and the one that is stored.
//!
//! Custom resources and built-in kinds with one version differ in `apiVersion` only. Events and horizontal pod
//! autoscalers have two forms: events are stored as `core/v1`, autoscalers as `autoscaling/v2`. What `autoscaling/v1`
//! keeps in annotations for fields that it cannot express is not modelled: such metrics are left out of its view.

use serde_json::{Map, Value, json};

use super::meta;
use crate::registry::Kind;

/// `core/v1` names of event fields and their `events.k8s.io/v1` names.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The stored form of what a caller sent as `kind`.
pub(super) fn to_storage(kind: &Kind, object: &mut Value) {
    match (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()) {
        ("events.k8s.io", _, "Event") => {
            rename(object, |(core, new)| (new, core));
            stamp(object, "v1", "Event");
        }
        ("autoscaling", "v1", _) => {
            autoscaler_to_v2(object);
            stamp(object, "autoscaling/v2", &kind.kind);
        }
        _ => stamp(object, &kind.api_version(), &kind.kind),
    }
}

/// The form in which `kind` shows a stored object.
pub(super) fn from_storage(kind: &Kind, mut object: Value) -> Value {
    match (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()) {
        ("events.k8s.io", _, "Event") => rename(&mut object, |(core, new)| (core, new)),
        ("autoscaling", "v1", _) => autoscaler_to_v1(&mut object),
        _ => {}
    }
    stamp(&mut object, &kind.api_version(), &kind.kind);
    object
}

/// Whether a stored object is what `kind` shows of it.
pub(super) fn is_shown_as_stored(kind: &Kind, object: &Value) -> bool {
    let other = matches!(
        (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()),
        ("events.k8s.io", _, "Event") | ("autoscaling", "v1", _)
    );
    !other && object["kind"] == kind.kind.as_str() && is_version(kind, meta::text(object, "/apiVersion"))
}

/// Whether `api_version` is the one of `kind`.
fn is_version(kind: &Kind, api_version: &str) -> bool {
    match api_version.split_once('/') {
        Some((group, version)) => group == kind.group && version == kind.version,
        None => kind.group.is_empty() && api_version == kind.version,
    }
}

/// Sets `kind` and `apiVersion`, in the place where the real server writes them.
fn stamp(object: &mut Value, api_version: &str, kind: &str) {
    let map = meta::as_map(object);
    if map.get("apiVersion").is_some_and(|v| v == api_version) && map.get("kind").is_some_and(|k| k == kind) {
        return;
    }
    let rest = std::mem::take(map);
    map.insert("apiVersion".into(), api_version.into());
    map.insert("kind".into(), kind.into());
    map.extend(rest.into_iter().filter(|(field, _)| field != "apiVersion" && field != "kind"));
}

fn rename(
    object: &mut Value,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let map = meta::as_map(object);
    let renamed = std::mem::take(map).into_iter().map(|(field, value)| {
        let to = EVENT_FIELDS.into_iter().map(&direction).find(|(from, _)| *from == field);
        (to.map_or(field, |(_, to)| to.to_owned()), value)
    });
    *map = renamed.collect();
}

fn autoscaler_to_v2(object: &mut Value) {
    let spec = meta::child(object, "spec");
    if let Some(target) = spec.shift_remove("targetCPUUtilizationPercentage").filter(Value::is_number) {
        spec.insert(
            "metrics".into(),
            json!([{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}}]),
        );
    }
    let status = meta::child(object, "status");
    if let Some(current) = status.shift_remove("currentCPUUtilizationPercentage") {
        status.insert(
            "currentMetrics".into(),
            json!([{"type": "Resource", "resource": {
            "name": "cpu", "current": {"averageUtilization": current}}}]),
        );
    }
}

fn autoscaler_to_v1(object: &mut Value) {
    let cpu = |metrics: Option<Value>, pointer: &str| {
        let of_cpu = |metric: &Value| {
            (metric["resource"]["name"] == "cpu").then(|| metric.pointer(pointer).cloned()).flatten()
        };
        metrics?.as_array()?.iter().find_map(of_cpu)
    };
    let move_to = |map: &mut Map<String, Value>, from: &str, pointer: &str, to: &str| {
        if let Some(value) = cpu(map.shift_remove(from), pointer) {
            map.insert(to.into(), value);
        }
    };
    let spec = meta::child(object, "spec");
    spec.shift_remove("behavior");
    move_to(spec, "metrics", "/resource/target/averageUtilization", "targetCPUUtilizationPercentage");
    let status = meta::child(object, "status");
    status.shift_remove("conditions");
    move_to(
        status,
        "currentMetrics",
        "/resource/current/averageUtilization",
        "currentCPUUtilizationPercentage",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn an_event_reads_the_same_through_both_groups() {
        let registry = Registry::builtin();
        let new = registry.find("events.k8s.io", "v1", "events").unwrap();
        let mut event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "hello",
            "regarding": {"kind": "Pod", "name": "a"}, "reportingController": "me"});
        let sent = event.clone();
        to_storage(&new, &mut event);
        assert_eq!((&event["message"], &event["apiVersion"]), (&json!("hello"), &json!("v1")));
        assert_eq!(event["involvedObject"]["name"], "a");
        assert_eq!(from_storage(&new, event), sent);
    }

    #[test]
    fn an_autoscaler_of_version_1_is_stored_as_version_2() {
        let kind = Registry::builtin().find("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
        let mut object = json!({"spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}});
        to_storage(&kind, &mut object);
        assert_eq!(object["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 80);
        assert_eq!(from_storage(&kind, object)["spec"]["targetCPUUtilizationPercentage"], 80);
    }
}
