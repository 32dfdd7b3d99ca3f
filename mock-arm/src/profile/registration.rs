//! How namespaces and features register.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a registration goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RegistrationOutcome {
    /// `Registered` after the delay; until then region after region opens for writes.
    #[default]
    Registered,
    /// `Registering` forever, and no region opens.
    Stuck,
    /// Back to `NotRegistered` after the delay, and no region opens.
    Failed,
    /// The call is answered, and the state stays `NotRegistered`.
    Never,
    /// `Registering` forever, although region after region opens within the delay.
    Regional,
    /// `Registered` after the delay, but for as long again replicas disagree: reads say `Registered` or `Registering`, and
    /// writes pass or not, by the second.
    Flapping,
    /// The call is refused: the caller may not register.
    Forbidden,
}

/// How a namespace registers. Microsoft documents up to ten minutes; recordings of real subscriptions show 71 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Registration {
    /// World seconds from the request to the outcome.
    pub seconds: u64,
    /// The outcome.
    pub outcome: RegistrationOutcome,
    /// Whether the namespace is registered from the start.
    pub registered: bool,
    /// World seconds that unregistering takes; as many as registering when left out.
    pub unregister_seconds: Option<u64>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            seconds: 71,
            outcome: RegistrationOutcome::Registered,
            registered: false,
            unregister_seconds: None,
        }
    }
}

impl Registration {
    /// World time from the request to the outcome.
    #[must_use]
    pub fn delay(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// World time from the request to unregister to its end.
    #[must_use]
    pub fn unregister_delay(&self) -> Duration {
        Duration::from_secs(self.unregister_seconds.unwrap_or(self.seconds))
    }
}
