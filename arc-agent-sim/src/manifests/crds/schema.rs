//! Structural schemas, in few words.

use serde_json::{Map, Value, json};

/// A structural OpenAPI v3 schema of one field.
#[derive(Debug, Clone)]
pub(super) struct Schema(Value);

impl Schema {
    pub(super) fn string() -> Self {
        Self(json!({ "type": "string" }))
    }

    pub(super) fn boolean() -> Self {
        Self(json!({ "type": "boolean" }))
    }

    pub(super) fn integer() -> Self {
        Self(json!({ "type": "integer", "format": "int64" }))
    }

    /// An object with exactly these fields; others are pruned.
    pub(super) fn object(fields: &[(&str, Self)]) -> Self {
        let properties: Map<String, Value> =
            fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.0.clone())).collect();
        Self(json!({ "type": "object", "properties": properties }))
    }

    /// An object whose fields are all strings.
    pub(super) fn strings(names: &[&str]) -> Self {
        let fields: Vec<(&str, Self)> = names.iter().map(|name| (*name, Self::string())).collect();
        Self::object(&fields)
    }

    /// This object with more fields.
    pub(super) fn and(mut self, fields: &[(&str, Self)]) -> Self {
        if let Some(properties) = self.0["properties"].as_object_mut() {
            properties.extend(fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.0.clone())));
        }
        self
    }

    /// Fields that must be there.
    pub(super) fn required(mut self, names: &[&str]) -> Self {
        self.0["required"] = json!(names);
        self
    }

    pub(super) fn list(items: Self) -> Self {
        Self(json!({ "type": "array", "items": items.0 }))
    }

    /// An object from names to strings.
    pub(super) fn map_of_strings() -> Self {
        Self(json!({ "type": "object", "additionalProperties": { "type": "string" } }))
    }

    /// An object about which nothing is said (`metadata`).
    pub(super) fn map_of_anything() -> Self {
        Self(json!({ "type": "object" }))
    }

    /// An object whose fields no public document names: everything is kept.
    pub(super) fn open() -> Self {
        Self(json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }))
    }

    pub(super) fn describe(mut self, text: &str) -> Self {
        self.0["description"] = text.into();
        self
    }

    pub(super) fn into_value(self) -> Value {
        self.0
    }
}
