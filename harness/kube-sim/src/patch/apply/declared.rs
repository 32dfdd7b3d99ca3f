//! Whether a configuration to be applied fits its type: every field declared, every value of its type, every key there once.
//!
//! Source: the wording of structured merge and diff's typed values.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::Element;
use crate::schema::{ListType, ObjectType, Place};

/// What is wrong with a configuration: the first mistakes that are found in it, in order.
#[must_use]
pub(crate) fn problem(of: &ObjectType, applied: &Value) -> Option<String> {
    let mut found = Vec::new();
    look(of.root(), applied, "", &mut found);
    match found.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        many => Some(format!("errors:\n  {}", many.join("\n  "))),
    }
}

fn look(place: Place<'_>, value: &Value, path: &str, found: &mut Vec<String>) {
    if !place.known() || value.is_null() {
        return;
    }
    if let Some(wanted) = mismatch(place, value) {
        found.push(format!("{path}: expected {wanted}, got {}", shown(value)));
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let below = format!("{path}.{name}");
                match place.named_field(name).or_else(|| place.values()) {
                    Some(field) => look(field, inner, &below, found),
                    None if place.open() => {}
                    None => found.push(format!("{below}: field not declared in schema")),
                }
            }
        }
        Value::Array(items) => look_at_items(place, items, path, found),
        _ => {}
    }
}

fn look_at_items(place: Place<'_>, items: &[Value], path: &str, found: &mut Vec<String>) {
    let mut seen: BTreeSet<Element> = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let element = match place.list_type() {
            ListType::Atomic => Element::Index(index as u64),
            ListType::Set => Element::Item(item.to_string()),
            ListType::Map(keys) => {
                let inner = place.items();
                Element::key(item, keys.iter().map(|key| (*key, inner.field(key).default())))
            }
        };
        if seen.contains(&element) {
            found.push(format!("{path}: duplicate entries for key {element}"));
            return;
        }
        look(place.items(), item, &format!("{path}{element}"), found);
        seen.insert(element);
    }
}

/// What a place wants when the value is of another type.
fn mismatch(place: Place<'_>, value: &Value) -> Option<&'static str> {
    match (place.kind()?, value) {
        ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("integer" | "number", Value::Number(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_)) => None,
        ("string", _) => Some("string"),
        ("boolean", _) => Some("boolean"),
        ("integer" | "number", _) => Some("numeric (int or float)"),
        ("array", _) => Some("list"),
        ("object", _) => Some("map"),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(_) => "string".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(number) if number.is_f64() => "float".to_owned(),
        Value::Number(_) => "int".to_owned(),
        Value::Array(_) => "list".to_owned(),
        Value::Object(_) => "map".to_owned(),
        Value::Null => "null".to_owned(),
    }
}
