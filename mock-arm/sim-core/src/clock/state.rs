//! What a clock knows, behind one lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Mode;
use crate::timers::{Nanos, TimerKey, Timers};

/// A process elsewhere that lives by this clock.
#[derive(Debug, Default)]
pub(super) struct Remote {
    /// Its next deadline, if it sleeps.
    pub(super) next: Option<Nanos>,
    /// Whether it must answer before the world is quiet.
    pub(super) awaited: Option<u64>,
    /// Whether it said that it is at work.
    pub(super) busy: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) mode: Mode,
    pub(super) world: Nanos,
    pub(super) anchor: Instant,
    pub(super) timers: Timers,
    pub(super) busy: u64,
    /// Grows with every guard and timer taken: tells quiet from a pause between two steps.
    pub(super) activity: u64,
    /// Grows with every jump or change of mode.
    pub(super) version: u64,
    pub(super) remotes: BTreeMap<u64, Remote>,
    pub(super) next_remote: u64,
    /// How many exchanges were held back on purpose.
    pub(super) stalls: u64,
}

impl State {
    pub(super) fn now(&self) -> Nanos {
        match self.mode.speed() {
            None => self.world,
            Some(speed) => self.world.saturating_add(scale(self.anchor.elapsed(), speed)),
        }
    }

    pub(super) fn anchor_at(&mut self, world: Nanos) {
        self.world = world;
        self.anchor = wall_instant();
        self.version += 1;
    }

    pub(super) fn earliest(&self) -> Option<Nanos> {
        let remotes = self.remotes.values().filter_map(|remote| remote.next);
        self.timers.earliest().into_iter().chain(remotes).min()
    }

    pub(super) fn idle(&self) -> bool {
        self.busy == 0 && self.remotes.values().all(|remote| remote.awaited.is_none() && !remote.busy)
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: Mutex<State>,
    /// Announces `State::version`.
    pub(super) changed: watch::Sender<u64>,
    /// Announces `State::activity`.
    pub(super) activity: watch::Sender<u64>,
    pub(super) advancing: tokio::sync::Mutex<()>,
}

/// Held while work goes on that must end before world time moves on.
#[derive(Debug)]
pub struct Busy(pub(super) Arc<Inner>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        self.0.touch(&mut state);
    }
}

/// Removes a timer whose sleeper went away.
pub(super) struct Registered<'a>(pub(super) &'a Inner, pub(super) TimerKey);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.0.lock().timers.remove(self.1);
    }
}

impl Inner {
    pub(super) fn new(mode: Mode, start: Timestamp) -> Self {
        let state = State {
            mode,
            world: nanos(start),
            anchor: wall_instant(),
            timers: Timers::default(),
            busy: 0,
            activity: 0,
            version: 1,
            remotes: BTreeMap::new(),
            next_remote: 0,
            stalls: 0,
        };
        Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(1),
            activity: watch::Sender::new(0),
            advancing: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn touch(&self, state: &mut State) {
        state.activity += 1;
        // Waking nobody costs more than asking whether there is anybody. Who subscribes later reads the state under the lock that is
        // held here, so nothing is missed.
        if self.activity.receiver_count() > 0 {
            self.activity.send_replace(state.activity);
        }
    }

    pub(super) fn announce(&self, state: &State) {
        self.changed.send_replace(state.version);
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock is where wall time comes from")]
pub(super) fn wall_now() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "the clock is where wall time comes from")]
pub(super) fn wall_instant() -> Instant {
    Instant::now()
}

pub(super) fn nanos(time: Timestamp) -> Nanos {
    Nanos::try_from(time.as_nanosecond()).unwrap_or(if time < Timestamp::UNIX_EPOCH {
        i64::MIN
    } else {
        i64::MAX
    })
}

pub(super) fn timestamp(nanos: Nanos) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is wanted")]
pub(super) fn scale(wall: Duration, speed: f64) -> Nanos {
    (wall.as_secs_f64() * speed * 1e9) as Nanos
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sleep need not be exact to the nanosecond; it is checked after"
)]
pub(super) fn unscale(world: Nanos, speed: f64) -> Duration {
    Duration::try_from_secs_f64(world.max(0) as f64 / 1e9 / speed).unwrap_or(Duration::from_secs(3600))
}
