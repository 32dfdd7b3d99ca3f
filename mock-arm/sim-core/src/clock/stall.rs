//! Exchanges that are held back on purpose, for a span of world time or for ever.
//!
//! Whoever waits for an answer does not sleep, so that a clock which stands still would never get to the end of its patience.
//! A fault that holds an exchange back says so here; clients that hear of it wait on in world time.

use std::sync::Arc;

use super::Clock;
use super::state::Inner;

/// While it lives, a guard of the same task does not count: the task waits, although it holds one.
#[derive(Debug)]
pub struct Resting(Option<Arc<Inner>>);

impl Drop for Resting {
    fn drop(&mut self) {
        if let Some(inner) = &self.0 {
            let mut state = inner.lock();
            state.busy += 1;
            inner.touch(&mut state);
        }
    }
}

impl Clock {
    /// Says that an exchange is held back from now on.
    pub fn note_stall(&self) {
        let mut state = self.0.lock();
        state.stalls += 1;
        self.0.touch(&mut state);
    }

    /// How many exchanges were held back so far.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.0.lock().stalls
    }

    /// Waits until an exchange is held back beyond the first `before`.
    pub async fn stalled(&self, before: u64) {
        let mut activity = self.0.activity.subscribe();
        while self.stalls() <= before {
            // The sender lives as long as this clock.
            let _ = activity.changed().await;
        }
    }

    /// Lets the world go on while a task that holds a [`super::Busy`] guard waits for something. Only for the task that holds it.
    #[must_use]
    pub fn rest(&self) -> Resting {
        let mut state = self.0.lock();
        if state.busy == 0 {
            return Resting(None);
        }
        state.busy -= 1;
        self.0.touch(&mut state);
        drop(state);
        Resting(Some(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Mode;
    use jiff::Timestamp;
    use std::time::Duration;

    #[tokio::test]
    async fn a_stall_is_heard_of_and_a_resting_task_does_not_hold_the_clock() {
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let before = clock.stalls();
        clock.note_stall();
        clock.stalled(before).await;
        let busy = clock.busy();
        let resting = clock.rest();
        assert!(clock.advance(Duration::from_secs(5)).await.quiet);
        drop(resting);
        drop(busy);
        assert!(clock.quiet().await);
        drop(clock.rest());
        assert!(clock.quiet().await, "who holds no guard cannot give one back");
    }
}
