//! How large values of a schema can be, and how often they can occur.

use serde_json::Value;

use super::REQUEST;

/// The longest text in a request: two bytes of it are quotes.
const TEXT: u64 = REQUEST - 2;

fn stated(schema: &Value, field: &str) -> Option<u64> {
    schema[field].as_i64().map(|count| u64::try_from(count).unwrap_or(0))
}

/// How often a place of a schema can occur in one object; none when nothing bounds it.
pub(crate) type Cardinality = Option<u64>;

/// The cardinality of what is below a place.
pub(crate) fn most_often(own: Cardinality, schema: &Value) -> Cardinality {
    let factor = match schema["type"].as_str() {
        Some("object") if schema["additionalProperties"].is_null() => Some(1),
        Some("object") => stated(schema, "maxProperties"),
        Some("array") => stated(schema, "maxItems"),
        _ => Some(1),
    };
    Some(own?.saturating_mul(factor?))
}

/// How often a place can occur in one request if nothing but the size of the request bounds it.
pub(super) fn per_request(schema: &Value) -> u64 {
    REQUEST / (least(schema).unwrap_or_default() + 1)
}

/// The fewest bytes that a value of a schema takes in JSON; none for what rules do not see.
pub(super) fn least(schema: &Value) -> Option<u64> {
    if schema["x-kubernetes-int-or-string"] == true {
        return Some(1);
    }
    Some(match schema["type"].as_str()? {
        "array" => {
            least(&schema["items"])?;
            2
        }
        "object" if schema["additionalProperties"].is_object() => {
            least(&schema["additionalProperties"])?;
            2
        }
        "object" => 2 + required(schema),
        "string" => match schema["format"].as_str() {
            Some("duration") => 3,
            Some("date") => 12,
            Some("date-time") => 21,
            _ => 2,
        },
        "boolean" => 4,
        "number" | "integer" => 1,
        _ => return None,
    })
}

/// The bytes of the fields that an object must have and that are not filled in.
fn required(schema: &Value) -> u64 {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let one = |name: &str| {
        let field = schema["properties"].get(name).filter(|field| field["default"].is_null())?;
        Some(name.len() as u64 + least(field)? + 4)
    };
    names.filter_map(one).sum()
}

/// The most elements, entries, letters or bytes of a value; 0 for one that has none of them.
pub(super) fn most(schema: &Value) -> u64 {
    let letters =
        |otherwise: u64| stated(schema, "maxLength").map_or(otherwise, |most| most.saturating_mul(4));
    if schema["x-kubernetes-int-or-string"] == true {
        return letters(TEXT);
    }
    match schema["type"].as_str() {
        Some("array") => {
            let each = least(&schema["items"]).unwrap_or_default() + 1;
            stated(schema, "maxItems").unwrap_or(TEXT / each)
        }
        Some("object") if schema["additionalProperties"].is_object() => {
            let each = least(&schema["additionalProperties"]).unwrap_or_default() + 6;
            stated(schema, "maxProperties").unwrap_or(TEXT / each)
        }
        Some("string") => match schema["format"].as_str() {
            Some("byte") => stated(schema, "maxLength").unwrap_or(TEXT),
            Some("duration" | "date-time") => 32,
            Some("date") => 12,
            _ => letters(longest_choice(schema)),
        },
        _ => 0,
    }
}

/// The length of the longest text that is allowed.
fn longest_choice(schema: &Value) -> u64 {
    let choices = schema["enum"].as_array().filter(|choices| !choices.is_empty());
    let lengths = |choices: &Vec<Value>| choices.iter().filter_map(Value::as_str).map(str::len).max();
    choices.map_or(TEXT, |choices| lengths(choices).unwrap_or(0) as u64)
}
