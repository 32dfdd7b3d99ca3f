//! Schemas: of the built-in kinds (from k8s-openapi), of custom ones (from their definitions), and what the API server
//! publishes of them under `/openapi`.

mod builtin;
mod custom;
mod enums;
mod merge_keys;
mod openapi;
mod place;
mod typed;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::registry::Kind;

pub use place::{Definitions, ListType, ObjectType, Place};

use builtin::Builtin;

/// The schemas of one cluster. Cheap to clone; clones share what has been generated. Nothing is generated before it is
/// asked for.
#[derive(Clone, Default)]
pub struct Schemas(Arc<Inner>);

#[derive(Default)]
struct Inner {
    builtin: OnceLock<Arc<Builtin>>,
    zeros: OnceLock<typed::Zeros>,
    documents: openapi::Cache,
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schemas").field("generated", &self.0.builtin.get().is_some()).finish()
    }
}

impl Schemas {
    /// Schemas of a cluster.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn builtin(&self) -> &Arc<Builtin> {
        self.0.builtin.get_or_init(|| Arc::new(builtin::generate()))
    }

    fn zeros(&self) -> &typed::Zeros {
        self.0.zeros.get_or_init(typed::Zeros::read)
    }

    /// Passes an object of a built-in kind through its typed form: unknown fields and nulls go, fields that are always
    /// written appear. Of custom resources only the metadata is typed.
    pub fn normalise(&self, kind: &Kind, object: &mut Value) {
        let mut of = self.of(kind);
        let mut target = object;
        if kind.custom.is_some() {
            let metadata = json!({"$ref": format!("{}{}", place::REF, builtin::OBJECT_META)});
            of = ObjectType::new(self.definitions(), metadata);
            let Some(metadata) = target.get_mut("metadata") else { return };
            target = metadata;
        }
        typed::normalise(&of, self.zeros(), target);
    }

    /// What an object of a kind is before anybody has written to it: its fields belong to nobody.
    #[must_use]
    pub fn blank(&self, kind: &Kind) -> Value {
        if kind.custom.is_some() { json!({}) } else { typed::empty(&self.of(kind), self.zeros()) }
    }

    fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.builtin().definitions)
    }

    /// The type of the objects of `kind`. A built-in kind without a schema, and a custom one that keeps unknown fields,
    /// have an open type: everything is accepted, objects merge, lists are atomic.
    #[must_use]
    pub fn of(&self, kind: &Kind) -> ObjectType {
        if let Some(custom) = &kind.custom {
            let schema = custom::object_schema(custom.schema.as_ref());
            return ObjectType::new(self.definitions(), schema);
        }
        let root = match self.definition_of(kind) {
            Some(name) => json!({"$ref": format!("{}{name}", place::REF)}),
            None => Value::Null,
        };
        ObjectType::new(self.definitions(), root)
    }

    /// The name of a built-in kind's definition.
    fn definition_of(&self, kind: &Kind) -> Option<&str> {
        let found = self.builtin().kinds.iter().find(|(named, _)| {
            named.kind == kind.kind && named.group == kind.group && named.version == kind.version
        });
        found.map(|(_, name)| *name)
    }
}
