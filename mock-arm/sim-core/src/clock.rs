//! The only source of time.
//!
//! Two time bases, never mixed. *World time* is what resources, operations, schedules and Kubernetes objects live by;
//! how it moves is the clock's [`Mode`]. *Wall time* is real: TLS validity, token lifetimes, waiting for sockets.
//!
//! [`Clock::advance`] moves world time through every deadline on the way, in order, and waits after each until
//! everybody who was woken has gone quiet. A sleeper that wakes holds a [`Busy`] guard for as long as it keeps what
//! [`Clock::sleep`] returned; servers hold one per request. Quiet means that no guard is held and that none was taken
//! for a moment. Processes elsewhere take part through [`crate::clock_link`].

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::timers::{Nanos, TimerKey, Timers};

/// How long nothing must happen before the world counts as quiet.
const SETTLE: Duration = Duration::from_millis(2);

/// How long [`Clock::quiet`] waits at most, in wall time.
const QUIET_LIMIT: Duration = Duration::from_secs(10);

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

/// A process elsewhere that lives by this clock.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    /// Its next deadline, if it sleeps.
    pub(crate) next: Option<Nanos>,
    /// Whether it must answer before the world is quiet.
    pub(crate) awaited: Option<u64>,
    /// Whether it said that it is at work.
    pub(crate) busy: bool,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    world: Nanos,
    anchor: Instant,
    timers: Timers,
    busy: u64,
    /// Grows with every guard and timer taken: tells quiet from a pause between two steps.
    activity: u64,
    /// Grows with every jump or change of mode.
    version: u64,
    remotes: BTreeMap<u64, Remote>,
    next_remote: u64,
}

impl State {
    fn now(&self) -> Nanos {
        match self.mode.speed() {
            None => self.world,
            Some(speed) => self.world.saturating_add(scale(self.anchor.elapsed(), speed)),
        }
    }

    fn anchor_at(&mut self, world: Nanos) {
        self.world = world;
        self.anchor = wall_instant();
        self.version += 1;
    }

    fn earliest(&self) -> Option<Nanos> {
        let remotes = self.remotes.values().filter_map(|remote| remote.next);
        self.timers.earliest().into_iter().chain(remotes).min()
    }

    fn idle(&self) -> bool {
        self.busy == 0 && self.remotes.values().all(|remote| remote.awaited.is_none() && !remote.busy)
    }
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Announces `State::version`.
    changed: watch::Sender<u64>,
    /// Announces `State::activity`.
    activity: watch::Sender<u64>,
    advancing: tokio::sync::Mutex<()>,
}

/// A world's clock. Cheap to clone; clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

/// Held while work goes on that must end before world time moves on.
#[derive(Debug)]
pub struct Busy(Arc<Inner>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        self.0.touch(&mut state);
    }
}

/// Removes a timer whose sleeper went away.
struct Registered<'a>(&'a Inner, TimerKey);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.0.lock().timers.remove(self.1);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, state: &mut State) {
        state.activity += 1;
        self.activity.send_replace(state.activity);
    }

    fn announce(&self, state: &State) {
        self.changed.send_replace(state.version);
    }
}

