//! Types of expressions, as far as a schema tells them: what can be seen to be wrong before a rule ever runs.
//!
//! Anything that is not known for sure may be anything. Source of the wording: cel-go's checker.

use cel::Program;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};
use serde_json::Value;

use super::compile::at;
use super::library::{Known, known};
use super::values::{escaped, is_resource};

/// Where rules stand.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) schema: &'a Value,
    /// Whether this is the whole object.
    pub(super) root: bool,
    /// Whether `oldSelf` is optional.
    pub(super) optional_old: bool,
}

/// What an expression must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Bool,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ty<'a> {
    /// Anything.
    Any,
    Bool,
    Int,
    Double,
    Text,
    /// What a schema says; the flag is for the whole object.
    Of(&'a Value, bool),
}

impl<'a> Ty<'a> {
    fn of(schema: &'a Value, root: bool) -> Self {
        if schema["x-kubernetes-int-or-string"] == true || schema["nullable"] == true {
            return Self::Any;
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("boolean"), _) => Self::Bool,
            (Some("integer"), _) => Self::Int,
            (Some("number"), _) => Self::Double,
            (Some("string"), None) => Self::Text,
            (Some("array" | "object"), _) => Self::Of(schema, root),
            _ => Self::Any,
        }
    }

    /// The name that errors show; none for what may be anything.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Bool => Some("bool"),
            Self::Int => Some("int"),
            Self::Double => Some("double"),
            Self::Text => Some("string"),
            Self::Any | Self::Of(..) => None,
        }
    }

    /// What the elements of a list are, and what a loop over a map walks.
    fn element(self) -> Self {
        match self {
            Self::Of(schema, _) if schema["type"] == "array" => Self::of(&schema["items"], false),
            Self::Of(..) => Self::Text,
            _ => Self::Any,
        }
    }
}

/// What is wrong with an expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Places in it, each worded as cel-go does.
    Errors(String),
    /// What it comes to.
    Result(&'static str),
}

/// Looks for what is wrong with a rule.
///
/// # Errors
/// What is wrong, or what of it is not modelled.
pub(super) fn check(program: &Program, source: &str, place: Place<'_>, wanted: Wanted) -> Result<(), Wrong> {
    let own = Ty::of(place.schema, place.root);
    let old = if place.optional_old { Ty::Any } else { own };
    let names = vec![("self".to_owned(), own), ("oldSelf".to_owned(), old)];
    let mut checker = Checker { program, source, names, errors: Vec::new() };
    let found = checker.ty(program.expression());
    if !checker.errors.is_empty() {
        return Err(Wrong::Errors(checker.errors.join("\n")));
    }
    match (wanted, found.name()) {
        (Wanted::Bool, Some("bool") | None) | (Wanted::Text, Some("string") | None) => Ok(()),
        (Wanted::Bool, _) => Err(Wrong::Result("cel expression must evaluate to a bool")),
        (Wanted::Text, _) => Err(Wrong::Result("messageExpression must evaluate to a string")),
    }
}

struct Checker<'a> {
    program: &'a Program,
    source: &'a str,
    names: Vec<(String, Ty<'a>)>,
    errors: Vec<String>,
}

