//! How long the driver waits between two looks at something.

use std::time::Duration;

use jiff::Timestamp;
use sim_core::clock::{Clock, Mode, Stopwatch, later};

/// The shortest pause between two looks, in wall time.
const SHORTEST: Duration = Duration::from_millis(25);
/// The pause while somebody else moves the clock, in wall time.
const BY_HAND: Duration = Duration::from_millis(100);

/// How long a limit is in wall time at least, while world time runs by itself.
const LEAST_LIMIT: Duration = Duration::from_secs(20);

/// The same two for a real cluster, whose pods take their own time and whose API server has work to do.
const REAL_LIMIT: Duration = Duration::from_secs(240);
const REAL_PAUSE: Duration = Duration::from_millis(150);

/// Waits as a client does, and moves an instant clock by doing so.
#[derive(Debug, Clone)]
pub struct Pace {
    clock: Clock,
    shortest: Duration,
    least_limit: Duration,
}

impl Pace {
    /// Pauses by this clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, shortest: SHORTEST, least_limit: LEAST_LIMIT }
    }

    /// The same towards a real cluster: its kubelets probe, pull and restart by wall time, however fast the world runs.
    #[must_use]
    pub fn of_real_cluster(self) -> Self {
        Self { shortest: REAL_PAUSE, least_limit: REAL_LIMIT, ..self }
    }

    /// A limit that begins now.
    #[must_use]
    pub fn limit(&self, span: Duration) -> Limit {
        Limit {
            at: later(self.clock.now(), span),
            least: span.min(self.least_limit),
            begun: self.clock.stopwatch(),
            clock: self.clock.clone(),
        }
    }

    /// A pause that a server asked for (`Retry-After`): wall time. With an instant clock, which knows no wall time, the
    /// pause is `usual` of world time instead.
    pub async fn asked(&self, wall: Duration, usual: Duration) {
        match self.clock.mode() {
            Mode::Instant => self.clock.foreground_sleep(usual).await,
            Mode::Real | Mode::Scaled { .. } | Mode::Manual => self.clock.wall_sleep(wall).await,
        }
    }

    /// A pause of the client's own choice: world time, but never too short in wall time. With a clock that is moved by
    /// hand it is a moment of wall time, after which somebody may have moved it.
    pub async fn world(&self, span: Duration) {
        match self.clock.mode() {
            Mode::Instant => self.clock.foreground_sleep(span).await,
            Mode::Manual => self.clock.wall_sleep(BY_HAND).await,
            Mode::Real | Mode::Scaled { .. } => {
                let wall = self.clock.wall_span(span).unwrap_or_default().max(self.shortest);
                self.clock.wall_sleep(wall).await;
            }
        }
    }
}

impl Pace {
    /// Waits for an answer, for `limit` at most; `None` when it did not come. The limit is of world time, and of 20 seconds
    /// of wall time at least while that runs by itself. An instant clock, which nobody else moves, moves on when the answer
    /// is held back on purpose.
    pub async fn answer<T>(&self, limit: Duration, answer: impl Future<Output = T>) -> Option<T> {
        let before = self.clock.stalls();
        tokio::pin!(answer);
        match self.clock.mode() {
            Mode::Instant => {
                tokio::select! {
                    biased;
                    value = &mut answer => return Some(value),
                    () = self.clock.stalled(before) => {}
                }
                tokio::select! {
                    biased;
                    value = &mut answer => Some(value),
                    () = self.clock.foreground_sleep(limit) => None,
                }
            }
            Mode::Manual => {
                tokio::select! {
                    biased;
                    value = &mut answer => Some(value),
                    _ = self.clock.sleep(limit) => None,
                }
            }
            Mode::Real | Mode::Scaled { .. } => {
                let wall = self.clock.wall_span(limit).unwrap_or(limit).max(self.least_limit.min(limit));
                self.clock.wall_timeout(wall, answer).await.ok()
            }
        }
    }
}

/// A limit in world time. While world time runs by itself, faster than wall time, the limit is also 20 seconds of wall time
/// at least, 240 towards a real cluster (or as long as it says, if that is less): programs that are really at work are not faster for the world's haste.
#[derive(Debug, Clone)]
pub struct Limit {
    at: Timestamp,
    least: Duration,
    begun: Stopwatch,
    clock: Clock,
}

impl Limit {
    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let runs = matches!(self.clock.mode(), Mode::Real | Mode::Scaled { .. });
        self.clock.now() >= self.at && (!runs || self.begun.elapsed() >= self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_limit_is_of_world_time_but_not_too_short_in_wall_time_while_that_runs() {
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let limit = Pace::new(clock.clone()).limit(Duration::from_secs(1200));
        clock.advance(Duration::from_secs(1199)).await;
        assert!(!limit.is_over());
        clock.advance(Duration::from_secs(1)).await;
        assert!(limit.is_over());
        clock.set_mode(Mode::Scaled { speed: 100_000.0 });
        assert!(!limit.is_over());
    }

    #[tokio::test]
    async fn an_answer_that_is_held_back_is_waited_for_in_world_time_and_not_for_ever() {
        let clock = Clock::new(Mode::Instant, Timestamp::UNIX_EPOCH);
        let pace = Pace::new(clock.clone());
        assert_eq!(pace.answer(Duration::from_secs(300), async { 1 }).await, Some(1));
        let late = async {
            clock.note_stall();
            drop(clock.sleep(Duration::from_secs(60)).await);
            2
        };
        assert_eq!(pace.answer(Duration::from_secs(300), late).await, Some(2));
        assert_eq!(clock.now().as_second(), 60);
        let never = async {
            clock.note_stall();
            std::future::pending::<u8>().await
        };
        assert_eq!(pace.answer(Duration::from_secs(300), never).await, None);
        assert_eq!(clock.now().as_second(), 360);
    }

    #[tokio::test]
    async fn a_pause_moves_an_instant_clock() {
        let clock = Clock::new(Mode::Instant, Timestamp::UNIX_EPOCH);
        let pace = Pace::new(clock.clone());
        pace.world(Duration::from_secs(10)).await;
        pace.asked(Duration::from_secs(1), Duration::from_secs(5)).await;
        assert_eq!(clock.now().as_second(), 15);
    }
}
