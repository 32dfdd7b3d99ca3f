//! Validation rules of custom resources in CEL (`x-kubernetes-validations`).
//!
//! A library parses and evaluates; what is here gives it the objects as the API server does: fields by schema, their names
//! escaped, `oldSelf` where the old value can be told apart, and the types of a schema where a rule can be seen to be wrong
//! before it ever runs. Source: Kubernetes' documentation of validation rules, and kube's structural CEL library.
//!
//! Not modelled, and refused by name when a definition is written: functions of Kubernetes' CEL libraries for URLs, addresses,
//! quantities, formats, regular expressions beyond `matches`, sets and times. Not modelled, and silently so: that a
//! text of format `date-time` is a timestamp (it is a text here, which compares alike).

mod compile;
mod cost;
mod evaluate;
mod library;
mod types;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};

use cel::Env;
use serde_json::Value;

use crate::status::Cause;
use compile::Rule;
pub(crate) use compile::{Wrongness, examine};
pub(crate) use cost::{Cardinality, OF_A_SCHEMA, beyond, most_often};

/// The rules of one schema, compiled when they are first asked about.
///
/// Two of them are always equal: what they hold follows from the schema, which is compared itself.
#[derive(Default)]
pub struct Rules(OnceLock<Option<Tree>>);

/// What is needed to evaluate.
struct Tree {
    env: Arc<Env>,
    root: Node,
}

/// The rules at one place of a schema, and below it.
#[derive(Default)]
struct Node {
    rules: Vec<Rule>,
    properties: Vec<(String, Node)>,
    additional: Option<Box<Node>>,
    items: Option<Box<Node>>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("compiled", &self.0.get().is_some()).finish()
    }
}

impl Clone for Rules {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Rules {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Rules {
    /// Which rules of `schema` do not hold for `object`, in the order of the schema; `found` is what is wrong with it already,
    /// which may keep rules from being looked at.
    pub(crate) fn check(
        &self,
        schema: &Value,
        object: &Value,
        old: Option<&Value>,
        found: &[Cause],
    ) -> Vec<Cause> {
        let Some(tree) = self.0.get_or_init(|| Tree::of(schema)) else { return Vec::new() };
        const BLOCKING: [&str; 5] = [
            "FieldValueNotSupported",
            "FieldValueRequired",
            "FieldValueTooLong",
            "FieldValueTooMany",
            "FieldValueTypeInvalid",
        ];
        if found.iter().any(|cause| BLOCKING.contains(&cause.reason.as_str())) {
            let message = "Invalid value: null: some validation rules were not checked because the object was \
                           invalid; correct the existing errors to complete validation";
            return vec![Cause::new("FieldValueInvalid", "<nil>", message)];
        }
        evaluate::check(tree, schema, object, old)
    }
}

impl Tree {
    /// The rules of a schema; none when it has none.
    fn of(schema: &Value) -> Option<Self> {
        let env = Arc::new(library::environment().ok()?);
        let root = Node::of(&env, schema)?;
        Some(Self { env, root })
    }
}

impl Node {
    fn of(env: &Env, schema: &Value) -> Option<Self> {
        let rules = compile::rules(env, schema);
        let below =
            |schema: &Value| schema.is_object().then(|| Self::of(env, schema)).flatten().map(Box::new);
        let properties = schema["properties"].as_object().into_iter().flatten();
        let node = Self {
            rules,
            properties: properties
                .filter_map(|(name, inner)| Some((name.clone(), Self::of(env, inner)?)))
                .collect(),
            additional: below(&schema["additionalProperties"]),
            items: below(&schema["items"]),
        };
        let empty = node.rules.is_empty()
            && node.properties.is_empty()
            && node.additional.is_none()
            && node.items.is_none();
        (!empty).then_some(node)
    }
}
