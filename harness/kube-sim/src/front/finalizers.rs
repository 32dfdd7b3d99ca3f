//! What is said of the finalizers that a custom resource gets: they may have any name, but some may meet others of the same.
//!
//! Source of the wording: apiextensions' strategy of custom resources.

use serde_json::Value;

use crate::registry::Kind;
use crate::validate::label_key_problems;

/// Finalizers that need no domain.
const STANDARD: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

/// The warnings for what a write has added.
pub(super) fn warnings(kind: &Kind, before: &Value, after: &Value) -> Vec<String> {
    if kind.custom.is_none() {
        return Vec::new();
    }
    let had = names(before);
    let mut added = names(after);
    added.retain(|name| !had.contains(name));
    added.sort_unstable();
    added.dedup();
    added.into_iter().flat_map(one).collect()
}

fn names(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn one(name: &str) -> Vec<String> {
    let mut why: Vec<String> = label_key_problems(name).into_iter().collect();
    if !name.contains('/') && !STANDARD.contains(&name) {
        let path = if name.contains('.') { " including a path (/)" } else { "" };
        why.push(format!(
            "prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
        ));
    }
    why.into_iter().map(|why| format!("metadata.finalizers: {name:?}: {why}")).collect()
}
