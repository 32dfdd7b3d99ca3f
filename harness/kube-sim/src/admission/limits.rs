//! LimitRanges: defaults for containers, and bounds for containers, pods and claims (the `LimitRanger` plug-in).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sim_core::ledger::Txn;

use crate::api::meta;
use crate::controllers::quantity::Quantity;
use crate::registry::Kind;
use crate::status::Status;

const RANGES: &str = "core/limitranges";
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Amounts by resource, as they were written.
type Amounts = BTreeMap<String, Value>;

fn quantity(value: &Value) -> Quantity {
    match value {
        Value::String(text) => Quantity::parse(text).unwrap_or_default(),
        other => Quantity::units(other.as_i64().unwrap_or_default().into()),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn map<'a>(holder: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    holder.get(field).and_then(Value::as_object).into_iter().flatten()
}

/// The items of a namespace's ranges.
fn items(txn: &Txn<'_>, namespace: &str) -> Vec<Value> {
    let prefix = format!("{namespace}/");
    let ranges = txn.scan(RANGES, &prefix);
    ranges.flat_map(|(_, row)| row.value["spec"]["limits"].as_array().cloned().unwrap_or_default()).collect()
}

/// Fills in what follows from the bounds of a range itself.
pub(super) fn complete_range(range: &mut Value) {
    let items = range.pointer_mut("/spec/limits").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten().filter(|item| item["type"] == "Container") {
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let Some(source) = item.get(from).and_then(Value::as_object).cloned() else { continue };
            let target = meta::child(item, to);
            for (name, amount) in source {
                target.entry(name).or_insert(amount);
            }
        }
        for field in ["default", "defaultRequest"] {
            if item[field].as_object().is_some_and(Map::is_empty)
                && let Some(map) = item.as_object_mut()
            {
                map.shift_remove(field);
            }
        }
    }
}

