//! What a structural schema says against an object. Source of the wording: kube-openapi's validation, as the API server
//! shows it.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::formats;
use crate::registry::ScalePaths;
use crate::status::Cause;

/// What is wrong with an object, field by field.
pub(crate) fn check(schema: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_at(schema, object, "", &mut causes);
    duplicates(schema, object, "", &mut causes);
    causes
}

/// What is wrong with the counts that the scale subresource shows.
pub(crate) fn check_scale(paths: &ScalePaths, object: &Value) -> Option<Cause> {
    let mut here = object;
    let steps: Vec<&str> = paths.spec.split('.').skip(1).collect();
    let problem = |found: &Value, wanted: &str| {
        let shown = found.as_str().map_or_else(|| found.to_string(), ToOwned::to_owned);
        let go = match found {
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Number(_) => "float64",
            Value::Array(_) => "[]interface {}",
            _ => "map[string]interface {}",
        };
        let path = &paths.spec;
        let message = format!(
            "Invalid value: 0: {path} accessor error: {shown} is of the type {go}, expected {wanted}"
        );
        Some(Cause::new("FieldValueInvalid", path.as_str(), message))
    };
    for step in steps {
        match here {
            Value::Object(map) => here = map.get(step)?,
            found => return problem(found, "map[string]interface{}"),
        }
    }
    match here {
        Value::Null => None,
        Value::Number(number) if number.is_i64() || number.is_u64() => None,
        found => problem(found, "int64"),
    }
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

fn invalid(path: &str, value: &Value, why: String) -> Cause {
    Cause::new("FieldValueInvalid", path, format!("Invalid value: {value}: {why}"))
}

fn wrong_type(path: &str, shown: &str, wanted: &str) -> Cause {
    let message = format!("Invalid value: {shown:?}: {path} in body must be of type {wanted}: {shown:?}");
    Cause::new("FieldValueTypeInvalid", path, message)
}

fn check_at(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if !fits(schema, value) {
        let wanted = schema["type"].as_str().filter(|wanted| !wanted.is_empty()).unwrap_or("integer,string");
        causes.push(wrong_type(path, type_of(value), wanted));
        return;
    }
    if value.is_null() {
        return;
    }
    alternatives(schema, value, path, causes);
    check_enum(schema, value, path, causes);
    match value {
        Value::String(text) => check_text(schema, text, path, causes),
        Value::Number(number) => {
            if let Some(number) = number.as_f64() {
                check_number(schema, number, value, path, causes);
            }
        }
        Value::Object(map) => check_fields(schema, map, path, causes),
        Value::Array(items) => {
            check_items(schema, items, path, causes);
            for (index, item) in items.iter().enumerate() {
                check_at(&schema["items"], item, &format!("{path}[{index}]"), causes);
            }
        }
        _ => {}
    }
}

fn below(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn check_fields(schema: &Value, map: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let limit = |name: &str| schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok());
    if let Some(most) = limit("maxProperties").filter(|most| map.len() > *most) {
        causes.push(too_many(path, map.len(), most));
    }
    if let Some(least) = limit("minProperties").filter(|least| map.len() < *least) {
        let why = format!("{path} in body should have at least {least} properties");
        causes.push(invalid(path, &Value::from(map.len()), why));
    }
    let of = |field: &str| schema["properties"].get(field).unwrap_or(&schema["additionalProperties"]);
    let mut missing = Vec::new();
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let null = map.get(field).is_some_and(|value| value.is_null() && of(field)["nullable"] != true);
        if null || !map.contains_key(field) {
            causes.push(Cause::new("FieldValueRequired", below(path, field), "Required value"));
            missing.push(field);
        }
    }
    for (field, value) in map {
        if (path.is_empty() && field == "metadata") || missing.contains(&field.as_str()) {
            continue;
        }
        if of(field).is_object() {
            check_at(of(field), value, &below(path, field), causes);
        }
    }
}

fn too_many(path: &str, found: usize, most: usize) -> Cause {
    let items = if most == 1 { "item" } else { "items" };
    Cause::new("FieldValueTooMany", path, format!("Too many: {found}: must have at most {most} {items}"))
}

fn check_items(schema: &Value, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let limit = |name: &str| schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok());
    if let Some(most) = limit("maxItems").filter(|most| items.len() > *most) {
        causes.push(too_many(path, items.len(), most));
    }
    if let Some(least) = limit("minItems").filter(|least| items.len() < *least) {
        let why = format!("{path} in body should have at least {least} items");
        causes.push(invalid(path, &Value::from(items.len()), why));
    }
}

fn check_text(schema: &Value, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count();
    let limit = |name: &str| schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok());
    if let Some(most) = limit("maxLength").filter(|most| length > *most) {
        causes.push(Cause::new(
            "FieldValueTooLong",
            path,
            format!("Too long: may not be more than {most} bytes"),
        ));
    }
    let value = Value::from(text);
    if let Some(least) = limit("minLength").filter(|least| length < *least) {
        causes.push(invalid(path, &value, format!("{path} in body should be at least {least} chars long")));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && let Ok(regex) = regex_lite::Regex::new(pattern)
        && !regex.is_match(text)
    {
        causes.push(invalid(path, &value, format!("{path} in body should match '{pattern}'")));
    }
    if let Some(format) = schema["format"].as_str()
        && !formats::fits(format, text)
    {
        causes.push(wrong_type(path, text, format));
    }
}

