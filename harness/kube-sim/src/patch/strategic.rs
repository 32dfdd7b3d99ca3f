//! Strategic merge patch: a merge patch that knows which lists are really maps.
//!
//! Source: the Kubernetes description of strategic merge patch and the behaviour of apimachinery's strategicpatch:
//! directives `$patch` (`replace`, `delete`, `merge`), `$retainKeys`, `$deleteFromPrimitiveList/FIELD` and
//! `$setElementOrder/FIELD`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::PatchError;
use crate::schema::{ObjectType, Place};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList/";
const ORDER_PREFIX: &str = "$setElementOrder/";

type Object = Map<String, Value>;

/// Applies a strategic merge patch to an object of type `of`.
///
/// # Errors
/// When the patch is not an object, a directive is unknown or malformed, or an item of a merging list lacks its key.
pub fn strategic_merge(of: &ObjectType, current: &Value, patch: &Value) -> Result<Value, PatchError> {
    let (Value::Object(current), Value::Object(patch)) = (current, patch) else {
        return Err(malformed("a strategic merge patch must be a JSON object"));
    };
    merge_objects(of.root(), current.clone(), patch).map(Value::Object)
}

fn malformed(text: impl Into<String>) -> PatchError {
    PatchError::Malformed(text.into())
}

fn directive(patch: &Object) -> Result<Option<&str>, PatchError> {
    match patch.get(DIRECTIVE) {
        None => Ok(None),
        Some(Value::String(one)) if ["replace", "delete", "merge"].contains(&one.as_str()) => Ok(Some(one)),
        Some(other) => Err(malformed(format!("unknown patch type {DIRECTIVE}: {other}"))),
    }
}

/// What a patch leaves when there is nothing to patch: no directives, no `null`.
fn bare(place: Place<'_>, patch: &Object) -> Result<Object, PatchError> {
    merge_objects(place, Object::new(), patch)
}

fn merge_objects(place: Place<'_>, mut current: Object, patch: &Object) -> Result<Object, PatchError> {
    match directive(patch)? {
        Some("replace") => {
            let mut wanted = patch.clone();
            wanted.shift_remove(DIRECTIVE);
            return Ok(wanted);
        }
        Some("delete") => return Ok(Object::new()),
        _ => {}
    }
    retain(&mut current, patch)?;
    for (field, value) in patch {
        if field == DIRECTIVE || field == RETAIN || field.starts_with(ORDER_PREFIX) {
            continue;
        }
        if let Some(field) = field.strip_prefix(DELETE_PREFIX) {
            delete_primitives(&mut current, field, value)?;
            continue;
        }
        merge_field(place.field(field), &mut current, field, value)?;
    }
    for (field, order) in patch {
        if let Some(field) = field.strip_prefix(ORDER_PREFIX)
            && let Some(Value::Array(items)) = current.get_mut(field)
        {
            let order =
                order.as_array().ok_or_else(|| malformed(format!("{ORDER_PREFIX}{field} must be a list")))?;
            let named = patch.get(field).and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
            reorder(place.field(field).patch_merge_key(), items, order, named);
        }
    }
    Ok(current)
}

fn merge_field(place: Place<'_>, current: &mut Object, field: &str, value: &Value) -> Result<(), PatchError> {
    let merged = match (current.get_mut(field), value) {
        (_, Value::Null) => {
            current.shift_remove(field);
            return Ok(());
        }
        (Some(Value::Object(old)), Value::Object(patch)) if !place.patch_strategy("replace") => {
            let deletes = directive(patch)? == Some("delete");
            let merged = merge_objects(place, std::mem::take(old), patch)?;
            if deletes {
                current.shift_remove(field);
                return Ok(());
            }
            Value::Object(merged)
        }
        (_, Value::Object(patch)) => {
            if directive(patch)? == Some("delete") {
                current.shift_remove(field);
                return Ok(());
            }
            Value::Object(bare(place, patch)?)
        }
        (Some(Value::Array(old)), Value::Array(patch)) => {
            Value::Array(merge_lists(place, std::mem::take(old), patch, field)?)
        }
        (_, Value::Array(patch)) => Value::Array(plain_items(place, patch)?),
        (_, other) => other.clone(),
    };
    current.insert(field.to_owned(), merged);
    Ok(())
}

