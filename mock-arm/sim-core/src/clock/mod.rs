//! The only source of time.
//!
//! Two time bases, never mixed. *World time* is what resources, operations, schedules and Kubernetes objects live by;
//! how it moves is the clock's [`Mode`]. *Wall time* is real: TLS validity, token lifetimes, waiting for sockets.
//!
//! [`Clock::advance`] moves world time through every deadline on the way, in order, and waits after each until
//! everybody who was woken has gone quiet. A sleeper that wakes holds a [`Busy`] guard for as long as it keeps what
//! [`Clock::sleep`] returned; servers hold one per request. Quiet means that no guard is held and that none was taken
//! for a moment. Processes elsewhere take part through [`crate::clock_link`].

mod advance;
mod remote;
mod stall;
mod state;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use self::stall::Resting;
pub use self::state::Busy;
use self::state::{Inner, Registered, nanos, timestamp, unscale, wall_instant, wall_now};

/// How world time moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Mode {
    /// As fast as wall time.
    Real,
    /// `speed` times as fast as wall time.
    Scaled {
        /// World seconds per wall second; positive and finite.
        speed: f64,
    },
    /// Stands still, and jumps to where a foreground waiter wants to be ([`Clock::foreground_sleep`]).
    Instant,
    /// Stands still; only [`Clock::advance`] moves it.
    Manual,
}

impl Mode {
    /// World seconds per wall second; `None` for a clock that stands still.
    #[must_use]
    pub fn speed(self) -> Option<f64> {
        match self {
            Self::Real => Some(1.0),
            Self::Scaled { speed } => Some(speed),
            Self::Instant | Self::Manual => None,
        }
    }
}

/// What became of a wait with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out after {0:?}")]
pub struct Elapsed(pub Duration);

/// A snapshot of the clock, as the control interface shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// The world's time.
    pub now: Timestamp,
    /// How it moves.
    #[serde(flatten)]
    pub mode: Mode,
}

/// What [`Clock::advance`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advanced {
    /// How many deadlines were stepped through.
    pub steps: u64,
    /// False when somebody was still busy after the limit; what they do comes late then.
    pub quiet: bool,
}

/// A world's clock. Cheap to clone; clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

impl Clock {
    /// A clock that shows `start` now.
    #[must_use]
    pub fn new(mode: Mode, start: Timestamp) -> Self {
        Self(Arc::new(Inner::new(mode, start)))
    }

    /// A clock that starts at the present and runs at `speed`, or really when `speed` is 1.
    #[must_use]
    pub fn running(speed: f64) -> Self {
        let mode = if (speed - 1.0).abs() < f64::EPSILON { Mode::Real } else { Mode::Scaled { speed } };
        Self::new(mode, wall_now())
    }

    /// World time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        timestamp(self.0.lock().now())
    }

    /// Wall time.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        wall_now()
    }

    /// How world time moves at present.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.lock().mode
    }

    /// World time and mode together.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let state = self.0.lock();
        Reading { now: timestamp(state.now()), mode: state.mode }
    }

    /// Changes how world time moves from now on.
    pub fn set_mode(&self, mode: Mode) {
        let mut state = self.0.lock();
        let now = state.now();
        state.mode = mode;
        state.anchor_at(now);
        self.0.announce(&state);
    }

    /// The wall time that a span of world time takes, at least one second: what `Retry-After` says. A clock that
    /// stands still says one second.
    #[must_use]
    pub fn retry_after(&self, span: Duration) -> Duration {
        self.wall_span(span).unwrap_or_default().max(Duration::from_secs(1))
    }

    /// The wall time that a span of world time takes; `None` when the clock stands still.
    #[must_use]
    pub fn wall_span(&self, span: Duration) -> Option<Duration> {
        self.mode()
            .speed()
            .map(|speed| Duration::try_from_secs_f64(span.as_secs_f64() / speed).unwrap_or(Duration::MAX))
    }

    /// Says that work goes on until the guard is dropped.
    #[must_use]
    pub fn busy(&self) -> Busy {
        let mut state = self.0.lock();
        state.busy += 1;
        self.0.touch(&mut state);
        Busy(self.0.clone())
    }

    /// Sleeps for a span of world time. Keep the guard while doing what the sleep was for, so that a clock that is
    /// being advanced waits for it.
    pub async fn sleep(&self, span: Duration) -> Busy {
        self.sleep_until(later(self.now(), span)).await
    }

    /// Sleeps until a moment of world time; see [`Clock::sleep`].
    pub async fn sleep_until(&self, deadline: Timestamp) -> Busy {
        let deadline = nanos(deadline);
        let mut changed = self.0.changed.subscribe();
        let (timer, mut fired) = {
            let mut state = self.0.lock();
            if state.now() >= deadline {
                drop(state);
                return self.busy();
            }
            let registered = state.timers.add(deadline);
            self.0.touch(&mut state);
            registered
        };
        let _registered = Registered(&self.0, timer);
        loop {
            let wait = {
                let state = self.0.lock();
                let left = deadline.saturating_sub(state.now());
                state.mode.speed().map(|speed| unscale(left, speed))
            };
            tokio::select! {
                biased;
                woken = &mut fired => return woken.unwrap_or_else(|_| self.busy()),
                _ = changed.changed() => {}
                () = maybe_sleep(wait) => {
                    if self.0.lock().now() >= deadline {
                        return self.busy();
                    }
                }
            }
        }
    }

    /// As [`Clock::sleep`], on behalf of somebody who waits in the foreground: in [`Mode::Instant`] this is what moves
    /// the clock. Call it without holding a [`Busy`] guard.
    pub async fn foreground_sleep(&self, span: Duration) {
        let deadline = later(self.now(), span);
        if self.mode() == Mode::Instant {
            self.advance_until(deadline).await;
        } else {
            drop(self.sleep_until(deadline).await);
        }
    }

    /// Waits for `future` for a span of world time at most.
    ///
    /// # Errors
    /// [`Elapsed`] when the span is over first.
    pub async fn timeout<T>(&self, span: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::select! {
            biased;
            value = future => Ok(value),
            _ = self.sleep(span) => Err(Elapsed(span)),
        }
    }

    /// Sleeps for a span of wall time: for sockets, processes and people, never for what is simulated.
    #[expect(clippy::disallowed_methods, reason = "the clock is where wall time comes from")]
    pub async fn wall_sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Waits for `future` for a span of wall time at most.
    ///
    /// # Errors
    /// [`Elapsed`] when the span is over first.
    #[expect(clippy::disallowed_methods, reason = "the clock is where wall time comes from")]
    pub async fn wall_timeout<T>(
        &self,
        span: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        tokio::time::timeout(span, future).await.map_err(|_| Elapsed(span))
    }

    /// Starts measuring wall time.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(wall_instant())
    }
}

/// Measures wall time from where it was started.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Wall time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// `time` plus `span`, at the end of representable time at most.
#[must_use]
pub fn later(time: Timestamp, span: Duration) -> Timestamp {
    timestamp(nanos(time).saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

/// How much later `end` is than `start`; zero if it is not.
#[must_use]
pub fn span_between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(nanos(end).saturating_sub(nanos(start))).unwrap_or(0))
}

async fn maybe_sleep(wait: Option<Duration>) {
    #[expect(clippy::disallowed_methods, reason = "the clock is where wall time comes from")]
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
