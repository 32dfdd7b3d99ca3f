//! An event about to be recorded.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

/// Room for the facts of a request, so that they take one allocation.
const ROOM: usize = 416;

/// An event about to be recorded by [`super::Journal::record`].
#[derive(Debug, Clone)]
#[must_use = "an entry is recorded by Journal::record"]
pub struct Entry {
    pub(super) actor: Cow<'static, str>,
    pub(super) kind: Cow<'static, str>,
    pub(super) correlation: Option<Box<str>>,
    pub(super) committed: Option<bool>,
    pub(super) delivered: Option<bool>,
    pub(super) took: Option<Duration>,
    /// The members of a JSON object, without its braces.
    facts: Vec<u8>,
}

impl Entry {
    /// An entry by `actor` of the given kind.
    pub fn new(actor: impl Into<Cow<'static, str>>, kind: impl Into<Cow<'static, str>>) -> Self {
        Self {
            actor: actor.into(),
            kind: kind.into(),
            correlation: None,
            committed: None,
            delivered: None,
            took: None,
            facts: Vec::new(),
        }
    }

    /// Adds a detail. One that has no JSON form (a map with keys that are no text) is left out; of two with one name
    /// the later counts.
    pub fn fact(mut self, name: &str, value: impl Serialize) -> Self {
        if self.facts.capacity() == 0 {
            self.facts.reserve(ROOM);
        }
        let start = self.facts.len();
        if start > 0 {
            self.facts.push(b',');
        }
        let written = serde_json::to_writer(&mut self.facts, name).and_then(|()| {
            self.facts.push(b':');
            serde_json::to_writer(&mut self.facts, &value)
        });
        if written.is_err() {
            self.facts.truncate(start);
        }
        self
    }

    /// Sets the correlation id.
    pub fn correlation(mut self, id: impl Into<Box<str>>) -> Self {
        self.correlation = Some(id.into());
        self
    }

    /// Says whether an effect was committed.
    pub fn committed(mut self, committed: bool) -> Self {
        self.committed = Some(committed);
        self
    }

    /// Says whether the answer was delivered.
    pub fn delivered(mut self, delivered: bool) -> Self {
        self.delivered = Some(delivered);
        self
    }

    /// Says how long it took, in wall time.
    pub fn took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// The details, as readers want them.
    pub(super) fn facts(&self) -> Map<String, Value> {
        let mut text = Vec::with_capacity(self.facts.len() + 2);
        text.push(b'{');
        text.extend_from_slice(&self.facts);
        text.push(b'}');
        // Every member was written by a JSON writer.
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn facts_come_back_as_they_were_given() {
        let entry = Entry::new("arm", "request")
            .fact("path", "/a \"quoted\" path\n")
            .fact("status", 201)
            .fact("body", json!({"a": [1, 2.5, null]}))
            .fact("impossible", std::collections::HashMap::from([(vec![1], 1)]))
            .fact("status", 202);
        let expected = json!({"path": "/a \"quoted\" path\n", "status": 202, "body": {"a": [1, 2.5, null]}});
        assert_eq!(Value::Object(entry.facts()), expected);
        assert!(Entry::new("arm", "request").facts().is_empty());
    }
}