impl Clock {
    /// A clock that shows `start` now.
    #[must_use]
    pub fn new(mode: Mode, start: Timestamp) -> Self {
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
        };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            changed: watch::Sender::new(1),
            activity: watch::Sender::new(0),
            advancing: tokio::sync::Mutex::new(()),
        }))
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

    /// Moves world time forward by `span`, through every deadline on the way.
    pub async fn advance(&self, span: Duration) -> Advanced {
        self.advance_until(later(self.now(), span)).await
    }

    /// Moves world time forward to `target`, if that lies ahead; see [`Clock::advance`].
    pub async fn advance_until(&self, target: Timestamp) -> Advanced {
        let _one_at_a_time = self.0.advancing.lock().await;
        let target = nanos(target);
        let mut result = Advanced { steps: 0, quiet: self.quiet().await };
        loop {
            let Some(next) = self.step_towards(target) else { return result };
            result.steps += 1;
            result.quiet &= self.quiet().await;
            if next >= target {
                return result;
            }
        }
    }

    /// Steps to the next deadline, or to `target` if none comes before. `None` when `target` is past.
    fn step_towards(&self, target: Nanos) -> Option<Nanos> {
        let mut state = self.0.lock();
        let now = state.now();
        if now >= target {
            return None;
        }
        let next = state.earliest().map_or(target, |deadline| deadline.clamp(now, target));
        state.anchor_at(next);
        let version = state.version;
        for remote in state.remotes.values_mut().filter(|remote| remote.next.is_some_and(|due| due <= next)) {
            remote.next = None;
            remote.awaited = Some(version);
        }
        let woken = state.timers.due(next);
        state.busy += woken.len() as u64;
        self.0.announce(&state);
        drop(state);
        for sleeper in woken {
            // A sleeper that went away drops its guard here.
            let _ = sleeper.send(Busy(self.0.clone()));
        }
        Some(next)
    }

    /// Waits until nobody is busy and nothing has happened for a moment. False when that took too long.
    pub async fn quiet(&self) -> bool {
        let settled = async {
            let mut activity = self.0.activity.subscribe();
            loop {
                let before = {
                    activity.borrow_and_update();
                    let state = self.0.lock();
                    state.idle().then_some(state.activity)
                };
                match before {
                    None => {
                        // The sender lives as long as this clock.
                        let _ = activity.changed().await;
                    }
                    Some(before) => {
                        self.wall_sleep(SETTLE).await;
                        let state = self.0.lock();
                        if state.idle() && state.activity == before {
                            return;
                        }
                    }
                }
            }
        };
        self.wall_timeout(QUIET_LIMIT, settled).await.is_ok()
    }

    // What `clock_link` needs.

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

    /// Adds a remote; one that is `expected` counts as busy until it has parked for the first time.
    pub(crate) fn add_remote(&self, expected: bool) -> u64 {
        let mut state = self.0.lock();
        state.next_remote += 1;
        let id = state.next_remote;
        state.remotes.insert(id, Remote { busy: expected, ..Remote::default() });
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

#[expect(clippy::disallowed_methods, reason = "the clock is where wall time comes from")]
fn wall_now() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "the clock is where wall time comes from")]
fn wall_instant() -> Instant {
    Instant::now()
}

fn nanos(time: Timestamp) -> Nanos {
    Nanos::try_from(time.as_nanosecond()).unwrap_or(if time < Timestamp::UNIX_EPOCH {
        i64::MIN
    } else {
        i64::MAX
    })
}

fn timestamp(nanos: Nanos) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is wanted")]
fn scale(wall: Duration, speed: f64) -> Nanos {
    (wall.as_secs_f64() * speed * 1e9) as Nanos
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sleep need not be exact to the nanosecond; it is checked after"
)]
fn unscale(world: Nanos, speed: f64) -> Duration {
    Duration::try_from_secs_f64(world.max(0) as f64 / 1e9 / speed).unwrap_or(Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manual() -> Clock {
        Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn advance_steps_through_every_deadline_in_order() {
        let clock = manual();
        let ticker = clock.clone();
        let (sender, mut ticks) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let _busy = ticker.sleep(Duration::from_secs(300)).await;
                let _ = sender.send(ticker.now().as_second());
            }
        });
        let advanced = clock.advance(Duration::from_secs(1200)).await;
        assert!(advanced.quiet);
        let mut seen = Vec::new();
        while let Ok(tick) = ticks.try_recv() {
            seen.push(tick);
        }
        assert_eq!(seen, [300, 600, 900, 1200]);
        assert_eq!(clock.now().as_second(), 1200);
    }

    #[tokio::test]
    async fn instant_moves_only_for_a_foreground_waiter() {
        let clock = Clock::new(Mode::Instant, Timestamp::UNIX_EPOCH);
        let background = clock.clone();
        let slept = tokio::spawn(async move { drop(background.sleep(Duration::from_secs(60)).await) });
        assert!(clock.quiet().await);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.foreground_sleep(Duration::from_secs(90)).await;
        slept.await.unwrap();
        assert_eq!(clock.now().as_second(), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_faster_than_the_wall() {
        let clock = Clock::new(Mode::Scaled { speed: 60.0 }, Timestamp::UNIX_EPOCH);
        let watch = clock.stopwatch();
        drop(clock.sleep(Duration::from_secs(600)).await);
        assert_eq!(watch.elapsed().as_secs(), 10);
        assert_eq!(clock.retry_after(Duration::from_secs(15)), Duration::from_secs(1));
        clock.set_mode(Mode::Real);
        assert_eq!(clock.retry_after(Duration::from_secs(15)), Duration::from_secs(15));
    }

    #[tokio::test]
    async fn quiet_waits_for_work_in_progress() {
        let clock = manual();
        let busy = clock.busy();
        let waiter = clock.clone();
        let quiet = tokio::spawn(async move { waiter.quiet().await });
        tokio::task::yield_now().await;
        assert!(!quiet.is_finished());
        drop(busy);
        assert!(quiet.await.unwrap());
    }
}
