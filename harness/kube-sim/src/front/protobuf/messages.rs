//! The messages of the built-in kinds, as data.
//!
//! `messages.txt` states one message per line: its name, then its fields as `number:name:shape`. A name of `-` means that
//! JSON has the fields of that message in its place; `?` behind a name means that JSON keeps a zero. Shapes: `s` text,
//! `y` bytes, `i` integer, `b` bool, `f` float, `!Name` a type with a JSON form of its own, anything else the name of a
//! message; in front of them `*` for lists and `%` for maps. Source: field tags of the Go types of Kubernetes v1.34.

use std::collections::HashMap;

use super::special::Special;

const TABLE: &str = include_str!("messages.txt");

/// How often a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Once,
    List,
    Map,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Bytes,
    Integer,
    Bool,
    Float,
    Message(&'static str),
    Special(Special),
}

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) inline: bool,
    pub(super) keeps_zero: bool,
    pub(super) repeat: Repeat,
    pub(super) shape: Shape,
}

/// The messages by name.
#[derive(Debug)]
pub(crate) struct Messages(HashMap<&'static str, Vec<Field>>);

impl Messages {
    /// Reads the table.
    pub(crate) fn read() -> Self {
        let message = |line: &'static str| {
            let (name, fields) = line.split_once(' ')?;
            Some((name, fields.split(' ').filter_map(field).collect()))
        };
        Self(TABLE.lines().filter_map(message).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&[Field]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The message of a kind: `apps.Deployment`, `core.Pod`, `autoscaling/v2.HorizontalPodAutoscaler`.
    pub(super) fn name_of(api_version: &str, kind: &str) -> String {
        if kind == "DeleteOptions" {
            return "meta.DeleteOptions".into();
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
        let group = group.split('.').next().unwrap_or_default();
        if version == "v1" { format!("{group}.{kind}") } else { format!("{group}/{version}.{kind}") }
    }
}

fn field(text: &'static str) -> Option<Field> {
    let mut parts = text.splitn(3, ':');
    let (number, name, shape) = (parts.next()?, parts.next()?, parts.next()?);
    let (repeat, shape) = match (shape.strip_prefix('*'), shape.strip_prefix('%')) {
        (Some(rest), _) => (Repeat::List, rest),
        (_, Some(rest)) => (Repeat::Map, rest),
        _ => (Repeat::Once, shape),
    };
    let shape = match shape {
        "s" => Shape::Text,
        "y" => Shape::Bytes,
        "i" => Shape::Integer,
        "b" => Shape::Bool,
        "f" => Shape::Float,
        other => match other.strip_prefix('!') {
            Some(special) => Shape::Special(Special::named(special)?),
            None => Shape::Message(other),
        },
    };
    Some(Field {
        number: number.parse().ok()?,
        name: name.trim_end_matches('?').to_owned(),
        inline: name == "-",
        keeps_zero: name.ends_with('?'),
        repeat,
        shape,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn every_line_is_read_and_every_kind_is_there() {
        let messages = Messages::read();
        let stated: usize = TABLE.lines().map(|line| line.split(' ').count() - 1).sum();
        assert_eq!(messages.0.values().map(Vec::len).sum::<usize>(), stated);
        for kind in Registry::builtin().all() {
            let name = Messages::name_of(&kind.api_version(), &kind.kind);
            assert!(messages.get(&name).is_some(), "{name}");
        }
    }
}
