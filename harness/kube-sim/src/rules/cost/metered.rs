//! A rule as it is run: with what it costs charged as it goes.
//!
//! What always costs the same is added up until the next place where it is decided whether something is evaluated at all: the
//! branches of a condition, the right sides of `&&` and `||`, the bodies of loops. What depends on how large values are is
//! charged by functions around them, which hand the values on. Loops keep the forms that the library knows how to run fast.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapEntryExpr, SelectExpr, operators,
};

/// Charges a fixed cost: `@spend(value, cost)`.
pub(super) const SPEND: &str = "@spend";
/// Remembers how large a value is: `@note(value, slot)`.
pub(super) const NOTE: &str = "@note";
/// Charges a comparison with what was noted: `@least(value, slot)`.
pub(super) const LEAST: &str = "@least";
/// Charges putting together with what was noted: `@sum(value, slot)`.
pub(super) const SUM: &str = "@sum";
/// Charges a search for what was noted: `@product(value, slot)`.
pub(super) const PRODUCT: &str = "@product";
/// Charges a replacement, or putting texts together with one between: `@made(value, slot)`.
pub(super) const MADE: &str = "@made";
/// Charges going through a value, in tenths of its size: `@through(value, tenths)`.
pub(super) const THROUGH: &str = "@through";
/// Charges walking all elements of a list or a map: `@elements(value, 0)`.
pub(super) const ELEMENTS: &str = "@elements";
/// Charges a loop's copies of the elements: `@loop(value, 0)`.
pub(super) const LOOP: &str = "@loop";
/// `text.matches(pattern)` with every pattern compiled once: `@matches(text, pattern)`.
pub(super) const MATCHES: &str = "@matches";

/// The rule with what it costs.
pub(in crate::rules) fn metered(expression: &IdedExpr) -> IdedExpr {
    closed(expression)
}

fn function(name: &str, args: Vec<IdedExpr>, id: u64) -> IdedExpr {
    IdedExpr { id, expr: Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }) }
}

fn with(name: &str, value: IdedExpr, number: u64) -> IdedExpr {
    let id = value.id;
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let number = IdedExpr { id, expr: Expr::Literal(LiteralValue::Int(number.into())) };
    function(name, vec![value, number], id)
}

/// An expression that may or may not be evaluated, with all that it costs.
fn closed(expr: &IdedExpr) -> IdedExpr {
    let (expr, cost) = open(expr);
    spending(expr, cost)
}

fn spending(expr: IdedExpr, cost: u64) -> IdedExpr {
    if cost == 0 { expr } else { with(SPEND, expr, cost) }
}

/// An expression, and what of its cost is still to be charged.
fn open(expr: &IdedExpr) -> (IdedExpr, u64) {
    let id = expr.id;
    let made = |expr: Expr, cost: u64| (IdedExpr { id, expr }, cost);
    match &expr.expr {
        Expr::Ident(_) => (expr.clone(), 1),
        Expr::Select(select) => {
            let (operand, cost) = open(&select.operand);
            let own = u64::from(!select.test);
            made(Expr::Select(SelectExpr { operand: Box::new(operand), ..select.clone() }), cost + own)
        }
        Expr::List(list) => {
            let mut list = list.clone();
            let mut cost = 10;
            for element in &mut list.elements {
                cost += replace(element);
            }
            made(Expr::List(list), cost)
        }
        Expr::Map(map) => {
            let mut map = map.clone();
            let mut cost = 30;
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(MapEntryExpr { key, value, .. }) = &mut entry.expr {
                    cost += replace(key) + replace(value);
                }
            }
            made(Expr::Map(map), cost)
        }
        Expr::Comprehension(every) => {
            let (every, cost) = looped(every);
            made(Expr::Comprehension(Box::new(every)), cost)
        }
        Expr::Call(call) => called(call, id),
        Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => (expr.clone(), 0),
    }
}

/// Makes an expression charge for itself, but for what is returned.
fn replace(expr: &mut IdedExpr) -> u64 {
    let (fresh, cost) = open(expr);
    *expr = fresh;
    cost
}

fn called(call: &CallExpr, id: u64) -> (IdedExpr, u64) {
    let mut call = call.clone();
    match (call.func_name.as_str(), call.args.as_mut_slice()) {
        (operators::CONDITIONAL, [condition, yes, no]) => {
            let cost = replace(condition);
            (*yes, *no) = (closed(yes), closed(no));
            return (IdedExpr { id, expr: Expr::Call(call) }, cost);
        }
        (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) => {
            let cost = replace(left);
            *right = closed(right);
            return (IdedExpr { id, expr: Expr::Call(call) }, cost);
        }
        _ => {}
    }
    let mut cost: u64 = call.args.iter_mut().map(replace).sum();
    if let Some(target) = call.target.as_deref_mut() {
        cost += replace(target);
    }
    let fixed = weigh(&mut call, id);
    (IdedExpr { id, expr: Expr::Call(call) }, cost + fixed)
}