/// `$retainKeys`: fields that it does not name go.
fn retain(current: &mut Object, patch: &Object) -> Result<(), PatchError> {
    let Some(stated) = patch.get(RETAIN) else { return Ok(()) };
    let names =
        stated.as_array().ok_or_else(|| malformed(format!("{RETAIN} must be a list of field names")))?;
    for field in patch.keys().filter(|field| !field.starts_with('$')) {
        if !names.iter().any(|name| name == field.as_str()) {
            return Err(malformed(format!(
                "{RETAIN} directive doesn't contain all the fields of the patch: {field}"
            )));
        }
    }
    current.retain(|field, _| names.iter().any(|name| name == field.as_str()));
    Ok(())
}

fn delete_primitives(current: &mut Object, field: &str, gone: &Value) -> Result<(), PatchError> {
    let gone = gone.as_array().ok_or_else(|| malformed(format!("{DELETE_PREFIX}{field} must be a list")))?;
    if let Some(Value::Array(items)) = current.get_mut(field) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

fn merge_lists(
    place: Place<'_>,
    old: Vec<Value>,
    patch: &[Value],
    field: &str,
) -> Result<Vec<Value>, PatchError> {
    if !place.patch_strategy("merge") {
        return plain_items(place, patch);
    }
    match place.patch_merge_key() {
        Some(key) => merge_keyed(place, key, old, patch, field),
        None => {
            let mut wanted = old;
            for item in patch {
                if !wanted.contains(item) {
                    wanted.push(item.clone());
                }
            }
            Ok(wanted)
        }
    }
}

/// The items of a list that replaces, without directives.
fn plain_items(place: Place<'_>, patch: &[Value]) -> Result<Vec<Value>, PatchError> {
    let mut wanted = Vec::with_capacity(patch.len());
    for item in patch {
        match item {
            Value::Object(item) if item.len() == 1 && item.contains_key(DIRECTIVE) => {}
            Value::Object(item) => wanted.push(Value::Object(bare(place.items(), item)?)),
            other => wanted.push(other.clone()),
        }
    }
    Ok(wanted)
}

fn merge_keyed(
    place: Place<'_>,
    key: &str,
    old: Vec<Value>,
    patch: &[Value],
    field: &str,
) -> Result<Vec<Value>, PatchError> {
    let replaces = patch.iter().any(|item| {
        item.as_object()
            .is_some_and(|item| item.len() == 1 && item.get(DIRECTIVE).is_some_and(|it| it == "replace"))
    });
    let mut wanted = if replaces { Vec::new() } else { old };
    for item in patch {
        let Value::Object(item) = item else {
            return Err(malformed(format!("items of {field} must be objects with the field {key}")));
        };
        let what = directive(item)?;
        if what == Some("replace") && item.len() == 1 {
            continue;
        }
        let Some(id) = item.get(key) else {
            return Err(malformed(format!(
                "map: {} does not contain declared merge key: {key}",
                Value::Object(item.clone())
            )));
        };
        let place = place.items();
        let found = wanted.iter().position(|candidate| candidate.get(key) == Some(id));
        match (what, found) {
            (Some("delete"), Some(_)) => wanted.retain(|candidate| candidate.get(key) != Some(id)),
            (Some("delete"), None) => {}
            (_, Some(at)) => {
                if let Some(Value::Object(current)) = wanted.get_mut(at) {
                    *current = merge_objects(place, std::mem::take(current), item)?;
                }
            }
            (_, None) => wanted.push(Value::Object(bare(place, item)?)),
        }
    }
    Ok(wanted)
}

/// Puts the items that `order` names in its order; items that only the server has stay near their old neighbours.
fn reorder(key: Option<&str>, items: &mut Vec<Value>, order: &[Value], named: &[Value]) {
    let id = |value: &Value| match key {
        Some(key) => value.get(key).cloned().unwrap_or(Value::Null),
        None => value.clone(),
    };
    let wanted: Vec<Value> = order.iter().map(&id).collect();
    let rank = |item: &Value| wanted.iter().position(|candidate| *candidate == id(item));
    let before: Vec<Value> = items.iter().map(&id).collect();
    let old_rank = |item: &Value| before.iter().position(|candidate| *candidate == id(item));
    let (mut ordered, server_only): (Vec<Value>, Vec<Value>) =
        std::mem::take(items).into_iter().partition(|item| rank(item).is_some());
    ordered.sort_by_key(&rank);
    let is_new = |item: &Value| named.iter().any(|one| id(one) == id(item));
    let (mut left, mut right) = (ordered.into_iter().peekable(), server_only.into_iter().peekable());
    while let (Some(ours), Some(theirs)) = (left.peek(), right.peek()) {
        let theirs_first = old_rank(theirs).cmp(&old_rank(ours)) == Ordering::Less && !is_new(theirs);
        items.extend(if theirs_first { right.next() } else { left.next() });
    }
    items.extend(left);
    items.extend(right);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use crate::schema::Schemas;
    use serde_json::json;

    fn merge(group: &str, kind: &str, current: &Value, patch: &Value) -> Result<Value, PatchError> {
        let kind = Registry::builtin().by_kind(group, kind).unwrap();
        strategic_merge(&Schemas::new().of(&kind), current, patch)
    }

    fn names(list: &Value) -> Vec<&str> {
        list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn containers_merge_by_name_and_their_environment_too() {
        let current = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "args": ["x", "y"]},
            {"name": "b", "image": "b:1"}]}}}});
        let patch = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "a:2", "args": ["z"],
             "env": [{"name": "Y", "value": "2"}, {"name": "X", "$patch": "delete"}]}]}}}});
        let wanted = merge("apps", "Deployment", &current, &patch).unwrap();
        let containers = &wanted["spec"]["template"]["spec"]["containers"];
        assert_eq!(names(containers), ["a", "b"]);
        assert_eq!(
            containers[0],
            json!({"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}], "args": ["z"]})
        );
    }

    #[test]
    fn replace_and_delete_directives_and_null() {
        let current = json!({"metadata": {"labels": {"a": "1", "b": "2"}},
            "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "nodeSelector": {"x": "y"}}});
        let patch = json!({"metadata": {"labels": {"$patch": "replace", "c": "3"}},
            "spec": {"volumes": [{"$patch": "replace"}, {"name": "w", "emptyDir": {}}], "nodeSelector": null}});
        let wanted = merge("", "Pod", &current, &patch).unwrap();
        assert_eq!(
            wanted,
            json!({"metadata": {"labels": {"c": "3"}}, "spec": {"volumes": [{"name": "w", "emptyDir": {}}]}})
        );
    }

    #[test]
    fn retain_keys_clears_the_other_members_of_a_union() {
        let current =
            json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
        let wanted = merge("apps", "Deployment", &current, &patch).unwrap();
        assert_eq!(wanted["spec"]["strategy"], json!({"type": "Recreate"}));
    }

    #[test]
    fn primitive_lists_that_merge_are_sets() {
        let current = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"],
            "$setElementOrder/finalizers": ["c", "b"]}});
        let wanted = merge("", "Pod", &current, &patch).unwrap();
        assert_eq!(wanted["metadata"]["finalizers"], json!(["c", "b"]));
    }

    #[test]
    fn element_order_is_the_patch_s_and_server_items_stay() {
        let current = json!({"spec": {"containers": [{"name": "side"}, {"name": "a"}, {"name": "b"}]}});
        let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "new"}, {"name": "a"}],
            "containers": [{"name": "new", "image": "n"}]}});
        let wanted = merge("", "Pod", &current, &patch).unwrap();
        assert_eq!(names(&wanted["spec"]["containers"]), ["side", "b", "new", "a"]);
    }

    #[test]
    fn an_item_without_its_key_is_refused() {
        let patch = json!({"spec": {"containers": [{"image": "x"}]}});
        let error = merge("", "Pod", &json!({"spec": {"containers": []}}), &patch).unwrap_err();
        assert!(error.to_string().contains("does not contain declared merge key: name"), "{error}");
        let patch = json!({"metadata": {"$patch": "explode"}});
        assert!(merge("", "Pod", &json!({"metadata": {}}), &patch).is_err());
    }
}
