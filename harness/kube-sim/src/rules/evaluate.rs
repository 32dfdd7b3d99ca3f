//! Holding an object against the rules of its schema.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::IdedExpr;
use cel::objects::OptionalValue;
use cel::{Context, ExecutionError, Value as Cel};
use serde_json::Value;

use super::compile::Rule;
use super::cost::{Meter, OF_AN_OBJECT};
use super::{Node, Tree, values};
use crate::status::Cause;

/// The longest message that an expression may make, in bytes.
const MESSAGE: usize = 5 * 1024;

/// One value with the one it takes the place of.
#[derive(Clone, Copy)]
struct Pair<'a> {
    schema: &'a Value,
    value: &'a Value,
    old: Option<&'a Value>,
    root: bool,
}

pub(super) fn check(tree: &Tree, schema: &Value, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut run = Run { tree, left: OF_AN_OBJECT, over: false, causes: Vec::new() };
    run.walk(&tree.root, Pair { schema, value: object, old, root: true }, "");
    run.causes
}

/// The rules of one object on their way.
struct Run<'a> {
    tree: &'a Tree,
    /// What they may still cost.
    left: u64,
    /// Whether no further rule is to be looked at.
    over: bool,
    causes: Vec<Cause>,
}

impl Run<'_> {
    fn walk(&mut self, node: &Node, pair: Pair<'_>, path: &str) {
        if pair.value.is_null() || self.over {
            return;
        }
        self.rules(node, pair, path);
        match pair.value {
            Value::Object(fields) => {
                let below =
                    |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
                for (field, inner) in &node.properties {
                    if let Some(value) = fields.get(field) {
                        let old = pair.old.and_then(|old| old.get(field));
                        let pair =
                            Pair { schema: &pair.schema["properties"][field], value, old, root: false };
                        self.walk(inner, pair, &below(field));
                    }
                }
                if let Some(inner) = &node.additional {
                    for (field, value) in fields {
                        let old = pair.old.and_then(|old| old.get(field));
                        let pair =
                            Pair { schema: &pair.schema["additionalProperties"], value, old, root: false };
                        self.walk(inner, pair, &format!("{path}[{field}]"));
                    }
                }
            }
            Value::Array(items) => {
                let Some(inner) = &node.items else { return };
                let before = Correlated::of(pair.schema, pair.old);
                for (index, value) in items.iter().enumerate() {
                    let old = before.as_ref().and_then(|before| before.get(value));
                    let pair = Pair { schema: &pair.schema["items"], value, old, root: false };
                    self.walk(inner, pair, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    /// The rules of one place.
    fn rules(&mut self, node: &Node, pair: Pair<'_>, path: &str) {
        if node.rules.is_empty() {
            return;
        }
        let kind = pair.schema["type"].as_str().unwrap_or_default();
        if self.left == 0 {
            return self.stop(invalid(kind, path, OUT_OF_BUDGET));
        }
        let stage = Stage::of(self.tree, node, pair);
        for rule in &node.rules {
            if rule.uses_old && pair.old.is_none() && !rule.optional_old {
                continue;
            }
            if let Some(cause) = self.rule(&stage, rule, kind, path) {
                self.causes.push(cause);
            }
            if self.over {
                return;
            }
        }
    }

    fn rule(&mut self, stage: &Stage, rule: &Rule, kind: &str, path: &str) -> Option<Cause> {
        let stated = if rule.message.is_empty() { &rule.text } else { &rule.message };
        let (answer, exceeded) = self.evaluated(stage, rule, &rule.metered);
        if self.over {
            return Some(invalid(kind, path, OUT_OF_BUDGET));
        }
        if exceeded {
            self.over = true;
            let why = format!(
                "'{}': no further validation rules will be run due to call cost exceeds limit for rule: {stated}",
                Meter::exceeded()
            );
            return Some(invalid(kind, path, &why));
        }
        match answer {
            Ok(Cel::Bool(true)) => None,
            Ok(Cel::Bool(false)) => {
                let said = self.message(stage, rule);
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

    /// What an expression comes to, and whether it cost more than one may. What it cost is taken from what is left.
    fn evaluated(
        &mut self,
        stage: &Stage,
        rule: &Rule,
        what: &IdedExpr,
    ) -> (Result<Cel, ExecutionError>, bool) {
        stage.meter.restart();
        let answer = stage.context(rule).resolve(what);
        let exceeded = stage.meter.is_exceeded();
        match self.left.checked_sub(stage.meter.restart()) {
            Some(left) => self.left = left,
            None => self.over = true,
        }
        (answer, exceeded)
    }

    /// What a rule's own expression says of an object that breaks it.
    fn message(&mut self, stage: &Stage, rule: &Rule) -> Option<String> {
        let (answer, exceeded) = self.evaluated(stage, rule, rule.message_expression.as_ref()?);
        self.over |= exceeded;
        match answer {
            Ok(Cel::String(text)) if !exceeded && text.len() <= MESSAGE && !text.contains('\n') => {
                Some(text.trim().to_owned()).filter(|text| !text.is_empty())
            }
            _ => None,
        }
    }

    fn stop(&mut self, cause: Cause) {
        self.causes.push(cause);
        self.over = true;
    }
}

const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// The values that the rules of one place see, read once for them all.
struct Stage {
    meter: Arc<Meter>,
    plain: Context<'static, 'static>,
    /// The same for rules whose old value may be missing.
    optional: Option<Context<'static, 'static>>,
}

impl Stage {
    fn of(tree: &Tree, node: &Node, pair: Pair<'_>) -> Self {
        let meter = Arc::new(Meter::default());
        let now = values::of(pair.schema, pair.value, pair.root);
        let old = pair.old.map(|old| values::of(pair.schema, old, pair.root));
        let context = |old: Option<Cel>| {
            let mut context = Context::with_env(Arc::clone(&tree.env));
            meter.install(&mut context);
            context.add_variable_from_value("self", now.clone());
            if let Some(old) = old {
                context.add_variable_from_value("oldSelf", old);
            }
            context
        };
        let optional = node.rules.iter().any(|rule| rule.uses_old && rule.optional_old).then(|| {
            let old = old.clone().map_or_else(OptionalValue::none, OptionalValue::of);
            context(Some(Cel::Opaque(Arc::new(old))))
        });
        let needs_old = node.rules.iter().any(|rule| rule.uses_old && !rule.optional_old);
        let plain = context(old.filter(|_| needs_old));
        Self { meter, plain, optional }
    }

    fn context(&self, rule: &Rule) -> &Context<'static, 'static> {
        let optional = self.optional.as_ref().filter(|_| rule.uses_old && rule.optional_old);
        optional.unwrap_or(&self.plain)
    }
}

/// The old items of a list by their keys; only lists of type `map` have them.
struct Correlated<'a> {
    keys: Vec<&'a str>,
    items: HashMap<String, &'a Value>,
}

impl<'a> Correlated<'a> {
    fn of(list: &'a Value, old: Option<&'a Value>) -> Option<Self> {
        if list["x-kubernetes-list-type"] != "map" {
            return None;
        }
        let keys = list["x-kubernetes-list-map-keys"].as_array()?.iter().filter_map(Value::as_str).collect();
        let mut correlated = Self { keys, items: HashMap::new() };
        for item in old?.as_array()?.iter().rev() {
            correlated.items.insert(correlated.key(item), item);
        }
        Some(correlated)
    }

    /// The keys of an item as one text.
    fn key(&self, item: &Value) -> String {
        let one = |key: &&str| item.get(*key).map(Value::to_string).unwrap_or_default();
        self.keys.iter().map(one).collect::<Vec<_>>().join(",")
    }

    fn get(&self, item: &Value) -> Option<&'a Value> {
        self.items.get(&self.key(item)).copied()
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
