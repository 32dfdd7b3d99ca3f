//! Schemas of custom resources.

use serde_json::{Map, Value, json};

use super::builtin::{API_VERSION, KIND, OBJECT_META};
use super::place::REF;

/// The schema of a custom object: what its definition says, with the fields that every object has.
pub(super) fn object_schema(stated: Option<&Value>) -> Value {
    let mut schema = match stated {
        Some(Value::Object(schema)) => schema.clone(),
        _ => Map::from_iter([("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true))]),
    };
    add_type_and_metadata(&mut schema, "Standard object's metadata.");
    schema.insert("type".into(), json!("object"));
    embed(&mut schema);
    Value::Object(schema)
}

fn add_type_and_metadata(schema: &mut Map<String, Value>, metadata: &str) {
    let stated = match schema.shift_remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    let mut properties = Map::new();
    properties.insert("apiVersion".into(), json!({"description": API_VERSION, "type": "string"}));
    properties.insert("kind".into(), json!({"description": KIND, "type": "string"}));
    properties
        .insert("metadata".into(), json!({"$ref": format!("{REF}{OBJECT_META}"), "description": metadata}));
    for (name, property) in stated {
        if !properties.contains_key(&name) {
            properties.insert(name, property);
        }
    }
    schema.insert("properties".into(), Value::Object(properties));
}

/// Gives embedded resources their metadata, however deep they are.
fn embed(schema: &mut Map<String, Value>) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().filter_map(Value::as_object_mut).for_each(embed_one);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = schema.get_mut(key) {
            embed_one(inner);
        }
    }
}

fn embed_one(schema: &mut Map<String, Value>) {
    if schema.get("x-kubernetes-embedded-resource") == Some(&json!(true)) {
        add_type_and_metadata(schema, "Standard object's metadata.");
    }
    embed(schema);
}
