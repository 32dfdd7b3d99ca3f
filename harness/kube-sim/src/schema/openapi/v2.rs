//! The document of OpenAPI v2 (Swagger), made from the same parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::v3;
use crate::registry::Kind;
use crate::schema::Schemas;
use crate::schema::place::REF;

const DEFINITIONS: &str = "#/definitions/";
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// One document for all group versions.
pub(super) fn document(schemas: &Schemas, groups: &BTreeMap<String, Vec<Arc<Kind>>>) -> Value {
    let kinds: Vec<Arc<Kind>> = groups.values().flatten().cloned().collect();
    let (paths, custom) = v3::parts(schemas, &kinds);
    let paths: Map<String, Value> = paths.into_iter().map(|(path, item)| (path, path_item(&item))).collect();
    let builtin = schemas.definitions();
    let all = builtin.iter().chain(&custom);
    let definitions: Map<String, Value> =
        all.map(|(name, definition)| (name.clone(), schema(definition))).collect();
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": crate::KUBERNETES_VERSION},
        "paths": paths,
        "definitions": definitions,
        "securityDefinitions": {"BearerToken": {
            "description": "Bearer Token authentication", "in": "header", "name": "authorization", "type": "apiKey"}},
        "security": [{"BearerToken": []}],
    })
}

fn path_item(item: &Value) -> Value {
    let mut out = Map::new();
    for method in METHODS {
        if let Some(stated) = item.get(method) {
            out.insert(method.into(), operation(stated));
        }
    }
    out.insert("parameters".into(), parameters(&item["parameters"]));
    Value::Object(out)
}

fn operation(stated: &Value) -> Value {
    let mut out = Map::new();
    for key in ["description", "operationId", "tags"] {
        if let Some(value) = stated.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    let content = stated["requestBody"]["content"].as_object();
    let consumes: Vec<&String> = content.into_iter().flatten().map(|(kind, _)| kind).collect();
    out.insert("consumes".into(), json!(if content.is_some() { json!(consumes) } else { json!(["*/*"]) }));
    out.insert("produces".into(), json!(["application/json"]));
    let mut all = match parameters(&stated["parameters"]) {
        Value::Array(all) => all,
        _ => Vec::new(),
    };
    if let Some((_, body)) = content.and_then(|content| content.iter().next()) {
        all.insert(
            0,
            json!({"in": "body", "name": "body", "required": true, "schema": schema(&body["schema"])}),
        );
    }
    out.insert("parameters".into(), Value::Array(all));
    let mut responses = Map::new();
    for (code, response) in stated["responses"].as_object().into_iter().flatten() {
        let mut reply = json!({"description": response["description"]});
        let content = response["content"].as_object().and_then(|content| content.values().next());
        if let Some(content) = content {
            reply["schema"] = schema(&content["schema"]);
        }
        responses.insert(code.clone(), reply);
    }
    out.insert("responses".into(), Value::Object(responses));
    for key in ["x-kubernetes-action", "x-kubernetes-group-version-kind"] {
        if let Some(value) = stated.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    Value::Object(out)
}

fn parameters(stated: &Value) -> Value {
    let one = |parameter: &Value| {
        let mut out = parameter.clone();
        if let Value::Object(map) = &mut out {
            map.shift_remove("schema");
            map.insert("type".into(), parameter["schema"]["type"].clone());
            map.insert("uniqueItems".into(), json!(true));
        }
        out
    };
    stated.as_array().into_iter().flatten().map(one).collect()
}

/// A schema in the words of v2: no `oneOf`, references into `definitions`.
fn schema(stated: &Value) -> Value {
    match stated {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("oneOf" | "anyOf" | "not" | "nullable", _) => {}
                    ("properties", Value::Object(fields)) => {
                        let fields: Map<String, Value> =
                            fields.iter().map(|(name, field)| (name.clone(), schema(field))).collect();
                        out.insert(key.clone(), Value::Object(fields));
                    }
                    ("$ref", Value::String(target)) => {
                        let name = target.strip_prefix(REF).unwrap_or(target);
                        out.insert(key.clone(), json!(format!("{DEFINITIONS}{name}")));
                    }
                    _ => drop(out.insert(key.clone(), schema(inner))),
                }
            }
            if map.get("oneOf").is_some_and(Value::is_array) && !map.contains_key("type") && strings(map) {
                out.insert("type".into(), json!("string"));
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(schema).collect(),
        other => other.clone(),
    }
}

/// Whether one of the alternatives is a text: quantities, and numbers that may have names.
fn strings(map: &Map<String, Value>) -> bool {
    map.get("oneOf")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|one| one["type"] == "string"))
}
