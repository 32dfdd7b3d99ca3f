//! From what a definition states to rules that can be evaluated, and what is wrong with those that cannot.

use cel::common::ast::SourceInfo;
use cel::{Env, ParseErrors, Program};
use serde_json::{Value, json};

use super::library;
use super::types::{self, Place};

/// The longest rule that is read, in bytes; a real server's limit on a definition's cost is of this order.
const LONGEST: usize = 64 * 1024;

/// One rule.
pub(super) struct Rule {
    pub(super) program: Program,
    /// The rule itself, trimmed.
    pub(super) text: String,
    pub(super) message: String,
    pub(super) message_expression: Option<Program>,
    pub(super) reason: String,
    pub(super) field_path: String,
    /// Whether the rule speaks of the old value.
    pub(super) uses_old: bool,
    /// Whether it is evaluated without one as well.
    pub(super) optional_old: bool,
}

fn text<'a>(rule: &'a Value, field: &str) -> &'a str {
    rule[field].as_str().unwrap_or_default()
}

fn stated(schema: &Value) -> impl Iterator<Item = &Value> {
    schema["x-kubernetes-validations"].as_array().into_iter().flatten()
}

/// The rules of one place. One that cannot be compiled was refused when the definition was written.
pub(super) fn rules(env: &Env, schema: &Value) -> Vec<Rule> {
    let one = |rule: &Value| {
        let program = parsed(env, text(rule, "rule")).ok()?;
        let uses_old = program.references().has_variable("oldSelf");
        let message_expression = Some(text(rule, "messageExpression")).filter(|text| !text.is_empty());
        Some(Rule {
            text: text(rule, "rule").trim().to_owned(),
            message: text(rule, "message").trim().to_owned(),
            message_expression: message_expression.and_then(|text| parsed(env, text).ok()),
            reason: text(rule, "reason").to_owned(),
            field_path: text(rule, "fieldPath").to_owned(),
            optional_old: rule["optionalOldSelf"] == true,
            uses_old,
            program,
        })
    };
    stated(schema).filter_map(one).collect()
}

fn parsed(env: &Env, source: &str) -> Result<Program, String> {
    if source.len() > LONGEST {
        return Err(format!("kube-sim reads rules of up to {LONGEST} bytes"));
    }
    if let Some(why) = too_deep(source) {
        return Err(why);
    }
    env.compile(source).map_err(|errors| worded(source, &errors))
}

/// What is wrong with a rule whose nesting would take more stack than a request has: the parser goes down once for each level,
/// and once for each operator of a chain.
fn too_deep(source: &str) -> Option<String> {
    const NESTED: usize = 24;
    const OPERATORS: usize = 256;
    let (mut depth, mut deepest, mut operators) = (0_usize, 0, 0);
    let mut quote = None;
    let mut letters = source.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, letter) if letter.is_ascii_punctuation() && letter != '_' => operators += 1,
            _ => {}
        }
    }
    let deep = deepest > NESTED || operators > OPERATORS;
    deep.then(|| format!("kube-sim reads rules of up to {OPERATORS} operators, nested up to {NESTED} deep"))
}

fn worded(source: &str, errors: &ParseErrors) -> String {
    let whole = |number: isize| usize::try_from(number).unwrap_or_default();
    let one = |error: &cel::ParseError| located(source, whole(error.pos.0), whole(error.pos.1), &error.msg);
    errors.errors.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// An error as cel-go shows it: where, what, and the line with a mark below. Lines and columns count from 1.
fn located(source: &str, line: usize, column: usize, what: &str) -> String {
    let shown = source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let dots = ".".repeat(column.saturating_sub(1).min(LONGEST));
    format!("ERROR: <input>:{line}:{column}: {what}\n | {shown}\n | {dots}^")
}

/// The same for a byte of the source.
pub(super) fn at(source: &str, info: &SourceInfo, id: u64, what: &str) -> String {
    let start = info.offset_for(id).and_then(|(start, _)| usize::try_from(start).ok()).unwrap_or_default();
    let before: Vec<&str> = source.get(..start).unwrap_or_default().split('\n').collect();
    let column = before.last().map_or(0, |line| line.chars().count()) + 1;
    located(source, before.len(), column, what)
}

/// One thing that is wrong with the rules of a place.
pub(crate) struct Problem {
    /// The field below the place: `x-kubernetes-validations[0].rule`.
    pub(crate) field: String,
    /// What is shown of it; none for what is missing.
    pub(crate) shown: Option<String>,
    /// Why.
    pub(crate) why: String,
}

/// What is wrong with the rules that a schema states at one place. `lost` is the path of the list within which the old value
/// of the place cannot be told, if there is one.
pub(crate) fn problems(schema: &Value, root: bool, lost: Option<&str>) -> Vec<Problem> {
    if schema["x-kubernetes-validations"].is_null() {
        return Vec::new();
    }
    let Ok(env) = library::environment() else { return Vec::new() };
    let mut found = Vec::new();
    for (index, rule) in stated(schema).enumerate() {
        let at = |field: &str| format!("x-kubernetes-validations[{index}].{field}");
        let place = Place { schema, root, optional_old: rule["optionalOldSelf"] == true };
        let source = text(rule, "rule");
        if source.trim().is_empty() {
            found.push(Problem { field: at("rule"), shown: None, why: "rule is not specified".into() });
            continue;
        }
        match compiled(&env, place, source, types::Wanted::Bool) {
            Err(why) => found.push(Problem { field: at("rule"), shown: Some(shown(rule)), why }),
            Ok(program) => {
                let uses_old = program.references().has_variable("oldSelf");
                if let Some(list) = lost.filter(|_| uses_old) {
                    let why = format!(
                        "oldSelf cannot be used on the uncorrelatable portion of the schema within {list}"
                    );
                    found.push(Problem { field: at("rule"), shown: Some(json!(source).to_string()), why });
                }
                let stated = rule.get("optionalOldSelf").filter(|stated| stated.is_boolean() && !uses_old);
                if let Some(stated) = stated {
                    let why = "may not be set if oldSelf is not used in rule".to_owned();
                    found.push(Problem {
                        field: at("optionalOldSelf"),
                        shown: Some(stated.to_string()),
                        why,
                    });
                }
            }
        }
        let expression = text(rule, "messageExpression");
        if !expression.is_empty()
            && let Err(why) = compiled(&env, place, expression, types::Wanted::Text)
        {
            found.push(Problem { field: at("messageExpression"), shown: Some(shown(rule)), why });
        }
    }
    found
}

/// A rule as Go prints it.
fn shown(rule: &Value) -> String {
    let or_null = |field: &str| rule.get(field).cloned().unwrap_or_default();
    let value = json!({
        "Rule": text(rule, "rule"), "Message": text(rule, "message"),
        "MessageExpression": text(rule, "messageExpression"), "Reason": or_null("reason"),
        "FieldPath": text(rule, "fieldPath"), "OptionalOldSelf": or_null("optionalOldSelf"),
    });
    let plain = value.to_string();
    plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn compiled(env: &Env, place: Place<'_>, source: &str, wanted: types::Wanted) -> Result<Program, String> {
    let failed = |why: String| format!("compilation failed: {why}");
    let program = parsed(env, source).map_err(failed)?;
    match types::check(&program, source, place, wanted) {
        Ok(()) => Ok(program),
        Err(types::Wrong::Errors(why)) => Err(failed(why)),
        Err(types::Wrong::Result(why)) => Err(why.to_owned()),
    }
}
