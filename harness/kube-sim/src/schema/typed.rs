//! What becomes of an object that passes through the typed form of its kind: fields that the type does not have go, and
//! fields that are always written appear with their zero value.
//!
//! Source of the table: the defaults and required fields that a real v1.34 API server publishes in its OpenAPI. Not
//! modelled: the order of fields, and empty values that a typed form would leave out (`labels: {}`).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::merge_keys::full_name;
use super::{ObjectType, Place};
use crate::validate::canonical_quantity;

/// A row is a definition and its fields, each with what is written when there is nothing: `apps.v1.Deployment status:{}`.
const TABLE: &str = include_str!("zeros.txt");

/// Fields that are always written, by definition name.
#[derive(Debug, Clone)]
pub(super) struct Zeros(Arc<HashMap<String, Vec<(&'static str, Value)>>>);

impl Zeros {
    pub(super) fn read() -> Self {
        let rows = TABLE.lines().filter_map(|row| {
            let (name, cells) = row.split_once(' ')?;
            let cells = cells.split(' ').filter_map(|cell| {
                let (field, zero) = cell.split_once(':')?;
                Some((field, serde_json::from_str(zero).ok()?))
            });
            Some((full_name(name), cells.collect()))
        });
        Self(Arc::new(rows.collect()))
    }

    fn of(&self, place: Place<'_>) -> &[(&'static str, Value)] {
        let found = place.definition().and_then(|name| self.0.get(name));
        found.map_or(&[], Vec::as_slice)
    }
}

/// Passes an object through the typed form of its kind. Values of a wrong type stay as they are.
pub(super) fn normalise(of: &ObjectType, zeros: &Zeros, object: &mut Value) {
    pass(of.root(), zeros, object);
}

/// An object of this kind that says nothing, as its typed form is written.
pub(super) fn empty(of: &ObjectType, zeros: &Zeros) -> Value {
    let mut object = Value::Object(Map::new());
    pass(of.root(), zeros, &mut object);
    object
}

fn pass(place: Place<'_>, zeros: &Zeros, value: &mut Value) {
    if place.type_name() == Some("Quantity") {
        if let Some(written) = canonical_quantity(value) {
            *value = Value::from(written);
        }
        return;
    }
    match value {
        Value::Object(fields) if place.known() => {
            let written = zeros.of(place);
            let always = |name: &str| written.iter().any(|(field, _)| *field == name);
            fields.retain(|name, inner| match place.named_field(name) {
                Some(_) => !inner.is_null() || always(name),
                None => place.values().is_some() || place.open(),
            });
            for (field, zero) in written {
                let slot = fields.entry(*field).or_insert_with(|| zero.clone());
                if slot.is_null() {
                    *slot = zero.clone();
                }
            }
            for (name, inner) in fields.iter_mut() {
                match (place.named_field(name), place.values()) {
                    (None, Some(values)) if inner.is_null() && values.kind() == Some("string") => {
                        *inner = Value::from("");
                    }
                    (Some(known), _) | (None, Some(known)) => pass(known, zeros, inner),
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| pass(place.items(), zeros, item)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::Registry;
    use crate::schema::Schemas;
    use serde_json::json;

    #[test]
    fn unknown_fields_go_and_zero_values_come() {
        let kind = Registry::builtin().by_kind("apps", "ReplicaSet").unwrap();
        let schemas = Schemas::new();
        let mut object = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "bogus": 1,
            "metadata": {"name": "a", "bogus": 2, "annotations": {"free": "text"}},
            "spec": {"replicas": null, "template": {"spec": {"containers": [{"name": "c", "imag": "x"}]}}}});
        schemas.normalise(&kind, &mut object);
        let container = json!([{"name": "c", "resources": {}}]);
        assert_eq!(
            object,
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": "a", "annotations": {"free": "text"}},
                "spec": {"template": {"spec": {"containers": container}, "metadata": {}}},
                "status": {"replicas": 0}})
        );
    }
}
