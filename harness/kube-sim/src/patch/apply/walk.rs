//! Walking objects by their schema: which fields they have, how two differ, how they merge.
//!
//! Source: the rules of structured merge and diff: scalars and atomic lists and maps are single fields; items of
//! set-like and map-like lists are members of their own; where no schema is known, objects merge and lists are atomic.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fields::{Element, FieldSet};
use crate::schema::{ListType, Place};

/// What became of fields between two objects.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) removed: FieldSet,
}

/// How the list at a place tells its items apart; none for a list that is one field.
struct Identity<'a> {
    place: Place<'a>,
    list: ListType<'a>,
}

impl<'a> Identity<'a> {
    fn of(place: Place<'a>) -> Option<Self> {
        match place.list_type() {
            ListType::Atomic => None,
            list => Some(Self { place, list }),
        }
    }

    fn element(&self, item: &Value) -> Element {
        match &self.list {
            ListType::Map(keys) => {
                let items = self.place.items();
                Element::key(item, keys.iter().map(|key| (*key, items.field(key).default())))
            }
            _ => Element::Item(item.to_string()),
        }
    }
}

/// The fields that an applied configuration names.
pub(super) fn field_set(place: Place<'_>, value: &Value) -> FieldSet {
    match value {
        Value::Object(fields) if !place.atomic_object() => {
            let mut set = FieldSet::default();
            for (name, inner) in fields {
                let mut branch = field_set(place.field(name), inner);
                let empty = inner.is_null() || inner.as_object().is_some_and(Map::is_empty);
                branch.here |= empty || place.named_field(name).is_none();
                set.add(Element::Field(name.clone()), branch);
            }
            set
        }
        Value::Array(items) => match Identity::of(place) {
            None => FieldSet::leaf(),
            Some(identity) => {
                let mut set = FieldSet::default();
                for item in items {
                    let mut branch = field_set(place.items(), item);
                    branch.here = true;
                    set.add(identity.element(item), branch);
                }
                set
            }
        },
        _ => FieldSet::leaf(),
    }
}

