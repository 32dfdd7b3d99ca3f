//! The most that an expression can cost, going by the schema of what it is about.
//!
//! What is followed of an expression is its type, the place in the schema that it stands for, if it does, and how large its
//! value can be. What cel-go does not follow (the elements of lists that an expression makes itself) is not followed here
//! either: it takes them for the whole value, and so does this.

use std::rc::Rc;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};
use serde_json::{Value, json};

use super::bounds::{self, most, per_request};
use super::weights::{self, Argument};
use crate::rules::types::Place;
use crate::rules::values::{escaped, is_resource};

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    /// Of one size: numbers, flags, times.
    Scalar,
    Text,
    Bytes,
    /// Anything.
    Dyn,
    /// What a schema says, if that is a list or has fields.
    Of(Shape<'a>),
    /// A list that an expression makes.
    List(Rc<Kind<'a>>),
    /// A map that an expression makes.
    Map,
    /// What may be there.
    Optional(Rc<Kind<'a>>),
}

/// A place of a schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape<'a> {
    /// With whether it is a resource, which has metadata.
    Schema(&'a Value, bool),
    /// The metadata of a resource.
    Meta,
    /// A text without bounds.
    FreeText,
    /// The key of a map.
    Key,
}

/// Which place an expression stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Path<'a> {
    /// None: it is made by the expression.
    Nowhere,
    /// One that the schema does not have.
    Lost,
    At(Shape<'a>),
}

/// What is known of an expression.
#[derive(Debug, Clone)]
struct Found<'a> {
    cost: u64,
    size: Option<u64>,
    path: Path<'a>,
    kind: Kind<'a>,
}

impl<'a> Shape<'a> {
    fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::Schema(schema, resource) => {
                match name {
                    "metadata" if resource => return Some(Self::Meta),
                    "apiVersion" | "kind" if resource => return Some(Self::FreeText),
                    _ => {}
                }
                let mut fields = schema["properties"].as_object()?.iter();
                let (_, field) = fields.find(|(own, _)| escaped(own).as_deref() == Some(name))?;
                bounds::least(field).map(|_| Self::inner(field))
            }
            Self::Meta if ["name", "generateName"].contains(&name) => Some(Self::FreeText),
            _ => None,
        }
    }

    fn inner(schema: &'a Value) -> Self {
        Self::Schema(schema, is_resource(schema, false))
    }

    /// What a list or a map holds.
    fn element(self) -> Option<Self> {
        let Self::Schema(schema, _) = self else { return None };
        let inner =
            if schema["type"] == "array" { &schema["items"] } else { &schema["additionalProperties"] };
        inner.is_object().then(|| Self::inner(inner))
    }

    fn is_map(self) -> bool {
        matches!(self, Self::Schema(schema, _) if schema["additionalProperties"].is_object())
    }

    fn is_list(self) -> bool {
        matches!(self, Self::Schema(schema, _) if schema["type"] == "array")
    }

    fn size(self) -> u64 {
        match self {
            Self::Schema(schema, _) => most(schema),
            Self::FreeText => most(&json!({"type": "string"})),
            Self::Meta | Self::Key => 0,
        }
    }

    fn kind(self) -> Kind<'a> {
        let Self::Schema(schema, _) = self else {
            return if self == Self::Meta { Kind::Of(self) } else { Kind::Text };
        };
        if schema["x-kubernetes-int-or-string"] == true {
            return Kind::Dyn;
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("string"), Some("byte")) => Kind::Bytes,
            (Some("string"), Some("duration" | "date" | "date-time")) => Kind::Scalar,
            (Some("string"), _) => Kind::Text,
            (Some("array" | "object"), _) => Kind::Of(self),
            (Some(_), _) => Kind::Scalar,
            (None, _) => Kind::Dyn,
        }
    }
}

impl Kind<'_> {
    fn is_list(&self) -> bool {
        match self {
            Self::Of(shape) => shape.is_list(),
            Self::List(_) => true,
            _ => false,
        }
    }

    fn is_map(&self) -> bool {
        matches!(self, Self::Of(shape) if shape.is_map()) || *self == Self::Map
    }

    fn element(&self) -> Self {
        match self {
            Self::Of(shape) => shape.element().map_or(Self::Dyn, Shape::kind),
            Self::List(element) => Self::clone(element),
            _ => Self::Dyn,
        }
    }
}

/// The most that an expression about a place of a schema can cost each time, and how often it can be evaluated in one object
/// if the schema does not say.
pub(in crate::rules) fn estimate(expression: &IdedExpr, place: Place<'_>) -> (u64, u64) {
    let root = Shape::Schema(place.schema, is_resource(place.schema, place.root));
    let mut estimator = Estimator { root, optional_old: place.optional_old, names: Vec::new() };
    (estimator.of(expression).cost, per_request(place.schema))
}

