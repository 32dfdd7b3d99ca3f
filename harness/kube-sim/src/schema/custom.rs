//! Schemas of custom resources.

use serde_json::{Map, Value, json};

use super::builtin::{self, API_VERSION, GVK, KIND, OBJECT_META};
use super::place::REF;
use crate::registry::Kind;

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

/// The name of a custom kind's definition: the group backwards, version, kind.
pub(super) fn definition_name(kind: &Kind) -> String {
    let group: Vec<&str> = kind.group.split('.').rev().collect();
    format!("{}.{}.{}", group.join("."), kind.version, kind.kind)
}

/// The definitions that a custom kind adds: its own and its list's.
pub(super) fn definitions(kind: &Kind, name: &str, stated: Option<&Value>) -> Map<String, Value> {
    let mut object = object_schema(stated);
    object[GVK] = json!([{"group": kind.group, "kind": kind.kind, "version": kind.version}]);
    let mut all = Map::from_iter([(name.to_owned(), object)]);
    builtin::add_list(&mut all, &kind.group, &kind.version, &kind.kind, name);
    all
}
