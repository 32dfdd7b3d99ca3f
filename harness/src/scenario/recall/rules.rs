//! Fault rules that were added and cleared, and where they struck.

use serde_json::{Map, Value};
use sim_core::journal::Event;

use super::done::{Action, Done};
use super::end::End;
use super::fact;
use super::requests::Request;

/// Where rules struck.
#[derive(Debug)]
pub(super) struct Struck<'a>(Vec<&'a Event>);

impl<'a> Struck<'a> {
    pub(super) fn of(events: &'a [Event]) -> Self {
        Self(events.iter().filter(|event| event.actor == "faults" && event.kind == "fault").collect())
    }

    /// Whether a rule struck a request before anybody had read it: the journal has the firing, and no caller.
    pub(super) fn at(&self, request: &Request<'_>) -> bool {
        let unread = request.event.facts.get("caller").is_none();
        unread
            && self.0.iter().any(|event| {
                event.seq < request.event.seq
                    && fact(event, "method") == request.method
                    && fact(event, "path") == request.path
            })
    }
}

/// Rules that came and went.
#[derive(Debug)]
pub(super) struct Rules;

impl Rules {
    /// Each rule that was added and has fired, and each that was then cleared. Ids of rules that were added again get a number.
    pub(super) fn of(events: &[Event]) -> Vec<Done> {
        let mut done: Vec<Done> = Vec::new();
        // Id in the world, id in the scenario, place in `done`.
        let mut there: Vec<(String, String, usize)> = Vec::new();
        for event in events {
            let id = fact(event, "rule");
            match (event.actor.as_str(), event.kind.as_str()) {
                ("control", "fault-added") => {
                    there.retain(|known| known.0 != id);
                    let own = free(id, &done);
                    let rule = named(event.facts.get("definition"), &own);
                    there.push((id.to_owned(), own.clone(), done.len()));
                    done.push(at(event, Action::Fault { id: own, rule, fired: 0 }));
                }
                ("faults", "fault") => {
                    let known = there.iter().find(|known| known.0 == id);
                    if let Some(Action::Fault { fired, .. }) =
                        known.and_then(|known| done.get_mut(known.2)).map(|one| &mut one.action)
                    {
                        *fired += 1;
                    }
                }
                ("control", "faults-cleared") => {
                    let gone = |known: &(String, String, usize)| id.is_empty() || known.0 == id;
                    for (_, own, _) in there.extract_if(.., |known| gone(known)) {
                        done.push(at(event, Action::Clear { id: own }));
                    }
                }
                _ => {}
            }
        }
        without_idle(done)
    }
}

fn at(event: &Event, action: Action) -> Done {
    Done { seq: event.seq, at: event.time, command: String::new(), action, end: End::Done }
}

/// Clearing a rule that never fired is as good as never having had it.
fn without_idle(mut done: Vec<Done>) -> Vec<Done> {
    let idle: Vec<String> = done
        .iter()
        .filter_map(|one| match &one.action {
            Action::Fault { id, fired: 0, .. } => Some(id.clone()),
            _ => None,
        })
        .collect();
    done.retain(|one| !matches!(&one.action, Action::Clear { id } if idle.contains(id)));
    done
}

fn free(id: &str, done: &[Done]) -> String {
    let taken =
        |name: &str| done.iter().any(|one| matches!(&one.action, Action::Fault { id, .. } if id == name));
    let mut names = std::iter::once(id.to_owned()).chain((2u64..).map(|number| format!("{id}-{number}")));
    names.find(|name| !taken(name)).unwrap_or_default()
}

/// A rule under this id; `null` where its text is not known.
pub(super) fn named(rule: Option<&Value>, id: &str) -> Value {
    let Some(Value::Object(rule)) = rule else { return Value::Null };
    let mut named: Map<String, Value> = [("id".to_owned(), Value::from(id))].into_iter().collect();
    for (name, value) in rule.iter().filter(|(name, _)| *name != "id") {
        let value = without_nulls(value);
        if value.as_object().is_none_or(|members| !members.is_empty()) && !value.is_null() {
            named.insert(name.clone(), value);
        }
    }
    Value::Object(named)
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|inner| !inner.is_empty()))
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        other => other.clone(),
    }
}