struct Estimator<'a> {
    root: Shape<'a>,
    optional_old: bool,
    /// Variables of loops, the innermost last.
    names: Vec<(String, Found<'a>)>,
}

impl<'a> Estimator<'a> {
    /// Something of a kind at a path, with the size that follows from both.
    fn found(&self, cost: u64, path: Path<'a>, kind: Kind<'a>) -> Found<'a> {
        let size = match path {
            Path::At(shape) => Some(shape.size()),
            _ => (kind == Kind::Scalar).then_some(1),
        };
        Found { cost, size, path, kind }
    }

    fn of(&mut self, expr: &IdedExpr) -> Found<'a> {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let each: Vec<Found<'a>> = list.elements.iter().map(|one| self.of(one)).collect();
                let cost = each.iter().fold(10, |sum: u64, one| sum.saturating_add(one.cost));
                let kind = Kind::List(Rc::new(each.first().map_or(Kind::Dyn, |one| one.kind.clone())));
                Found { cost, size: Some(each.len() as u64), path: Path::Nowhere, kind }
            }
            Expr::Map(map) => {
                let mut cost: u64 = 30;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        let (key, value) = (self.of(&entry.key).cost, self.of(&entry.value).cost);
                        cost = cost.saturating_add(key).saturating_add(value);
                    }
                }
                Found { cost, size: Some(map.entries.len() as u64), path: Path::Nowhere, kind: Kind::Map }
            }
            Expr::Comprehension(every) => self.every(every),
            Expr::Struct(_) | Expr::Unspecified => self.found(40, Path::Nowhere, Kind::Dyn),
        }
    }

    fn literal(&self, literal: &LiteralValue) -> Found<'a> {
        let (size, kind) = match literal {
            LiteralValue::String(text) => (text.inner().chars().count() as u64, Kind::Text),
            LiteralValue::Bytes(bytes) => (bytes.inner().len() as u64, Kind::Bytes),
            _ => (1, Kind::Scalar),
        };
        Found { cost: 0, size: Some(size), path: Path::Nowhere, kind }
    }

    fn name(&self, name: &str) -> Found<'a> {
        if let Some((_, known)) = self.names.iter().rev().find(|(own, _)| own == name) {
            let found = self.found(1, known.path, known.kind.clone());
            return Found { size: found.size.or(known.size), ..found };
        }
        let kind = self.root.kind();
        match name {
            "oldSelf" if self.optional_old => {
                self.found(1, Path::At(self.root), Kind::Optional(Rc::new(kind)))
            }
            "self" | "oldSelf" => self.found(1, Path::At(self.root), kind),
            // A name of something else is taken for the whole value too.
            _ => self.found(1, Path::At(self.root), Kind::Dyn),
        }
    }

    fn select(&mut self, select: &SelectExpr) -> Found<'a> {
        let owner = self.of(&select.operand);
        if select.test {
            return self.found(owner.cost, Path::Nowhere, Kind::Scalar);
        }
        let typed = matches!(owner.kind, Kind::Of(shape) if !shape.is_list()) || owner.kind.is_map();
        let path = match owner.path {
            // A path that begins with a field is taken for the whole value.
            Path::Nowhere => Path::At(self.root),
            Path::At(shape) => shape.field(&select.field).map_or(Path::Lost, Path::At),
            Path::Lost => Path::Lost,
        };
        let kind = match &owner.kind {
            Kind::Of(shape) if shape.is_map() => owner.kind.element(),
            Kind::Of(shape) => shape.field(&select.field).map_or(Kind::Dyn, Shape::kind),
            _ => Kind::Dyn,
        };
        self.found(owner.cost.saturating_add(u64::from(typed)), path, kind)
    }

    /// Where the elements (or the keys) of something are.
    fn inside(&self, owner: &Found<'a>, keys: bool) -> Path<'a> {
        match owner.path {
            Path::Nowhere => Path::At(self.root),
            Path::At(shape) if keys => {
                if shape.is_map() {
                    Path::At(Shape::Key)
                } else {
                    Path::Lost
                }
            }
            Path::At(shape) => shape.element().map_or(Path::Lost, Path::At),
            Path::Lost => Path::Lost,
        }
    }

    fn every(&mut self, every: &ComprehensionExpr) -> Found<'a> {
        let (range, start) = (self.of(&every.iter_range), self.of(&every.accu_init));
        let before = self.names.len();
        self.names.push((every.accu_var.clone(), Found { cost: 0, ..start.clone() }));
        let keys = range.kind.is_map();
        let path = self.inside(&range, keys);
        let kind = if keys { Kind::Text } else { range.kind.element() };
        let element = Found { cost: 0, size: None, path, kind };
        self.names.push((every.iter_var.clone(), element));
        let (more, step) = (self.of(&every.loop_cond), self.of(&every.loop_step));
        self.names.truncate(before + 1);
        let result = self.of(&every.result);
        self.names.truncate(before);
        let times = range.size.unwrap_or(u64::MAX);
        let loops = times.saturating_mul(step.cost.saturating_add(more.cost));
        let cost = [start.cost, result.cost, loops].into_iter().fold(range.cost, u64::saturating_add);
        let made = matches!(every.accu_init.expr, Expr::List(_) | Expr::Map(_));
        let (size, kind) = if made { (Some(times), step.kind) } else { (start.size, start.kind) };
        Found { cost, size, path: Path::Nowhere, kind }
    }

    fn call(&mut self, call: &CallExpr) -> Found<'a> {
        let args: Vec<Found<'a>> = call.args.iter().map(|arg| self.of(arg)).collect();
        let namespace = |target: &IdedExpr| match &target.expr {
            Expr::Ident(space) => !self.is_known(space),
            _ => false,
        };
        let space = call.target.as_deref().is_some_and(namespace);
        let target = call.target.as_deref().filter(|_| !space).map(|target| self.of(target));
        let below = args.iter().chain(&target).fold(0, |sum: u64, one| sum.saturating_add(one.cost));
        match (call.func_name.as_str(), args.as_slice()) {
            ("dyn", [arg]) => return Found { cost: below.saturating_add(1), kind: Kind::Dyn, ..arg.clone() },
            (operators::LOGICAL_AND | operators::LOGICAL_OR, _) => {
                return self.found(below, Path::Nowhere, Kind::Scalar);
            }
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let cost = condition.cost.saturating_add(yes.cost.max(no.cost));
                let size = Some(yes.size.unwrap_or(u64::MAX).max(no.size.unwrap_or(u64::MAX)));
                return Found { cost, size, path: Path::Nowhere, kind: yes.kind.clone() };
            }
            (operators::INDEX, [owner, _]) => {
                let path = self.inside(owner, false);
                return self.found(below.saturating_add(1), path, owner.kind.element());
            }
            _ => {}
        }
        let name = call.func_name.as_str();
        let limit = call.args.get(1).and_then(|arg| match &arg.expr {
            Expr::Literal(LiteralValue::Int(count)) => u64::try_from(*count.inner()).ok(),
            _ => None,
        });
        let target = target.as_ref();
        let least = |arg: &IdedExpr, size: Option<u64>| match arg.expr {
            Expr::Literal(_) => size.unwrap_or_default(),
            _ => 0,
        };
        let arguments: Vec<Argument> =
            call.args.iter().zip(&args).map(|(arg, one)| argument(one, least(arg, one.size))).collect();
        let (own, size) = weights::call(name, target.map(|one| argument(one, 0)), &arguments, limit);
        let kind = result(name, target, &args);
        let size = size.or_else(|| (kind == Kind::Scalar).then_some(1));
        Found { cost: below.saturating_add(own), size, path: Path::Nowhere, kind }
    }

    fn is_known(&self, name: &str) -> bool {
        ["self", "oldSelf"].contains(&name) || self.names.iter().any(|(own, _)| own == name)
    }
}

