//! What [`crate::clock_link`] needs of a clock: positions going out, reports coming in.

use tokio::sync::watch;

use super::state::Remote;
use super::{Busy, Clock, Mode};
use crate::timers::Nanos;

impl Clock {
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    pub(crate) fn subscribe_activity(&self) -> watch::Receiver<u64> {
        self.0.activity.subscribe()
    }

    /// Version, world time and speed.
    pub(crate) fn position(&self) -> (u64, Nanos, Option<f64>) {
        let state = self.0.lock();
        (state.version, state.now(), state.mode.speed())
    }

    /// This clock's own next deadline.
    pub(crate) fn next_deadline(&self) -> Option<Nanos> {
        self.0.lock().timers.earliest()
    }

    /// The next deadline of this clock and of everybody who follows it.
    #[cfg(test)]
    pub(crate) fn earliest(&self) -> Option<Nanos> {
        self.0.lock().earliest()
    }

    /// Whether nobody is known to be at work.
    pub(crate) fn idle(&self) -> bool {
        self.0.lock().idle()
    }

    /// Adds a remote, which counts as busy until it has parked for the first time.
    pub(crate) fn add_remote(&self) -> u64 {
        let mut state = self.0.lock();
        state.next_remote += 1;
        let id = state.next_remote;
        state.remotes.insert(id, Remote { busy: true, ..Remote::default() });
        self.0.touch(&mut state);
        id
    }

    /// A remote is at work.
    pub(crate) fn remote_busy(&self, id: u64) {
        let mut state = self.0.lock();
        if let Some(remote) = state.remotes.get_mut(&id) {
            remote.busy = true;
        }
        self.0.touch(&mut state);
    }

    pub(crate) fn remove_remote(&self, id: u64) {
        let mut state = self.0.lock();
        state.remotes.remove(&id);
        self.0.touch(&mut state);
    }

    /// A remote has dealt with everything up to `acked` and sleeps until `next`.
    pub(crate) fn parked(&self, id: u64, acked: u64, next: Option<Nanos>) {
        let mut state = self.0.lock();
        if let Some(remote) = state.remotes.get_mut(&id) {
            remote.next = next;
            remote.busy = false;
            if remote.awaited.is_some_and(|version| version <= acked) {
                remote.awaited = None;
            }
        }
        self.0.touch(&mut state);
    }

    /// Takes over the position of the clock that this one follows, and wakes who is due.
    pub(crate) fn follow(&self, world: Nanos, speed: Option<f64>) {
        let mut state = self.0.lock();
        state.mode = speed.map_or(Mode::Manual, |speed| Mode::Scaled { speed });
        state.anchor_at(world);
        let woken = state.timers.due(world);
        state.busy += woken.len() as u64;
        self.0.touch(&mut state);
        self.0.announce(&state);
        drop(state);
        for sleeper in woken {
            let _ = sleeper.send(Busy(self.0.clone()));
        }
    }
}
