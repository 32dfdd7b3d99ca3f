//! The set of pending deadlines behind a [`crate::clock::Clock`], as plain data.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::clock::Busy;

/// World time in nanoseconds since the Unix epoch.
pub(crate) type Nanos = i64;

/// A pending sleep: its deadline and an id that makes it unique.
pub(crate) type TimerKey = (Nanos, u64);

/// Sleepers by deadline.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    next_id: u64,
    pending: BTreeMap<TimerKey, oneshot::Sender<Busy>>,
}

impl Timers {
    pub(crate) fn add(&mut self, deadline: Nanos) -> (TimerKey, oneshot::Receiver<Busy>) {
        self.next_id += 1;
        let key = (deadline, self.next_id);
        let (sender, receiver) = oneshot::channel();
        self.pending.insert(key, sender);
        (key, receiver)
    }

    pub(crate) fn remove(&mut self, key: TimerKey) {
        self.pending.remove(&key);
    }

    pub(crate) fn earliest(&self) -> Option<Nanos> {
        self.pending.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Takes out every sleeper that is due at `now`.
    pub(crate) fn due(&mut self, now: Nanos) -> Vec<oneshot::Sender<Busy>> {
        let later = self.pending.split_off(&(now.saturating_add(1), 0));
        std::mem::replace(&mut self.pending, later).into_values().collect()
    }
}