fn check_number(schema: &Value, number: f64, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if let Some(factor) = schema["multipleOf"].as_f64().filter(|factor| *factor > 0.0) {
        let times = number / factor;
        if (times - times.round()).abs() > 1e-9 {
            causes.push(invalid(path, value, format!("{path} in body should be a multiple of {factor}")));
        }
    }
    let exclusive = |name: &str| schema[name] == true;
    if let Some(most) = schema["maximum"].as_f64() {
        if exclusive("exclusiveMaximum") && number >= most {
            causes.push(invalid(path, value, format!("{path} in body should be less than {most}")));
        } else if number > most {
            causes.push(invalid(
                path,
                value,
                format!("{path} in body should be less than or equal to {most}"),
            ));
        }
    }
    if let Some(least) = schema["minimum"].as_f64() {
        if exclusive("exclusiveMinimum") && number <= least {
            causes.push(invalid(path, value, format!("{path} in body should be greater than {least}")));
        } else if number < least {
            causes.push(invalid(
                path,
                value,
                format!("{path} in body should be greater than or equal to {least}"),
            ));
        }
    }
}

fn check_enum(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) else { return };
    let names: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    let message = format!("Unsupported value: {value}: supported values: {}", names.join(", "));
    causes.push(Cause::new("FieldValueNotSupported", path, message));
}

/// `allOf`, `oneOf`, `anyOf` and `not`.
fn alternatives(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let refused = |why: String| {
        Cause::new("FieldValueInvalid", "<nil>", format!("Invalid value: \"\": {path:?} {why}"))
    };
    let failures = |one: &Value| {
        let mut found = Vec::new();
        check_at(one, value, path, &mut found);
        found
    };
    for one in schema["allOf"].as_array().into_iter().flatten() {
        causes.extend(failures(one));
    }
    for (key, exactly_one) in [("oneOf", true), ("anyOf", false)] {
        let Some(all) = schema[key].as_array().filter(|all| !all.is_empty()) else { continue };
        let all: Vec<Vec<Cause>> = all.iter().map(failures).collect();
        let valid = all.iter().filter(|found| found.is_empty()).count();
        match (exactly_one, valid) {
            (true, 1) => {}
            (false, 1..) => {}
            (true, 0) => {
                causes.push(refused("must validate one and only one schema (oneOf). Found none valid".into()))
            }
            (true, _) => causes.push(refused(format!(
                "must validate one and only one schema (oneOf). Found {valid} valid alternatives"
            ))),
            (false, _) => causes.push(refused("must validate at least one schema (anyOf)".into())),
        }
        if valid == 0 {
            // What the alternative that fits best lacks.
            causes.extend(all.into_iter().min_by_key(Vec::len).unwrap_or_default());
        }
    }
    if schema["not"].is_object() && failures(&schema["not"]).is_empty() {
        causes.push(refused("must not validate the schema (not)".into()));
    }
}

/// Items of sets, and of lists with keys, that are there twice.
fn duplicates(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(map) => {
            for (field, inner) in map {
                let known = schema["properties"].get(field).unwrap_or(&schema["additionalProperties"]);
                if known.is_object() {
                    duplicates(known, inner, &below(path, field), causes);
                }
            }
        }
        Value::Array(items) => {
            let mut seen: HashSet<String> = HashSet::new();
            for (index, item) in items.iter().enumerate() {
                if let Some(key) = identity(schema, item) {
                    let key = key.to_string();
                    if seen.contains(&key) {
                        let message = format!("Duplicate value: {key}");
                        causes.push(Cause::new("FieldValueDuplicate", format!("{path}[{index}]"), message));
                    }
                    seen.insert(key);
                }
                duplicates(&schema["items"], item, &format!("{path}[{index}]"), causes);
            }
        }
        _ => {}
    }
}

/// What an item of a list is told apart by.
fn identity(list: &Value, item: &Value) -> Option<Value> {
    match list["x-kubernetes-list-type"].as_str()? {
        "set" => Some(item.clone()),
        "map" => {
            let keys = list["x-kubernetes-list-map-keys"].as_array()?.iter().filter_map(Value::as_str);
            let pairs = keys.filter_map(|key| Some((key.to_owned(), item.get(key)?.clone())));
            Some(Value::Object(pairs.collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn messages(schema: Value, value: Value) -> Vec<String> {
        let schema = json!({"type": "object", "properties": {"x": schema}});
        check(&schema, &json!({"x": value})).into_iter().map(|cause| cause.message).collect()
    }

    #[test]
    fn texts_and_numbers_are_held_against_their_limits() {
        assert_eq!(
            messages(json!({"type": "string", "pattern": "^a"}), json!("b")),
            ["Invalid value: \"b\": x in body should match '^a'"]
        );
        assert_eq!(
            messages(json!({"type": "string", "format": "date-time"}), json!("late")),
            ["Invalid value: \"late\": x in body must be of type date-time: \"late\""]
        );
        assert_eq!(
            messages(json!({"type": "number", "multipleOf": 0.5}), json!(0.3)),
            ["Invalid value: 0.3: x in body should be a multiple of 0.5"]
        );
        assert_eq!(
            messages(json!({"type": "array", "maxItems": 1, "items": {}}), json!([1, 2])),
            ["Too many: 2: must have at most 1 item"]
        );
    }

    #[test]
    fn alternatives_and_duplicates_are_told() {
        let either = json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
        assert_eq!(messages(either.clone(), json!({"a": 1})), Vec::<String>::new());
        assert!(messages(either, json!({"a": 1, "b": 2}))[0].contains("Found 2 valid alternatives"));
        let keyed = json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]});
        assert_eq!(messages(keyed, json!([{"k": 1}, {"k": 1}])), ["Duplicate value: {\"k\":1}"]);
    }
}