/// Gives containers the requests and limits that they leave to the ranges.
pub(super) fn complete_pod(txn: &Txn<'_>, pod: &mut Value) {
    let items = items(txn, meta::namespace(pod).unwrap_or_default());
    let items: Vec<_> = items.iter().filter(|item| item["type"] == "Container").collect();
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for item in &items {
        requests.extend(map(item, "defaultRequest").map(|(name, amount)| (name.clone(), amount.clone())));
        limits.extend(map(item, "default").map(|(name, amount)| (name.clone(), amount.clone())));
    }
    let mut notes = Vec::new();
    for (list, word) in [("containers", "container"), ("initContainers", "init container")] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let title = meta::text(container, "/name").to_owned();
            for (field, defaults, what) in [("requests", &requests, "request"), ("limits", &limits, "limit")]
            {
                let set = fill(container, field, defaults);
                if !set.is_empty() {
                    notes.push(format!("{} {what} for {word} {title}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let annotations = meta::metadata(pod).entry("annotations").or_insert(Value::Null);
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        meta::as_map(annotations).insert(ANNOTATION.into(), note.into());
    }
}

fn fill(container: &mut Value, field: &str, defaults: &Amounts) -> Vec<String> {
    if defaults.is_empty() {
        return Vec::new();
    }
    let resources = meta::as_map(meta::as_map(container).entry("resources").or_insert(Value::Null));
    let amounts = meta::as_map(resources.entry(field).or_insert(Value::Null));
    let mut set = Vec::new();
    for (name, amount) in defaults {
        if !amounts.contains_key(name) {
            amounts.insert(name.clone(), amount.clone());
            set.push(name.clone());
        }
    }
    set
}

/// Refuses a pod or claim that is out of bounds.
pub(super) fn check(txn: &Txn<'_>, kind: &Kind, object: &Value) -> Result<(), Status> {
    let claim = kind.is("", "PersistentVolumeClaim");
    if !claim && !kind.is("", "Pod") {
        return Ok(());
    }
    let mut problems = Vec::new();
    for item in items(txn, meta::namespace(object).unwrap_or_default()) {
        match meta::text(&item, "/type") {
            "PersistentVolumeClaim" if claim => {
                let resources = &object["spec"]["resources"];
                storage(&item, resources, &mut problems);
            }
            "Container" if !claim => {
                for list in ["containers", "initContainers"] {
                    for container in object["spec"][list].as_array().into_iter().flatten() {
                        bounds(&item, "Container", &container["resources"], &mut problems);
                    }
                }
            }
            "Pod" if !claim => bounds(&item, "Pod", &total(object), &mut problems),
            _ => {}
        }
    }
    let why = match problems.as_slice() {
        [] => return Ok(()),
        [only] => only.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(Status::refused(kind, meta::name(object), &why))
}

fn storage(item: &Value, resources: &Value, problems: &mut Vec<String>) {
    let request = &resources["requests"]["storage"];
    for (name, enforced) in map(item, "min").filter(|(name, _)| *name == "storage") {
        if quantity(request) < quantity(enforced) {
            problems.push(format!(
                "minimum {name} usage per PersistentVolumeClaim is {}, but request is {}",
                shown(enforced),
                shown(request)
            ));
        }
    }
    for (name, enforced) in map(item, "max").filter(|(name, _)| *name == "storage") {
        if quantity(request) > quantity(enforced) {
            problems.push(format!(
                "maximum {name} usage per PersistentVolumeClaim is {}, but request is {}",
                shown(enforced),
                shown(request)
            ));
        }
    }
}

fn bounds(item: &Value, what: &str, resources: &Value, problems: &mut Vec<String>) {
    let of = |field: &str, name: &str| resources[field].get(name).filter(|amount| !amount.is_null());
    for (name, least) in map(item, "min") {
        let rule = format!("minimum {name} usage per {what} is {}", shown(least));
        match (of("requests", name), of("limits", name)) {
            (None, _) => problems.push(format!("{rule}.  No request is specified")),
            (Some(request), _) if quantity(request) < quantity(least) => {
                problems.push(format!("{rule}, but request is {}", shown(request)));
            }
            (_, Some(limit)) if quantity(limit) < quantity(least) => {
                problems.push(format!("{rule}, but limit is {}", shown(limit)));
            }
            _ => {}
        }
    }
    for (name, most) in map(item, "max") {
        let rule = format!("maximum {name} usage per {what} is {}", shown(most));
        match (of("limits", name), of("requests", name)) {
            (None, _) => problems.push(format!("{rule}.  No limit is specified")),
            (Some(limit), _) if quantity(limit) > quantity(most) => {
                problems.push(format!("{rule}, but limit is {}", shown(limit)));
            }
            (_, Some(request)) if quantity(request) > quantity(most) => {
                problems.push(format!("{rule}, but request is {}", shown(request)));
            }
            _ => {}
        }
    }
    for (name, ratio) in map(item, "maxLimitRequestRatio") {
        let rule = format!("{name} max limit to request ratio per {what} is {}", shown(ratio));
        let zero =
            |amount: Option<&Value>| amount.is_none_or(|amount| quantity(amount) == Quantity::default());
        let (request, limit) = (of("requests", name), of("limits", name));
        if zero(request) {
            problems.push(format!("{rule}, but no request is specified or request is 0"));
        } else if zero(limit) {
            problems.push(format!("{rule}, but no limit is specified or limit is 0"));
        } else if let (Some(request), Some(limit)) = (request, limit) {
            let (limit, request) = (quantity(limit), quantity(request));
            if limit.exceeds_times(request, quantity(ratio)) {
                problems.push(format!("{rule}, but provided ratio is {:.6}", limit.ratio(request)));
            }
        }
    }
}

/// Requests and limits of a pod in all, where every container states them.
fn total(pod: &Value) -> Value {
    let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let mut sums = json!({"requests": {}, "limits": {}});
    for field in ["requests", "limits"] {
        let names: BTreeSet<String> = containers
            .iter()
            .flat_map(|container| map(&container["resources"], field).map(|(name, _)| name.clone()))
            .collect();
        for name in names {
            let amounts = containers.iter().filter_map(|container| container["resources"][field].get(&name));
            let (mut sum, mut binary) = (Quantity::default(), false);
            for amount in amounts {
                sum = sum.plus(quantity(amount));
                binary |= shown(amount).ends_with('i');
            }
            sums[field][name] = json!(sum.shown(binary));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_as_the_real_plug_in_tells_them() {
        let item = json!({"type": "Container", "min": {"cpu": "100m"}, "max": {"memory": "1Gi"},
            "maxLimitRequestRatio": {"cpu": "2"}});
        let mut problems = Vec::new();
        let resources = json!({"requests": {"cpu": "50m"}, "limits": {"cpu": "200m", "memory": "2Gi"}});
        bounds(&item, "Container", &resources, &mut problems);
        assert_eq!(
            problems,
            [
                "minimum cpu usage per Container is 100m, but request is 50m",
                "maximum memory usage per Container is 1Gi, but limit is 2Gi",
                "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
            ]
        );
    }

    #[test]
    fn a_range_implies_its_defaults() {
        let mut range = json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}}]}});
        complete_range(&mut range);
        let item = &range["spec"]["limits"][0];
        assert_eq!(item["default"], json!({"cpu": "1"}));
        assert_eq!(item["defaultRequest"], json!({"cpu": "1", "memory": "1Mi"}));
    }
}