/// Puts charges around the arguments whose sizes count; what remains is the same each time.
fn weigh(call: &mut CallExpr, id: u64) -> u64 {
    let around = |place: &mut IdedExpr, name: &str, number: u64| {
        *place = with(name, std::mem::take(place), number);
    };
    let scalar = |one: &IdedExpr| match &one.expr {
        Expr::Literal(literal) => !matches!(literal, LiteralValue::String(_) | LiteralValue::Bytes(_)),
        _ => false,
    };
    match (call.func_name.as_str(), call.target.as_deref_mut(), call.args.as_mut_slice()) {
        (_, None, [left, right]) if is_comparison(&call.func_name) => {
            if scalar(left) || scalar(right) {
                return 1;
            }
            around(left, NOTE, id);
            around(right, LEAST, id);
            0
        }
        (operators::ADD, None, [left, right]) if !scalar(left) && !scalar(right) => {
            around(left, NOTE, id);
            around(right, SUM, id);
            0
        }
        (operators::IN, None, [_, owner]) => {
            around(owner, THROUGH, 10);
            0
        }
        ("contains", Some(text), [part]) => {
            around(part, NOTE, id);
            around(text, PRODUCT, id);
            0
        }
        ("matches", Some(text), [pattern]) => {
            let (text, pattern) = (std::mem::take(text), std::mem::take(pattern));
            *call = CallExpr { func_name: MATCHES.to_owned(), target: None, args: vec![text, pattern] };
            0
        }
        ("matches", None, [_, _]) => {
            MATCHES.clone_into(&mut call.func_name);
            0
        }
        ("replace", Some(text), [from, to, ..]) => {
            around(from, NOTE, id);
            around(to, NOTE, id.wrapping_add(1 << 32));
            around(text, MADE, id);
            0
        }
        ("join", Some(list), args) => {
            if let [between] = args {
                around(between, NOTE, id.wrapping_add(1 << 32));
            }
            around(list, MADE, id);
            0
        }
        ("split", Some(text), _) => {
            around(text, THROUGH, 2);
            0
        }
        (
            "startsWith" | "endsWith" | "lowerAscii" | "upperAscii" | "substring" | "trim" | "charAt"
            | "reverse",
            Some(text),
            _,
        ) => {
            around(text, THROUGH, 1);
            0
        }
        ("isSorted" | "min" | "max" | "indexOf" | "lastIndexOf", Some(list), _) => {
            around(list, ELEMENTS, 0);
            0
        }
        ("bytes" | "string" | "quote", None, [text]) => {
            around(text, THROUGH, 1);
            0
        }
        _ => 1,
    }
}

fn is_comparison(name: &str) -> bool {
    const ALL: [&str; 6] = [
        operators::EQUALS,
        operators::NOT_EQUALS,
        operators::LESS,
        operators::LESS_EQUALS,
        operators::GREATER,
        operators::GREATER_EQUALS,
    ];
    ALL.contains(&name)
}

fn looped(every: &ComprehensionExpr) -> (ComprehensionExpr, u64) {
    let mut every = every.clone();
    let mut cost = replace(&mut every.iter_range) + replace(&mut every.accu_init);
    let own = |expr: &IdedExpr, accu: &str| matches!(&expr.expr, Expr::Ident(name) if name == accu);
    every.iter_range = with(LOOP, std::mem::take(&mut every.iter_range), 0);
    if !matches!(every.loop_cond.expr, Expr::Literal(_)) {
        every.loop_cond = closed(&every.loop_cond);
    }
    let step = std::mem::take(&mut every.loop_step);
    every.loop_step = stepped(step, &every.accu_var);
    if own(&every.result, &every.accu_var) {
        cost += 1;
    } else {
        cost += replace(&mut every.result);
    }
    (every, cost)
}

/// The step of a loop, in the form that it has: what is put to the accumulator charges for the step.
fn stepped(mut step: IdedExpr, accu: &str) -> IdedExpr {
    let own = |expr: &IdedExpr| matches!(&expr.expr, Expr::Ident(name) if name == accu);
    if own(&step) {
        return step;
    }
    let Expr::Call(call) = &mut step.expr else { return closed(&step) };
    match (call.func_name.as_str(), call.args.as_mut_slice()) {
        (operators::ADD, [left, IdedExpr { expr: Expr::List(list), .. }]) if own(left) => {
            for element in &mut list.elements {
                let (fresh, cost) = open(element);
                *element = spending(fresh, cost + 12);
            }
        }
        (operators::ADD, [left, IdedExpr { expr: Expr::Literal(_), .. }]) if own(left) => {}
        (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) if own(left) => {
            let (fresh, cost) = open(right);
            *right = spending(fresh, cost + 1);
        }
        (operators::CONDITIONAL, [condition, yes, no]) => {
            let (fresh, cost) = open(condition);
            *condition = spending(fresh, cost + 1);
            (*yes, *no) = (stepped(std::mem::take(yes), accu), stepped(std::mem::take(no), accu));
        }
        _ => return closed(&step),
    }
    step
}
