//! Sets of fields, and their form on the wire (`FieldsV1`).
//!
//! Source: the structured merge and diff form of `managedFields`: `f:NAME` is a field, `k:{…}` an item of a list by its
//! keys, `v:…` an item of a set by its value, and `.` says that the place itself is a member.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// A field of an object.
    Field(String),
    /// An item of a list, by its keys: names sorted, values as JSON text.
    Key(Vec<(String, String)>),
    /// An item of a set, as JSON text.
    Item(String),
    /// An item of a list, by its index. Only found in what clients send.
    Index(u64),
}

impl Element {
    /// The keys of a list item; those it leaves out have the default given, or are left out too.
    pub(crate) fn key<'a>(
        item: &Value,
        keys: impl IntoIterator<Item = (&'a str, Option<&'a Value>)>,
    ) -> Self {
        let mut pairs: Vec<(String, String)> = keys
            .into_iter()
            .filter_map(|(key, default)| {
                let value = item.get(key).filter(|value| !value.is_null()).or(default)?;
                Some((key.to_owned(), value.to_string()))
            })
            .collect();
        pairs.sort();
        Self::Key(pairs)
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "v" => {
                let value: Value = serde_json::from_str(rest).ok()?;
                Some(Self::Item(value.to_string()))
            }
            "i" => rest.parse().ok().map(Self::Index),
            "k" => {
                let object: Map<String, Value> = serde_json::from_str(rest).ok()?;
                let mut pairs: Vec<_> =
                    object.into_iter().map(|(name, value)| (name, value.to_string())).collect();
                pairs.sort();
                Some(Self::Key(pairs))
            }
            _ => None,
        }
    }

    fn wire(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Item(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
            Self::Key(pairs) => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
                format!("k:{{{}}}", pairs.join(","))
            }
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Item(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(pairs) => {
                let pairs: Vec<String> =
                    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", pairs.join(","))
            }
        }
    }
}

/// A set of paths. Empty branches are never kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    /// Whether this place itself is a member.
    pub(crate) here: bool,
    /// What lies below.
    pub(crate) below: BTreeMap<Element, FieldSet>,
}

impl FieldSet {
    /// A set of this place alone.
    pub(crate) fn leaf() -> Self {
        Self { here: true, below: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.here && self.below.is_empty()
    }

    /// Adds a branch, unless it is empty.
    pub(crate) fn add(&mut self, element: Element, branch: Self) {
        if branch.is_empty() {
            return;
        }
        match self.below.get_mut(&element) {
            Some(present) => *present = present.union(&branch),
            None => drop(self.below.insert(element, branch)),
        }
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.here |= other.here;
        for (element, branch) in &other.below {
            all.add(element.clone(), branch.clone());
        }
        all
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut rest = Self { here: self.here && !other.here, below: BTreeMap::new() };
        for (element, branch) in &self.below {
            let branch = match other.below.get(element) {
                Some(gone) => branch.difference(gone),
                None => branch.clone(),
            };
            rest.add(element.clone(), branch);
        }
        rest
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut both = Self { here: self.here && other.here, below: BTreeMap::new() };
        for (element, branch) in &self.below {
            if let Some(present) = other.below.get(element) {
                both.add(element.clone(), branch.intersection(present));
            }
        }
        both
    }

    /// The same set with every object field on the way as a member.
    pub(crate) fn with_named_fields(&self) -> Self {
        let mut all = Self { here: self.here, below: BTreeMap::new() };
        for (element, branch) in &self.below {
            let mut branch = branch.with_named_fields();
            branch.here |= matches!(element, Element::Field(_));
            all.add(element.clone(), branch);
        }
        all
    }

    /// Takes single paths of fields out.
    pub(crate) fn without(mut self, paths: &[&[&str]]) -> Self {
        for path in paths {
            self.remove(path);
        }
        self
    }

    fn remove(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            self.here = false;
            return;
        };
        let element = Element::Field((*first).to_owned());
        if let Some(branch) = self.below.get_mut(&element) {
            branch.remove(rest);
            if branch.is_empty() {
                self.below.remove(&element);
            }
        }
    }

    /// Every member's path, as conflicts name it: `.spec.replicas`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, path: &str, paths: &mut Vec<String>) {
        if self.here {
            paths.push(path.to_owned());
        }
        for (element, branch) in &self.below {
            branch.collect(&format!("{path}{element}"), paths);
        }
    }

    /// Reads `FieldsV1`; steps that are not understood are passed over.
    pub(crate) fn parse(fields: &Value) -> Self {
        let mut set = Self::default();
        let Some(fields) = fields.as_object() else { return set };
        for (step, inner) in fields {
            if step == "." {
                set.here = true;
                continue;
            }
            let Some(element) = Element::parse(step) else { continue };
            let mut branch = Self::parse(inner);
            if inner.as_object().is_none_or(Map::is_empty) {
                branch.here = true;
            }
            set.add(element, branch);
        }
        set
    }

    /// Writes `FieldsV1`.
    pub(crate) fn wire(&self) -> Value {
        let mut fields = Map::new();
        if self.here && !self.below.is_empty() {
            fields.insert(".".into(), json!({}));
        }
        for (element, branch) in &self.below {
            fields.insert(element.wire(), branch.wire());
        }
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_survives_reading_and_writing() {
        let wire = json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"a/b\"": {}}, "f:labels": {"f:app": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}, "f:type": {}},
        });
        let set = FieldSet::parse(&wire);
        assert_eq!(set.wire(), wire);
        assert_eq!(
            set.paths(),
            [
                ".metadata.finalizers",
                ".metadata.finalizers[=\"a/b\"]",
                ".metadata.labels.app",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
                ".spec.type",
            ]
        );
    }

    #[test]
    fn sets_do_arithmetic() {
        let one = FieldSet::parse(&json!({"f:a": {"f:b": {}, "f:c": {}}}));
        let two = FieldSet::parse(&json!({"f:a": {"f:c": {}, "f:d": {}}}));
        assert_eq!(one.union(&two).wire(), json!({"f:a": {"f:b": {}, "f:c": {}, "f:d": {}}}));
        assert_eq!(one.difference(&two).wire(), json!({"f:a": {"f:b": {}}}));
        assert_eq!(one.intersection(&two).wire(), json!({"f:a": {"f:c": {}}}));
        assert!(one.difference(&one).is_empty());
        assert_eq!(one.with_named_fields().wire()["f:a"]["."], json!({}));
    }
}