fn argument(found: &Found<'_>, least: u64) -> Argument {
    let texts = matches!(found.kind.element(), Kind::Text | Kind::Bytes);
    let element = match found.path {
        Path::At(shape) => shape.element().map_or(u64::MAX, Shape::size),
        _ => u64::MAX,
    };
    Argument {
        size: found.size.unwrap_or(u64::MAX),
        least,
        text: matches!(found.kind, Kind::Text | Kind::Bytes),
        list: found.kind.is_list(),
        any: found.kind == Kind::Dyn,
        element: texts.then_some(element),
    }
}

/// What a function comes to.
fn result<'a>(name: &str, target: Option<&Found<'a>>, args: &[Found<'a>]) -> Kind<'a> {
    let first = || args.first().map_or(Kind::Dyn, |one| one.kind.clone());
    match name {
        operators::ADD => match (first(), args.get(1).map(|one| &one.kind)) {
            (Kind::List(element), Some(other)) if *element == Kind::Dyn => other.clone(),
            (kind, _) => kind,
        },
        operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO
        | operators::NEGATE => first(),
        "string" | "lowerAscii" | "upperAscii" | "trim" | "replace" | "substring" | "charAt" | "join"
        | "reverse" | "quote" => Kind::Text,
        "bytes" => Kind::Bytes,
        "split" => Kind::List(Rc::new(Kind::Text)),
        "min" | "max" | "sum" => target.map_or(Kind::Dyn, |one| one.kind.element()),
        "value" | "orValue" => match target.map(|one| &one.kind) {
            Some(Kind::Optional(inner)) => Kind::clone(inner),
            _ => Kind::Dyn,
        },
        "of" | "ofNonZeroValue" => Kind::Optional(Rc::new(first())),
        "none" | "optMap" | "optFlatMap" | "or" => Kind::Optional(Rc::new(Kind::Dyn)),
        "type" => Kind::Dyn,
        _ => Kind::Scalar,
    }
}
