//! Structural schemas of custom resources: pruning, defaulting, checking.
//!
//! Validation rules in CEL have a place of their own ([`crate::rules`]). Not modelled: patterns that [`regex_lite`] does not
//! read.

mod check;
mod formats;

use serde_json::{Map, Value};

use super::meta;

pub(super) use check::{check, check_scale};

/// Drops fields that the schema does not know and fills in defaults, below the root's `apiVersion`, `kind`, `metadata`.
pub(super) fn complete(schema: &Value, object: &mut Value) {
    let map = meta::as_map(object);
    let kept: Vec<(String, Value)> = ["apiVersion", "kind", "metadata"]
        .into_iter()
        .filter_map(|field| map.get(field).map(|value| (field.to_owned(), value.clone())))
        .collect();
    prune(schema, object, &["apiVersion", "kind", "metadata"]);
    fill(schema, object);
    meta::as_map(object).extend(kept);
}

fn keeps_unknown(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

fn prune(schema: &Value, value: &mut Value, always: &[&str]) {
    match value {
        Value::Object(map) => {
            if schema["x-kubernetes-embedded-resource"] == true {
                return prune_fields(schema, map, &["apiVersion", "kind", "metadata"]);
            }
            prune_fields(schema, map, always);
        }
        Value::Array(items) => {
            for item in items {
                prune(&schema["items"], item, &[]);
            }
        }
        _ => {}
    }
}

fn prune_fields(schema: &Value, map: &mut Map<String, Value>, always: &[&str]) {
    let additional = &schema["additionalProperties"];
    let open = keeps_unknown(schema) || !additional.is_null() || schema.is_null();
    map.retain(|field, value| match schema["properties"].get(field) {
        Some(known) => {
            if !always.contains(&field.as_str()) {
                prune(known, value, &[]);
            }
            true
        }
        None => {
            if additional.is_object() {
                prune(additional, value, &[]);
            }
            open || always.contains(&field.as_str())
        }
    });
}

fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (field, known) in schema["properties"].as_object().into_iter().flatten() {
                let missing = match map.get(field) {
                    None => true,
                    Some(Value::Null) => known["nullable"] != true,
                    Some(_) => false,
                };
                if missing && let Some(default) = known.get("default") {
                    map.insert(field.clone(), default.clone());
                }
                if let Some(inner) = map.get_mut(field) {
                    fill(known, inner);
                }
            }
            if schema["additionalProperties"].is_object() {
                for (_, inner) in map.iter_mut() {
                    fill(&schema["additionalProperties"], inner);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                fill(&schema["items"], item);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_go_defaults_come_and_mistakes_are_named() {
        let schema = json!({"type": "object", "properties": {"spec": {
            "type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer", "minimum": 1},
                "mode": {"type": "string", "default": "fast", "enum": ["fast", "slow"]},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "port": {"x-kubernetes-int-or-string": true}}}}});
        let mut object = json!({"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x"}, "junk": 1,
            "spec": {"size": 0, "bogus": true, "free": {"any": [1]}, "port": "http"}});
        complete(&schema, &mut object);
        assert_eq!(object["spec"], json!({"size": 0, "free": {"any": [1]}, "port": "http", "mode": "fast"}));
        assert_eq!((object.get("junk"), &object["metadata"]["name"]), (None, &json!("x")));
        let causes = check(&schema, &object);
        assert_eq!(
            causes[0].message,
            "Invalid value: 0: spec.size in body should be greater than or equal to 1"
        );
        let causes = check(&schema, &json!({"spec": {"mode": "odd", "port": true}}));
        let fields: Vec<_> = causes.iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, ["spec.size", "spec.mode", "spec.port"]);
    }
}
