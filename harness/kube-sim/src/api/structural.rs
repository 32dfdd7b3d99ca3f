//! Structural schemas of custom resources: pruning, defaulting, checking.
//!
//! Checked: types, `nullable`, `required`, `enum`, bounds of numbers, lengths of texts and lists. Not modelled:
//! `pattern`, `format`, `oneOf`/`anyOf`/`not`, and validation rules in CEL; such constraints always hold here.

use serde_json::{Map, Value};

use super::meta;
use crate::status::Cause;

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

/// What is wrong with an object, field by field.
pub(super) fn check(schema: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_at(schema, object, "", &mut causes);
    causes
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits(schema: &Value, value: &Value) -> bool {
    if value.is_null() && schema["nullable"] == true {
        return true;
    }
    let found = type_of(value);
    if schema["x-kubernetes-int-or-string"] == true {
        return found == "integer" || found == "string";
    }
    match schema["type"].as_str() {
        None | Some("") => true,
        Some("number") => found == "number" || found == "integer",
        Some("integer") => found == "integer" || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some(wanted) => wanted == found,
    }
}

fn check_at(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if !fits(schema, value) {
        let wanted = schema["type"].as_str().unwrap_or("integer or string");
        let message = format!(
            "Invalid value: \"{}\": {path} in body must be of type {wanted}: \"{}\"",
            type_of(value),
            type_of(value)
        );
        causes.push(Cause::new("FieldValueTypeInvalid", path, message));
        return;
    }
    check_value(schema, value, path, causes);
    match value {
        Value::Object(map) => check_fields(schema, map, path, causes),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_at(&schema["items"], item, &format!("{path}[{index}]"), causes);
            }
        }
        _ => {}
    }
}

fn check_fields(schema: &Value, map: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let below = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(field) {
            causes.push(Cause::new("FieldValueRequired", below(field), "Required value"));
        }
    }
    for (field, value) in map {
        if path.is_empty() && field == "metadata" {
            continue;
        }
        let known = schema["properties"].get(field).unwrap_or(&schema["additionalProperties"]);
        if known.is_object() {
            check_at(known, value, &below(field), causes);
        }
    }
}

fn check_value(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let names: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", names.join(", "));
        causes.push(Cause::new("FieldValueNotSupported", path, message));
    }
    let size = match value {
        Value::Number(number) => number.as_f64().map(|number| ("minimum", "maximum", "be", number)),
        Value::String(text) => {
            measure(text.chars().count()).map(|n| ("minLength", "maxLength", "have length", n))
        }
        Value::Array(items) => measure(items.len()).map(|n| ("minItems", "maxItems", "have size", n)),
        Value::Object(map) => measure(map.len()).map(|n| ("minProperties", "maxProperties", "have size", n)),
        _ => None,
    };
    let Some((least, most, verb, size)) = size else { return };
    if let Some(least) = schema[least].as_f64().filter(|least| size < *least) {
        let message = format!("Invalid value: {value}: {path} in body should {verb} at least {least}");
        causes.push(Cause::new("FieldValueInvalid", path, message));
    }
    if let Some(most) = schema[most].as_f64().filter(|most| size > *most) {
        let message = format!("Invalid value: {value}: {path} in body should {verb} at most {most}");
        causes.push(Cause::new("FieldValueInvalid", path, message));
    }
}

fn measure(size: usize) -> Option<f64> {
    u32::try_from(size).ok().map(f64::from)
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
        assert_eq!(causes[0].message, "Invalid value: 0: spec.size in body should be at least 1");
        let causes = check(&schema, &json!({"spec": {"mode": "odd", "port": true}}));
        let fields: Vec<_> = causes.iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, ["spec.size", "spec.mode", "spec.port"]);
    }
}
