//! How long the driver waits between two looks at something.

use std::time::Duration;

use sim_core::clock::{Clock, Mode};

/// The shortest pause between two looks, in wall time.
const SHORTEST: Duration = Duration::from_millis(25);
/// The pause while somebody else moves the clock, in wall time.
const BY_HAND: Duration = Duration::from_millis(100);

/// Waits as a client does, and moves an instant clock by doing so.
#[derive(Debug, Clone)]
pub struct Pace(Clock);

impl Pace {
    /// Pauses by this clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self(clock)
    }

    /// A pause that a server asked for (`Retry-After`): wall time. With an instant clock, which knows no wall time, the
    /// pause is `usual` of world time instead.
    pub async fn asked(&self, wall: Duration, usual: Duration) {
        match self.0.mode() {
            Mode::Instant => self.0.foreground_sleep(usual).await,
            Mode::Real | Mode::Scaled { .. } | Mode::Manual => self.0.wall_sleep(wall).await,
        }
    }

    /// A pause of the client's own choice: world time, but never too short in wall time. With a clock that is moved by
    /// hand it is a moment of wall time, after which somebody may have moved it.
    pub async fn world(&self, span: Duration) {
        match self.0.mode() {
            Mode::Instant => self.0.foreground_sleep(span).await,
            Mode::Manual => self.0.wall_sleep(BY_HAND).await,
            Mode::Real | Mode::Scaled { .. } => {
                let wall = self.0.wall_span(span).unwrap_or_default().max(SHORTEST);
                self.0.wall_sleep(wall).await;
            }
        }
    }
}
