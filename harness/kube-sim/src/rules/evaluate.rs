//! Holding an object against the rules of its schema.

use std::sync::Arc;

use cel::objects::OptionalValue;
use cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;

use super::compile::Rule;
use super::{Node, Tree, values};
use crate::status::Cause;

/// One value with the one it takes the place of.
#[derive(Clone, Copy)]
struct Pair<'a> {
    schema: &'a Value,
    value: &'a Value,
    old: Option<&'a Value>,
    root: bool,
}

pub(super) fn check(tree: &Tree, schema: &Value, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let pair = Pair { schema, value: object, old, root: true };
    walk(tree, &tree.root, pair, "", &mut causes);
    causes
}

fn walk(tree: &Tree, node: &Node, pair: Pair<'_>, path: &str, causes: &mut Vec<Cause>) {
    if pair.value.is_null() {
        return;
    }
    if !node.rules.is_empty() {
        let (now, before) = (values::of(pair.schema, pair.value, pair.root), pair.old);
        let before = before.map(|old| values::of(pair.schema, old, pair.root));
        for rule in &node.rules {
            causes.extend(evaluated(tree, rule, pair.schema, &now, before.as_ref(), path));
        }
    }
    match pair.value {
        Value::Object(fields) => {
            let below =
                |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
            for (field, inner) in &node.properties {
                if let Some(value) = fields.get(field) {
                    let old = pair.old.and_then(|old| old.get(field));
                    let pair = Pair { schema: &pair.schema["properties"][field], value, old, root: false };
                    walk(tree, inner, pair, &below(field), causes);
                }
            }
            if let Some(inner) = &node.additional {
                for (field, value) in fields {
                    let old = pair.old.and_then(|old| old.get(field));
                    let pair = Pair { schema: &pair.schema["additionalProperties"], value, old, root: false };
                    walk(tree, inner, pair, &format!("{path}[{field}]"), causes);
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = &node.items else { return };
            for (index, value) in items.iter().enumerate() {
                let old = pair.old.and_then(|old| correlated(pair.schema, old, value));
                let pair = Pair { schema: &pair.schema["items"], value, old, root: false };
                walk(tree, inner, pair, &format!("{path}[{index}]"), causes);
            }
        }
        _ => {}
    }
}

/// The old item of the same keys; only lists of type `map` have one.
fn correlated<'a>(list: &Value, old: &'a Value, item: &Value) -> Option<&'a Value> {
    if list["x-kubernetes-list-type"] != "map" {
        return None;
    }
    let keys: Vec<&str> =
        list["x-kubernetes-list-map-keys"].as_array()?.iter().filter_map(Value::as_str).collect();
    old.as_array()?.iter().find(|old| keys.iter().all(|key| old.get(*key) == item.get(*key)))
}

fn evaluated(
    tree: &Tree,
    rule: &Rule,
    schema: &Value,
    now: &Cel,
    old: Option<&Cel>,
    path: &str,
) -> Option<Cause> {
    if rule.uses_old && old.is_none() && !rule.optional_old {
        return None;
    }
    let run = |program: &Program| {
        let mut context = Context::with_env(Arc::clone(&tree.env));
        context.add_variable_from_value("self", now.clone());
        if rule.uses_old && rule.optional_old {
            let optional = old.map_or_else(OptionalValue::none, |old| OptionalValue::of(old.clone()));
            context.add_variable_from_value("oldSelf", Cel::Opaque(Arc::new(optional)));
        } else if let Some(old) = old {
            context.add_variable_from_value("oldSelf", old.clone());
        }
        program.execute(&context)
    };
    let kind = schema["type"].as_str().unwrap_or_default();
    let stated = if rule.message.is_empty() { &rule.text } else { &rule.message };
    match run(&rule.program) {
        Ok(Cel::Bool(true)) => None,
        Ok(Cel::Bool(false)) => {
            let said = rule.message_expression.as_ref().and_then(|program| match run(program) {
                Ok(Cel::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
                _ => None,
            });
            let usual = || match rule.message.as_str() {
                "" => format!("failed rule: {}", rule.text),
                message => message.to_owned(),
            };
            Some(broken(rule, kind, path, said.unwrap_or_else(usual)))
        }
        Ok(_) => Some(invalid(kind, path, &format!("rule did not evaluate to bool: {stated}"))),
        Err(error) => Some(invalid(kind, path, &format!("{} evaluating rule: {stated}", worded(&error)))),
    }
}

/// What went wrong, as cel-go words it.
fn worded(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::IndexOutOfBounds(Cel::Int(index)) => format!("index out of bounds: {index}"),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::NoSuchOverload(_) => "no such overload".to_owned(),
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

fn place(path: &str) -> String {
    if path.is_empty() { "<nil>".to_owned() } else { path.to_owned() }
}

fn invalid(kind: &str, path: &str, why: &str) -> Cause {
    Cause::new("FieldValueInvalid", place(path), format!("Invalid value: {kind:?}: {why}"))
}

/// The error of a rule that does not hold, of the reason and at the field that it names.
fn broken(rule: &Rule, kind: &str, path: &str, why: String) -> Cause {
    let path = match (path, rule.field_path.as_str()) {
        ("", field) => field.trim_start_matches('.').to_owned(),
        (path, field) => format!("{path}{field}"),
    };
    match rule.reason.as_str() {
        "FieldValueForbidden" => Cause::new(&rule.reason, place(&path), format!("Forbidden: {why}")),
        "FieldValueRequired" => Cause::new(&rule.reason, place(&path), format!("Required value: {why}")),
        "FieldValueDuplicate" => Cause::new(&rule.reason, place(&path), format!("Duplicate value: {kind:?}")),
        _ => invalid(kind, &path, &why),
    }
}