/// How `after` differs from `before`.
pub(super) fn compare(place: Place<'_>, before: Option<&Value>, after: Option<&Value>) -> Comparison {
    let mut found = Comparison::default();
    let one = match (before, after) {
        (None, None) => return found,
        (Some(Value::Null) | None, Some(one)) | (Some(one), _) => one,
    };
    let empty = |side: Option<&Value>| match side {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    let same_shape = match (before, after) {
        (Some(Value::Null), _) | (_, Some(Value::Null)) => true,
        (Some(a), Some(b)) => a.is_object() == b.is_object() && a.is_array() == b.is_array(),
        _ => true,
    };
    let leaf = !same_shape || (empty(before) && empty(after));
    match (one, Identity::of(place)) {
        (Value::Object(_), _) if !leaf && !place.atomic_object() => {
            compare_fields(place, before, after, &mut found);
            mark(before, after, &mut found);
        }
        (Value::Array(_), Some(identity)) if !leaf => {
            compare_items(&identity, before, after, &mut found);
            mark(before, after, &mut found);
        }
        _ => {
            mark(before, after, &mut found);
            found.modified.here = before.is_some() && after.is_some() && before != after;
        }
    }
    found
}

fn mark(before: Option<&Value>, after: Option<&Value>, found: &mut Comparison) {
    found.added.here = before.is_none();
    found.removed.here = after.is_none();
}

impl Comparison {
    fn add(&mut self, element: &Element, inner: Self) {
        self.added.add(element.clone(), inner.added);
        self.modified.add(element.clone(), inner.modified);
        self.removed.add(element.clone(), inner.removed);
    }
}

fn compare_fields(place: Place<'_>, before: Option<&Value>, after: Option<&Value>, found: &mut Comparison) {
    let none = Map::new();
    let old = before.and_then(Value::as_object).unwrap_or(&none);
    let new = after.and_then(Value::as_object).unwrap_or(&none);
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    for name in names {
        let inner = compare(place.field(name), old.get(name), new.get(name));
        found.add(&Element::Field(name.clone()), inner);
    }
}

fn compare_items(
    identity: &Identity<'_>,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Comparison,
) {
    let index = |side: Option<&Value>| -> Vec<(Element, Value)> {
        let items = side.and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
        items.iter().map(|item| (identity.element(item), item.clone())).collect()
    };
    let (old, new) = (index(before), index(after));
    // Of several items of one identity the first counts.
    let in_new: BTreeMap<&Element, &Value> =
        new.iter().rev().map(|(element, item)| (element, item)).collect();
    let in_old: BTreeSet<&Element> = old.iter().map(|(element, _)| element).collect();
    for (element, item) in &old {
        found.add(element, compare(identity.place.items(), Some(item), in_new.get(element).copied()));
    }
    for (element, item) in new.iter().filter(|(element, _)| !in_old.contains(element)) {
        found.add(element, compare(identity.place.items(), None, Some(item)));
    }
}

/// The live value with the applied one laid over it.
pub(super) fn merge(place: Place<'_>, live: Option<&Value>, applied: &Value) -> Value {
    match (live, applied) {
        (Some(Value::Object(live)), Value::Object(applied)) if !place.atomic_object() => {
            let mut out = live.clone();
            for (name, value) in applied {
                let merged = merge(place.field(name), live.get(name), value);
                out.insert(name.clone(), merged);
            }
            Value::Object(out)
        }
        (Some(Value::Array(live)), Value::Array(applied)) => match Identity::of(place) {
            Some(identity) => Value::Array(merge_items(&identity, live, applied)),
            None => Value::Array(applied.clone()),
        },
        _ => applied.clone(),
    }
}

/// Applied items in their own order; items that only the live list has stay where they were relative to shared ones.
fn merge_items(identity: &Identity<'_>, live: &[Value], applied: &[Value]) -> Vec<Value> {
    let old: Vec<Element> = live.iter().map(|item| identity.element(item)).collect();
    let new: Vec<Element> = applied.iter().map(|item| identity.element(item)).collect();
    let in_new: BTreeSet<&Element> = new.iter().collect();
    let in_old: BTreeMap<&Element, &Value> = old.iter().zip(live).rev().collect();
    let mut shared = new.iter().filter(|element| in_old.contains_key(element)).peekable();
    let mut out = Vec::with_capacity(live.len().max(applied.len()));
    let (mut left, mut right) = (old.iter().zip(live).peekable(), new.iter().zip(applied).peekable());
    loop {
        if let Some((element, item)) = left.peek().copied() {
            if !in_new.contains(element) {
                out.push(item.clone());
                left.next();
                continue;
            }
            let mergeable = right.peek().is_some_and(|(wanted, _)| *wanted == element);
            if !mergeable && (shared.peek() != Some(&element) || right.peek().is_none()) {
                left.next();
                continue;
            }
            if mergeable {
                left.next();
            }
        }
        let Some((element, item)) = right.next() else { break };
        out.push(merge(identity.place.items(), in_old.get(element).copied(), item));
        if shared.peek() == Some(&element) {
            shared.next();
        }
    }
    out
}

/// Takes the members of `gone` out of a value.
pub(super) fn remove(place: Place<'_>, value: &mut Value, gone: &FieldSet) {
    match value {
        Value::Object(fields) if !place.atomic_object() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let Some(branch) = gone.below.get(&Element::Field(name.clone())) else { continue };
                if branch.here {
                    fields.shift_remove(&name);
                } else if let Some(inner) = fields.get_mut(&name) {
                    remove(place.field(&name), inner, branch);
                }
            }
        }
        Value::Array(items) => {
            let Some(identity) = Identity::of(place) else { return };
            let branch = |item: &Value| gone.below.get(&identity.element(item));
            items.retain(|item| !branch(item).is_some_and(|branch| branch.here));
            for item in items {
                if let Some(branch) = branch(item) {
                    remove(place.items(), item, branch);
                }
            }
        }
        _ => {}
    }
}
