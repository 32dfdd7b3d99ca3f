//! Objects that go by themselves: events an hour after they last happened.

use sim_core::ledger::Change;

use super::manager::{Controller, Next};
use super::objects::{after, time};
use super::store::Store;
use crate::status::Status;

/// How long an event is kept: the API server's default `--event-ttl`.
const EVENT_SECONDS: i64 = 3600;

/// Removes old events, as the real storage does by leases.
#[derive(Debug)]
pub(crate) struct Expiry {
    store: Store,
}

impl Expiry {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.named("kube-apiserver") }
    }
}

impl Controller for Expiry {
    fn name(&self) -> &'static str {
        "expiry"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        if *change.table == *self.store.kinds().events.table() {
            keys.push(change.key.to_string());
        }
    }

    fn reconcile(&mut self, key: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().events.clone();
        let Some(event) = self.store.get(&kind, key) else { return Ok(Next::Done) };
        let last =
            ["/lastTimestamp", "/series/lastObservedTime", "/eventTime", "/metadata/creationTimestamp"];
        let Some(last) = last.iter().find_map(|field| time(&event, field)) else { return Ok(Next::Done) };
        let due = after(last, EVENT_SECONDS);
        if due > self.store.now() {
            return Ok(Next::At(due));
        }
        self.store.delete(&kind, &event)?;
        Ok(Next::Done)
    }
}
