//! When an agent works and when it waits, as the world's clock sees it.

use std::time::Duration;

use jiff::Timestamp;
use sim_core::clock::{Busy, Clock};

/// Wall time that lies between two attempts at least, however fast the world runs: ten agents that retry every few
/// milliseconds would keep each other from getting anywhere.
const DISTANCE: Duration = Duration::from_millis(100);
/// The longest pause that is stretched for that; regular work at longer periods keeps its time.
const STRETCHED: Duration = Duration::from_secs(60);

/// Holds the clock's guard while the agent works, and gives it back while it waits. One per task.
#[derive(Debug)]
pub(crate) struct Pace {
    clock: Clock,
    busy: Option<Busy>,
}

impl Pace {
    /// Starts working.
    pub(crate) fn working(clock: &Clock) -> Self {
        Self { clock: clock.clone(), busy: Some(clock.busy()) }
    }

    /// Waits for a span of world time, then works on. In a world that runs very fast, short pauses are longer, so that
    /// a tenth of a second of wall time lies between attempts.
    pub(crate) async fn sleep(&mut self, span: Duration) {
        let span = stretched(span, self.clock.mode().speed());
        self.busy = None;
        self.busy = Some(self.clock.sleep(span).await);
    }

    /// Waits for a moment of world time, then works on.
    pub(crate) async fn sleep_until(&mut self, moment: Timestamp) {
        self.busy = None;
        self.busy = Some(self.clock.sleep_until(moment).await);
    }

    /// Waits for something that is not due at a known time, for `limit` of world time at most; then works on.
    pub(crate) async fn wait<T>(&mut self, limit: Duration, event: impl Future<Output = T>) -> Option<T> {
        self.busy = None;
        let (busy, value) = tokio::select! {
            biased;
            value = event => (self.clock.busy(), Some(value)),
            busy = self.clock.sleep(limit) => (busy, None),
        };
        self.busy = Some(busy);
        value
    }
}

/// A pause in a world that runs at `speed`, or stands still.
fn stretched(span: Duration, speed: Option<f64>) -> Duration {
    let least = Duration::try_from_secs_f64(DISTANCE.as_secs_f64() * speed.unwrap_or_default());
    span.max(least.unwrap_or(STRETCHED).min(STRETCHED))
}

/// Growing pauses between attempts: 1, 2, 4, … seconds of world time up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    limit: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);

    /// Pauses of one second growing to `limit`.
    pub(crate) fn up_to(limit: Duration) -> Self {
        Self { next: Self::FIRST.min(limit), limit }
    }

    /// The pause before the next attempt.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 2).min(self.limit);
        pause
    }

    /// The longest pause: when asking again soon is pointless.
    pub(crate) fn longest(&mut self) -> Duration {
        self.next = self.limit;
        self.limit
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.next = Self::FIRST.min(self.limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_world_stretches_short_pauses_only() {
        let seconds = |span, speed| stretched(Duration::from_secs(span), speed).as_secs();
        assert_eq!(seconds(1, None), 1);
        assert_eq!(seconds(1, Some(1.0)), 1);
        assert_eq!(seconds(10, Some(60.0)), 10);
        assert_eq!(seconds(10, Some(300.0)), 30);
        assert_eq!(seconds(10, Some(1e9)), 60);
        assert_eq!(seconds(300, Some(1e9)), 300);
    }

    #[test]
    fn pauses_double_up_to_the_limit_and_start_again_after_success() {
        let mut backoff = Backoff::up_to(Duration::from_secs(5));
        let pauses: Vec<u64> = (0..4).map(|_| backoff.pause().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5]);
        backoff.reset();
        assert_eq!(backoff.pause().as_secs(), 1);
        assert_eq!(backoff.longest().as_secs(), 5);
    }
}
