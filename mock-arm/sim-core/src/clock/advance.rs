//! Moving world time by hand, and knowing when everybody has gone quiet.

use std::time::Duration;

use jiff::Timestamp;

use super::state::nanos;
use super::{Advanced, Busy, Clock, later};
use crate::timers::Nanos;

/// How long nothing must happen before the world counts as quiet.
const SETTLE: Duration = Duration::from_millis(2);

/// How long [`Clock::quiet`] waits at most, in wall time.
const QUIET_LIMIT: Duration = Duration::from_secs(10);

impl Clock {
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
}
