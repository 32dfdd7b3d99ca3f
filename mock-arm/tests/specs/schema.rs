//! Whether a value is what a schema says.

use serde_json::Value;

use super::document::Operation;

/// Members of a schema, those of everything it consists of included.
pub(crate) fn members<'a>(operation: &'a Operation, schema: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let schema = operation.resolve(schema);
    let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    own.chain(parts.flat_map(|part| members(operation, part))).collect()
}

/// Names of members that have to be there.
pub(crate) fn required(operation: &Operation, schema: &Value) -> Vec<String> {
    let schema = operation.resolve(schema);
    let own = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let own = own.filter_map(Value::as_str).map(str::to_owned);
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    own.chain(parts.flat_map(|part| required(operation, part))).collect()
}

fn is_open(operation: &Operation, schema: &Value) -> bool {
    let schema = operation.resolve(schema);
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let additional = schema.get("additionalProperties").is_some_and(|value| value != false);
    additional || parts.into_iter().any(|part| is_open(operation, part))
}

/// What is wrong with `value`, each with its place.
pub(crate) fn check(
    operation: &Operation,
    schema: &Value,
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) {
    // What stands beside a reference counts, too.
    let nullable = |schema: &Value| schema["nullable"] == true || schema["x-nullable"] == true;
    let given = schema;
    let schema = operation.resolve(schema);
    if value.is_null() {
        if !nullable(given) && !nullable(schema) {
            found.push(format!("{place}: null"));
        }
        return;
    }
    let kind =
        schema["type"].as_str().unwrap_or(if members(operation, schema).is_empty() { "" } else { "object" });
    let fits = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    if !fits {
        found.push(format!("{place}: no {kind}"));
        return;
    }
    if let Some(known) = schema["enum"].as_array().filter(|known| !known.contains(value)) {
        found.push(format!("{place}: {value} is none of {}", Value::Array(known.clone())));
    }
    if schema["format"] == "date-time"
        && value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_err())
    {
        found.push(format!("{place}: {value} is no moment"));
    }
    if let Some(items) = value.as_array() {
        items.iter().for_each(|item| check(operation, &schema["items"], item, &format!("{place}/*"), found));
    }
    let Some(object) = value.as_object().filter(|_| kind == "object") else { return };
    let members = members(operation, schema);
    for name in required(operation, schema).iter().filter(|name| !object.contains_key(*name)) {
        found.push(format!("{place}/{name}: missing"));
    }
    for (name, value) in object {
        let place = format!("{place}/{name}");
        match members.iter().find(|(known, _)| *known == name) {
            Some((_, schema)) => check(operation, schema, value, &place, found),
            None if members.is_empty() || is_open(operation, schema) => {}
            // The documents' conversion dropped what every resource inherits.
            None if ["id", "name", "type"].contains(&name.as_str()) => {}
            None => found.push(format!("{place}: not in the schema")),
        }
    }
}
