//! Objects as rules see them.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cel::Value as Cel;
use cel::objects::{Key, Map};
use serde_json::Value;

/// Words that CEL keeps for itself.
const RESERVED: [&str; 23] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "__true__",
    "__false__",
];

/// The name by which rules call a field; `None` when they cannot.
pub(super) fn escaped(field: &str) -> Option<String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if field.is_empty() || field.starts_with(|c: char| c.is_ascii_digit()) || !field.chars().all(letters) {
        return None;
    }
    if RESERVED.contains(&field) {
        return Some(format!("__{field}__"));
    }
    let field = field.replace("__", "__underscores__").replace('.', "__dot__");
    Some(field.replace('-', "__dash__").replace('/', "__slash__"))
}

/// Whether rules may name `apiVersion`, `kind` and `metadata` here though the schema does not.
pub(super) fn is_resource(schema: &Value, root: bool) -> bool {
    root || schema["x-kubernetes-embedded-resource"] == true
}

/// The value of a place of the schema.
pub(super) fn of(schema: &Value, value: &Value, root: bool) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match (schema["type"] == "number", number.as_i64()) {
            (false, Some(whole)) => Cel::Int(whole),
            _ => Cel::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => match schema["format"].as_str() {
            Some("byte") => {
                STANDARD.decode(text).map_or_else(|_| text.as_str().into(), |raw| Cel::Bytes(raw.into()))
            }
            _ => text.as_str().into(),
        },
        Value::Array(items) => {
            Cel::List(Arc::new(items.iter().map(|item| of(&schema["items"], item, false)).collect()))
        }
        Value::Object(fields) => object(schema, fields, root),
    }
}

fn object(schema: &Value, fields: &serde_json::Map<String, Value>, root: bool) -> Cel {
    let mut map: HashMap<Key, Cel> = HashMap::new();
    let typed = schema["properties"].is_object() || is_resource(schema, root);
    for (field, value) in fields {
        let known = schema["properties"].get(field);
        let meta = is_resource(schema, root) && matches!(field.as_str(), "apiVersion" | "kind" | "metadata");
        let inner = known.unwrap_or(&schema["additionalProperties"]);
        let name = match (typed && schema["additionalProperties"].is_null(), known.is_some() || meta) {
            (true, true) => escaped(field),
            (true, false) => None,
            (false, _) => Some(field.clone()),
        };
        if let Some(name) = name {
            map.insert(Key::from(name), if meta { metadata(field, value) } else { of(inner, value, false) });
        }
    }
    Cel::Map(Map { map: Arc::new(map) })
}

/// Of metadata, rules see `name` and `generateName` only.
fn metadata(field: &str, value: &Value) -> Cel {
    let Some(fields) = value.as_object().filter(|_| field == "metadata") else {
        return of(&Value::Null, value, false);
    };
    let shown = fields.iter().filter(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
    let map = shown.map(|(name, value)| (Key::from(name.clone()), of(&Value::Null, value, false))).collect();
    Cel::Map(Map { map: Arc::new(map) })
}
