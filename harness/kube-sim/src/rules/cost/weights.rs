//! What calls cost, by the sizes of what they are given.

use cel::common::ast::operators;

use super::{part, traversed};

/// What a call is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument {
    /// Letters, elements or entries.
    pub(super) size: u64,
    /// The same at least.
    pub(super) least: u64,
    pub(super) text: bool,
    pub(super) list: bool,
    /// Whether it may be anything.
    pub(super) any: bool,
    /// The size of an element, if those are texts.
    pub(super) element: Option<u64>,
}

/// What a call costs at most beside its arguments, and the size of what it comes to, if that is more than one.
pub(super) fn call(
    name: &str,
    target: Option<Argument>,
    args: &[Argument],
    limit: Option<u64>,
) -> (u64, Option<u64>) {
    match (name, target, args) {
        (operators::ADD, _, [left, right]) => add(*left, *right),
        (operators::EQUALS | operators::NOT_EQUALS, _, [left, right]) => {
            (traversed(left.size.min(right.size)), None)
        }
        (
            operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
            _,
            [left, right],
        ) => {
            let texts = traversed(left.size.min(right.size));
            let cost = match (left.text && right.text, left.any || right.any) {
                (true, _) => texts,
                (_, true) => texts.max(1),
                _ => 1,
            };
            (cost, None)
        }
        (operators::IN, _, [_, owner]) => (if owner.list || owner.any { owner.size } else { 1 }, None),
        ("startsWith" | "endsWith", Some(_), [part]) => (traversed(part.size), None),
        ("contains", Some(text), [part]) => (traversed(text.size).saturating_mul(traversed(part.size)), None),
        ("matches", Some(text), [pattern]) => {
            (traversed(text.size.saturating_add(1)).saturating_mul(part(pattern.size, 0.25)), None)
        }
        ("isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf", Some(list), _) if list.list => {
            let each = list.element.map_or(1, |size| traversed(size).saturating_add(1));
            (list.size.saturating_mul(each), None)
        }
        ("indexOf" | "lastIndexOf", Some(text), _) => (traversed(text.size), None),
        ("lowerAscii" | "upperAscii" | "substring" | "trim", Some(text), _) => {
            (traversed(text.size), Some(text.size))
        }
        ("replace", Some(text), [from, to, ..]) => (part(text.size, 0.2), Some(replaced(text, *from, *to))),
        ("split", Some(text), _) => (part(text.size, 0.2), Some(limit.unwrap_or(text.size))),
        ("join", Some(list), _) => {
            let own = list.size.saturating_mul(list.element.unwrap_or(u64::MAX));
            let between = args.first().map_or(0, |one| one.size.saturating_mul(list.size.saturating_sub(1)));
            let size = own.saturating_add(between);
            (traversed(size), Some(size))
        }
        ("bytes", None, [text]) if text.text => (traversed(text.size), Some(text.size.saturating_mul(4))),
        ("quote", None, [text]) => {
            (traversed(text.size), Some(text.size.saturating_mul(2).saturating_add(2)))
        }
        _ => (1, None),
    }
}

fn add(left: Argument, right: Argument) -> (u64, Option<u64>) {
    let size = left.size.saturating_add(right.size);
    match (left.text || right.text, left.list || right.list) {
        (true, _) => (traversed(size), Some(size)),
        (_, true) => (1, Some(size)),
        _ if left.any || right.any => (traversed(size).max(1), Some(size)),
        _ => (1, None),
    }
}

/// The longest text that a replacement makes.
fn replaced(text: Argument, from: Argument, to: Argument) -> u64 {
    if from.least == 0 {
        // Around every letter.
        return text.size.saturating_add(1).saturating_mul(to.size).saturating_add(text.size);
    }
    if to.size <= from.least {
        return text.size;
    }
    text.size.div_ceil(from.least).saturating_mul(to.size)
}
