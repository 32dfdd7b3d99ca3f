//! From what a definition states to rules that can be evaluated, and what is wrong with those that cannot.

use cel::common::ast::{IdedExpr, SourceInfo};
use cel::{Env, ParseErrors, Program};
use serde_json::{Value, json};

use super::types::{self, Place};
use super::{cost, library};

/// The longest rule that is read, in bytes; a real server's limit on a definition's cost is of this order.
const LONGEST: usize = 64 * 1024;

/// One rule.
pub(super) struct Rule {
    /// What is run: the rule with what it costs.
    pub(super) metered: IdedExpr,
    /// The rule itself, trimmed.
    pub(super) text: String,
    pub(super) message: String,
    pub(super) message_expression: Option<IdedExpr>,
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
            message_expression: message_expression
                .and_then(|text| Some(cost::metered(parsed(env, text).ok()?.expression()))),
            reason: text(rule, "reason").to_owned(),
            field_path: text(rule, "fieldPath").to_owned(),
            optional_old: rule["optionalOldSelf"] == true,
            uses_old,
            metered: cost::metered(program.expression()),
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

/// What there is to say of the rules of a place.
#[derive(Default)]
pub(crate) struct Findings {
    /// What is wrong with them.
    pub(crate) problems: Vec<Problem>,
    /// What each of them is estimated to cost in one object, with the field below the place.
    pub(crate) costs: Vec<(String, u64)>,
}

/// One thing that is wrong with the rules of a place.
pub(crate) struct Problem {
    /// The field below the place: `x-kubernetes-validations[0].rule`.
    pub(crate) field: String,
    /// In which way it is wrong.
    pub(crate) wrong: Wrongness,
    /// Why.
    pub(crate) why: String,
}

/// In which way a field of a rule is wrong.
pub(crate) enum Wrongness {
    Missing,
    /// With what is shown of it.
    Invalid(String),
    /// It costs too much.
    Forbidden,
}

/// What is wrong with the rules that a schema states at one place, and what they cost. `lost` is the path of the list within
/// which the old value of the place cannot be told, if there is one.
pub(crate) fn examine(schema: &Value, root: bool, lost: Option<&str>, often: cost::Cardinality) -> Findings {
    let mut found = Findings::default();
    if schema["x-kubernetes-validations"].is_null() {
        return found;
    }
    let Ok(env) = library::environment() else { return found };
    for (index, rule) in stated(schema).enumerate() {
        let place = Place { schema, root, optional_old: rule["optionalOldSelf"] == true };
        let mut one = Examined { rule, index, found: &mut found };
        one.rule(&env, place, lost, often);
        one.message(&env, place);
    }
    found
}

/// One rule that is looked at.
struct Examined<'a> {
    rule: &'a Value,
    index: usize,
    found: &'a mut Findings,
}

impl Examined<'_> {
    fn at(&self, field: &str) -> String {
        format!("x-kubernetes-validations[{}].{field}", self.index)
    }

    fn wrong(&mut self, field: &str, wrong: Wrongness, why: impl Into<String>) {
        let field = self.at(field);
        self.found.problems.push(Problem { field, wrong, why: why.into() });
    }

    fn rule(&mut self, env: &Env, place: Place<'_>, lost: Option<&str>, often: cost::Cardinality) {
        let source = text(self.rule, "rule");
        if source.trim().is_empty() {
            return self.wrong("rule", Wrongness::Missing, "rule is not specified");
        }
        let program = match compiled(env, place, source, types::Wanted::Bool) {
            Ok(program) => program,
            Err(why) => return self.wrong("rule", Wrongness::Invalid(shown(self.rule)), why),
        };
        let (each, times) = cost::estimate(program.expression(), place);
        self.costs("rule", "estimated rule cost", each.saturating_mul(often.unwrap_or(times)));
        let uses_old = program.references().has_variable("oldSelf");
        if let Some(list) = lost.filter(|_| uses_old) {
            let why =
                format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {list}");
            self.wrong("rule", Wrongness::Invalid(json!(source).to_string()), why);
        }
        let stated = self.rule.get("optionalOldSelf").filter(|stated| stated.is_boolean() && !uses_old);
        if let Some(stated) = stated {
            let why = "may not be set if oldSelf is not used in rule";
            self.wrong("optionalOldSelf", Wrongness::Invalid(stated.to_string()), why);
        }
    }

    fn message(&mut self, env: &Env, place: Place<'_>) {
        let source = text(self.rule, "messageExpression");
        if source.is_empty() || text(self.rule, "rule").trim().is_empty() {
            return;
        }
        match compiled(env, place, source, types::Wanted::Text) {
            Err(why) => self.wrong("messageExpression", Wrongness::Invalid(shown(self.rule)), why),
            Ok(program) => {
                let (each, _) = cost::estimate(program.expression(), place);
                self.costs("messageExpression", "estimated messageExpression cost", each);
            }
        }
    }

    fn costs(&mut self, field: &str, what: &str, cost: u64) {
        if cost > cost::OF_ONE_RULE {
            self.wrong(field, Wrongness::Forbidden, cost::beyond(what, cost, cost::OF_ONE_RULE));
        }
        let field = self.at(field);
        self.found.costs.push((field, cost));
    }
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
