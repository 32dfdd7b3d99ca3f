//! How long the kubelet waits before it starts a crashed container or pulls an image again.
//!
//! Source: kubelet, `MaxContainerBackOff` (300 s), initial 10 s, doubled each time, forgotten after twice the maximum
//! without a failure. The first restart comes at once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The first wait.
const INITIAL: Duration = Duration::from_secs(10);

/// The longest wait.
const MAX: Duration = Duration::from_secs(300);

/// The failures of one container or image, reduced to what the next wait depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BackOff {
    /// The current wait and when it was set.
    entry: Option<(Duration, Timestamp)>,
}

impl BackOff {
    /// The wait that applies to a failure at `failed`; `None` when the next attempt may come at once.
    pub(crate) fn wait(&self, failed: Timestamp) -> Option<Duration> {
        let (wait, set) = self.entry?;
        (!expired(set, failed)).then_some(wait)
    }

    /// When the next attempt after a failure at `failed` is due.
    pub(crate) fn due(&self, failed: Timestamp) -> Timestamp {
        let wait = SignedDuration::try_from(self.wait(failed).unwrap_or_default()).unwrap_or_default();
        failed.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Notes that an attempt is made now, after a failure at `failed`.
    pub(crate) fn attempt(&mut self, failed: Timestamp, now: Timestamp) {
        let next = self.wait(failed).map_or(INITIAL, |wait| (wait * 2).min(MAX));
        self.entry = Some((next, now));
    }
}

fn expired(set: Timestamp, failed: Timestamp) -> bool {
    failed.duration_since(set) > SignedDuration::try_from(MAX * 2).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn waits_double_from_ten_seconds_to_five_minutes_after_an_immediate_first_restart() {
        let mut backoff = BackOff::default();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let due = backoff.due(now);
            waits.push(due.duration_since(now).as_secs());
            backoff.attempt(now, due);
            now = due;
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_quiet_minutes_forgive() {
        let mut backoff = BackOff::default();
        backoff.attempt(at(0), at(0));
        assert_eq!(backoff.wait(at(600)), Some(INITIAL));
        assert_eq!(backoff.wait(at(601)), None);
    }
}
