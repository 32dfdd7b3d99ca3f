//! Documents of OpenAPI v3: one for each group version, with the definitions that it needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::operations::{self, Names};
use crate::registry::Kind;
use crate::schema::place::REF;
use crate::schema::{Schemas, custom};

/// The document of the group version at `path`.
pub(super) fn document(schemas: &Schemas, path: &str, kinds: &[Arc<Kind>]) -> Value {
    let (paths, custom) = parts(schemas, kinds);
    let builtin = schemas.definitions();
    let find = |name: &str| custom.get(name).or_else(|| builtin.get(name));
    let mut all = Map::new();
    all.insert(format!("/{path}/"), resources(path));
    all.extend(paths);
    let needed = closure(find, &all);
    let components: Map<String, Value> = needed
        .into_iter()
        .filter_map(|name| find(&name).map(|definition| (name, wrap_references(definition))))
        .collect();
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": crate::KUBERNETES_VERSION},
        "paths": all,
        "components": {
            "schemas": components,
            "securitySchemes": {"BearerToken": {
                "type": "apiKey", "in": "header", "name": "authorization",
                "description": "Bearer Token authentication"}},
        },
    })
}

/// Discovery of a group version.
fn resources(path: &str) -> Value {
    json!({"get": {
        "description": "get available resources",
        "operationId": format!("getAPIResources_{}", path.replace(['/', '.'], "_")),
        "responses": {"200": {"description": "OK"}, "401": {"description": "Unauthorized"}},
    }})
}

/// Paths of kinds, and the definitions that the custom ones among them add to the built-in ones.
pub(super) fn parts(schemas: &Schemas, kinds: &[Arc<Kind>]) -> (Map<String, Value>, Map<String, Value>) {
    let mut definitions = Map::new();
    let mut paths = Map::new();
    for kind in kinds {
        let object = match &kind.custom {
            Some(stated) => {
                let name = custom::definition_name(kind);
                definitions.extend(custom::definitions(kind, &name, stated.schema.as_ref()));
                name
            }
            None => match schemas.definition_of(kind) {
                Some(name) => name.to_owned(),
                None => continue,
            },
        };
        let names = Names { list: format!("{object}List"), object };
        paths.extend(operations::paths(kind, &names));
    }
    (paths, definitions)
}

/// The names of all definitions that `paths` need, sorted.
fn closure<'a>(find: impl Fn(&str) -> Option<&'a Value>, paths: &Map<String, Value>) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut open = Vec::new();
    paths.values().for_each(|path| references(path, &mut open));
    while let Some(name) = open.pop() {
        if let Some(definition) = find(&name)
            && needed.insert(name)
        {
            references(definition, &mut open);
        }
    }
    needed
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix(REF)) {
                found.push(name.to_owned());
            }
            map.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// OpenAPI v3 ignores what stands beside a `$ref`, so a reference that says more is wrapped.
fn wrap_references(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut out: Map<String, Value> =
                map.iter().map(|(key, inner)| (key.clone(), wrap_references(inner))).collect();
            if out.len() > 1
                && out.get("$ref").is_some_and(Value::is_string)
                && let Some(target) = out.shift_remove("$ref")
            {
                out.insert("allOf".into(), json!([{"$ref": target}]));
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(wrap_references).collect(),
        other => other.clone(),
    }
}