impl<'a> Checker<'a> {
    fn wrong(&mut self, expr: &IdedExpr, what: &str) -> Ty<'a> {
        self.errors.push(at(self.source, self.program.source_info(), expr.id, what));
        Ty::Any
    }

    fn ty(&mut self, expr: &IdedExpr) -> Ty<'a> {
        match &expr.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Ty::Bool,
                LiteralValue::Int(_) => Ty::Int,
                LiteralValue::Double(_) => Ty::Double,
                LiteralValue::String(_) => Ty::Text,
                _ => Ty::Any,
            },
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => {
                let owner = self.ty(&select.operand);
                let field = self.field(expr, owner, &select.field);
                if select.test { Ty::Bool } else { field }
            }
            Expr::Call(call) => self.call(expr, call),
            Expr::Comprehension(every) => self.every(every),
            Expr::List(list) => {
                for element in &list.elements {
                    self.ty(element);
                }
                Ty::Any
            }
            _ => Ty::Any,
        }
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Ty<'a> {
        const TYPES: [&str; 11] = [
            "int",
            "uint",
            "double",
            "bool",
            "string",
            "bytes",
            "list",
            "map",
            "type",
            "null_type",
            "optional_type",
        ];
        match self.names.iter().rev().find(|(known, _)| known == name) {
            Some((_, ty)) => *ty,
            None if TYPES.contains(&name) || ["optional", "strings", "google"].contains(&name) => Ty::Any,
            None => self.wrong(expr, &format!("undeclared reference to '{name}' (in container '')")),
        }
    }

    fn field(&mut self, expr: &IdedExpr, owner: Ty<'a>, field: &str) -> Ty<'a> {
        let (schema, root) = match owner {
            Ty::Of(schema, root) => (schema, root),
            Ty::Any => return Ty::Any,
            plain => {
                let name = plain.name().unwrap_or_default();
                return self.wrong(expr, &format!("type '{name}' does not support field selection"));
            }
        };
        if schema["type"] == "array" {
            return self.wrong(expr, "type 'list' does not support field selection");
        }
        if schema["additionalProperties"].is_object() {
            return Ty::of(&schema["additionalProperties"], false);
        }
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (name, inner) in properties {
            if escaped(name).as_deref() == Some(field) {
                return Ty::of(inner, false);
            }
        }
        if is_resource(schema, root) && ["apiVersion", "kind", "metadata"].contains(&field) {
            return if field == "metadata" { Ty::Any } else { Ty::Text };
        }
        self.wrong(expr, &format!("undefined field '{field}'"))
    }

    fn every(&mut self, every: &ComprehensionExpr) -> Ty<'a> {
        let element = self.ty(&every.iter_range).element();
        let start = self.ty(&every.accu_init);
        let before = self.names.len();
        self.names.push((every.accu_var.clone(), start));
        let element = if every.iter_var2.is_some() { Ty::Any } else { element };
        self.names.push((every.iter_var.clone(), element));
        self.names.extend(every.iter_var2.iter().map(|name| (name.clone(), Ty::Any)));
        self.ty(&every.loop_cond);
        self.ty(&every.loop_step);
        let result = self.ty(&every.result);
        self.names.truncate(before);
        result
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Ty<'a> {
        let name = self.qualified(call);
        match known(&name) {
            Known::Here => {}
            Known::Elsewhere => {
                let what = format!("kube-sim does not model the function '{name}' of rules");
                return self.wrong(expr, &what);
            }
            Known::Nowhere => {
                return self.wrong(expr, &format!("undeclared reference to '{name}' (in container '')"));
            }
        }
        let target = call.target.as_deref().filter(|_| name == call.func_name).map(|target| self.ty(target));
        let types: Vec<Ty<'a>> = call.args.iter().map(|arg| self.ty(arg)).collect();
        if let Some(target) = target
            && let Some(what) = of_texts(&name, target, &types)
        {
            return self.wrong(expr, &what);
        }
        if matches!(name.as_str(), operators::LOGICAL_AND | operators::LOGICAL_OR) {
            for (arg, ty) in call.args.iter().zip(&types) {
                if let Some(found) = ty.name().filter(|found| *found != "bool") {
                    self.wrong(arg, &format!("expected type 'bool' but found '{found}'"));
                }
            }
            return Ty::Bool;
        }
        self.result(expr, &name, &types)
    }

    /// The name of a function with that of its namespace, if it is called in one.
    fn qualified(&self, call: &CallExpr) -> String {
        match call.target.as_deref().map(|target| &target.expr) {
            Some(Expr::Ident(space)) if !self.names.iter().any(|(name, _)| name == space) => {
                format!("{space}.{}", call.func_name)
            }
            _ => call.func_name.clone(),
        }
    }

    fn result(&mut self, expr: &IdedExpr, name: &str, types: &[Ty<'a>]) -> Ty<'a> {
        let plain: Vec<Option<&str>> = types.iter().map(|ty| ty.name()).collect();
        let fits = match (name, plain.as_slice()) {
            (operators::LOGICAL_NOT, all) => all.iter().flatten().all(|one| *one == "bool"),
            (operators::EQUALS | operators::NOT_EQUALS, [Some(left), Some(right)]) => left == right,
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [Some(left), Some(right)],
            ) => left == right || !(["bool", "string"].contains(left) || ["bool", "string"].contains(right)),
            (operators::ADD, [Some(left), Some(right)]) => left == right && *left != "bool",
            (
                operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO,
                [Some(left), Some(right)],
            ) => left == right && !["bool", "string"].contains(left),
            _ => true,
        };
        if !fits {
            let shown: Vec<&str> = plain.iter().map(|one| one.unwrap_or("dyn")).collect();
            let what = format!("found no matching overload for '{name}' applied to '({})'", shown.join(", "));
            return self.wrong(expr, &what);
        }
        match (name, types) {
            (operators::CONDITIONAL, [_, yes, no]) if yes == no => *yes,
            (operators::INDEX, [Ty::Of(schema, _), _]) if schema["type"] == "array" => types[0].element(),
            (operators::INDEX, [Ty::Of(schema, _), _]) if schema["additionalProperties"].is_object() => {
                Ty::of(&schema["additionalProperties"], false)
            }
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
                | operators::NEGATE,
                [first, ..],
            ) => *first,
            _ => fixed(name),
        }
    }
}

/// What is wrong with a call of a function between texts.
fn of_texts(name: &str, target: Ty<'_>, args: &[Ty<'_>]) -> Option<String> {
    let [arg] = args else { return None };
    if !["contains", "startsWith", "endsWith", "matches"].contains(&name) {
        return None;
    }
    let (target, arg) = (target.name().unwrap_or("string"), arg.name().unwrap_or("string"));
    let fits = target == "string" && arg == "string";
    (!fits).then(|| format!("found no matching overload for '{name}' applied to '{target}.({arg})'"))
}

/// What functions come to whatever they are given.
fn fixed(name: &str) -> Ty<'static> {
    match name {
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS
        | operators::IN
        | operators::NOT_STRICTLY_FALSE
        | "contains"
        | "startsWith"
        | "endsWith"
        | "matches"
        | "bool"
        | "hasValue"
        | "isSorted" => Ty::Bool,
        "size" | "int" | "indexOf" | "lastIndexOf" => Ty::Int,
        "double" => Ty::Double,
        "string" | "lowerAscii" | "upperAscii" | "trim" | "replace" | "substring" | "charAt" | "join"
        | "strings.quote" => Ty::Text,
        _ => Ty::Any,
    }
}
