//! What happened in a world: the record that tests assert on and that users attach to reports.
//!
//! An event has the world's time, the actor, and the actor's own sequence number, which together give the canonical
//! order. It says apart whether an effect was committed and whether its answer was delivered. It never holds a key, a
//! signature, a token or a secret: callers name key labels and ids only.

mod entry;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;

pub use self::entry::Entry;
use crate::clock::Clock;

/// How many events are kept; older ones are dropped and counted.
const LIMIT: usize = 25_000;

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Position in this journal, from 1.
    pub seq: u64,
    /// The world's time.
    pub time: Timestamp,
    /// Who did it: `arm`, `entra`, `data-plane`, `gateway`, `faults`, …
    pub actor: String,
    /// The actor's own count, from 1.
    pub actor_seq: u64,
    /// What kind of thing: `request`, `operation`, `fault`, `unrouted`, …
    pub kind: String,
    /// Joins events of one request or one onboarding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// Whether an effect was committed; absent when none was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<bool>,
    /// Whether the answer reached the caller; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
    /// How long it took, in microseconds of wall time: the one member that differs between two runs of one seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_micros: Option<u64>,
    /// Details: method, host, path, status, …
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub facts: Map<String, Value>,
}

/// Which events a reader wants. The default wants all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Only events behind this position.
    pub after: u64,
    /// Only events whose actor starts so.
    pub actor: Option<String>,
    /// Only events of this kind.
    pub kind: Option<String>,
    /// Only events of which some fact's text contains this.
    pub text: Option<String>,
}

impl Filter {
    /// Whether `event` is wanted.
    #[must_use]
    pub fn accepts(&self, event: &Event) -> bool {
        event.seq > self.after
            && self.actor.as_ref().is_none_or(|actor| event.actor.starts_with(actor.as_str()))
            && self.kind.as_ref().is_none_or(|kind| event.kind == *kind)
            && self.text.as_ref().is_none_or(|text| {
                event.facts.values().any(|fact| match fact {
                    Value::String(fact) => fact.contains(text.as_str()),
                    other => other.to_string().contains(text.as_str()),
                })
            })
    }
}

/// An event as it is held: every request makes one and few are read, so it is spelled out by who reads it.
#[derive(Debug)]
struct Held {
    seq: u64,
    time: Timestamp,
    actor_seq: u64,
    entry: Entry,
}

impl Held {
    fn event(&self) -> Event {
        Event {
            seq: self.seq,
            time: self.time,
            actor: self.entry.actor.to_string(),
            actor_seq: self.actor_seq,
            kind: self.entry.kind.to_string(),
            correlation: self.entry.correlation.as_deref().map(str::to_owned),
            committed: self.entry.committed,
            delivered: self.entry.delivered,
            took_micros: self.entry.took.and_then(|took| u64::try_from(took.as_micros()).ok()),
            facts: self.entry.facts(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    seq: u64,
    by_actor: HashMap<Cow<'static, str>, u64>,
    events: VecDeque<Held>,
}

/// The journal of one world. Cheap to clone; clones share the events.
#[derive(Debug, Clone)]
pub struct Journal {
    clock: Clock,
    state: Arc<Mutex<State>>,
    head: Arc<watch::Sender<u64>>,
}

impl Journal {
    /// An empty journal that stamps events with `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default(), head: Arc::new(watch::Sender::new(0)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an entry now and returns its position.
    pub fn record(&self, entry: Entry) -> u64 {
        let time = self.clock.now();
        let mut state = self.lock();
        state.seq += 1;
        let seq = state.seq;
        let actor_seq = match state.by_actor.get_mut(&entry.actor) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                state.by_actor.insert(entry.actor.clone(), 1);
                1
            }
        };
        state.events.push_back(Held { seq, time, actor_seq, entry });
        let oldest = if state.events.len() > LIMIT { state.events.pop_front() } else { None };
        drop(state);
        drop(oldest);
        if self.head.receiver_count() > 0 {
            self.head.send_replace(seq);
        }
        seq
    }

    /// The wanted events that are still held, oldest first.
    #[must_use]
    pub fn read(&self, filter: &Filter) -> Vec<Event> {
        let state = self.lock();
        let first = state.events.front().map_or(1, |held| held.seq);
        let skip = usize::try_from((filter.after + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        state.events.iter().skip(skip).map(Held::event).filter(|event| filter.accepts(event)).collect()
    }

    /// How many old events were dropped to stay within bounds.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let state = self.lock();
        state.seq - state.events.len() as u64
    }

    /// Waits until there is an event behind position `after`.
    pub async fn changed(&self, after: u64) {
        let mut head = self.head.subscribe();
        // Only subscribers are told, so what came before the subscription is looked up.
        while self.lock().seq <= after {
            // The sender lives as long as this journal.
            let _ = head.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Mode;

    #[tokio::test]
    async fn a_reader_is_woken_by_what_came_before_it_waited_and_by_what_comes_after() {
        let journal = Journal::new(Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH));
        journal.record(Entry::new("arm", "request"));
        journal.changed(0).await;
        let reader = journal.clone();
        let woken = tokio::spawn(async move { reader.changed(1).await });
        tokio::task::yield_now().await;
        assert!(!woken.is_finished());
        journal.record(Entry::new("arm", "request"));
        woken.await.unwrap();
    }

    #[test]
    fn events_are_counted_by_actor_and_filtered() {
        let journal = Journal::new(Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH));
        journal.record(Entry::new("arm", "request").fact("path", "/a"));
        journal.record(Entry::new("gateway", "unrouted").fact("host", "example.com"));
        journal.record(Entry::new("arm", "request").fact("path", "/b").committed(true));
        let arm = journal.read(&Filter { actor: Some("arm".into()), ..Filter::default() });
        assert_eq!(arm.iter().map(|event| event.actor_seq).collect::<Vec<_>>(), [1, 2]);
        let text = Filter { text: Some("example".into()), ..Filter::default() };
        assert_eq!(journal.read(&text).len(), 1);
        assert_eq!(journal.read(&Filter { after: 2, ..Filter::default() }).len(), 1);
    }
}
