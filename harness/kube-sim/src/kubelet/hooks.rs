//! Life-cycle hooks of containers that are processes: after the start, and before the end.
//!
//! A container is not ready before its `postStart` hook is over, and is killed when that fails. `preStop` runs within the
//! grace of the end. Hooks of scripted containers have nothing to run in and are left out.

use std::time::Duration;

use serde_json::Value;
use sim_core::clock::{Busy, Clock};

use super::command;
use super::http::Get;
use super::probes::{Place, http_get, words};
use crate::controllers::objects::number;

/// How long the world waits for a hook, in wall time; it goes on without it then.
const HOLD: Duration = Duration::from_secs(1);

/// How long a hook may take at all, in wall time. The end of its container comes first as a rule.
const LIMIT: Duration = Duration::from_secs(3600);

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    PostStart,
    PreStop,
}

impl Moment {
    fn field(self) -> &'static str {
        match self {
            Self::PostStart => "postStart",
            Self::PreStop => "preStop",
        }
    }
}

/// What a hook does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hook {
    Exec(Vec<String>),
    Http(Get),
    /// So many seconds of world time.
    Sleep(u64),
}

impl Hook {
    /// The hook of a container for this moment.
    pub(crate) fn of(container: &Value, moment: Moment) -> Option<Self> {
        let spec = container.pointer(&format!("/lifecycle/{}", moment.field()))?;
        let part = |field: &str| spec.get(field).filter(|part| part.is_object());
        if let Some(exec) = part("exec") {
            return Some(Self::Exec(words(exec)));
        }
        if let Some(get) = part("httpGet") {
            return Some(Self::Http(http_get(get, container)));
        }
        let seconds = number(part("sleep")?, "/seconds").unwrap_or_default();
        Some(Self::Sleep(seconds.max(0).unsigned_abs()))
    }

    /// Runs the hook; why it failed, if it did.
    pub(crate) async fn run(self, clock: &Clock, place: &Place) -> (Option<String>, Busy) {
        if let Self::Sleep(seconds) = self {
            return (None, clock.sleep(Duration::from_secs(seconds)).await);
        }
        let mut held = Some(clock.busy());
        let work = self.act(clock, place);
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => Some(done),
            () = clock.wall_sleep(HOLD) => None,
        };
        let result = match done {
            Some(result) => result,
            None => {
                drop(held.take());
                work.await
            }
        };
        (result.err(), clock.busy())
    }

    async fn act(&self, clock: &Clock, place: &Place) -> Result<(), String> {
        match self {
            Self::Exec(argv) => match command::run(&place.live, argv, clock, LIMIT).await {
                command::Outcome::Ended(0, _) => Ok(()),
                command::Outcome::Ended(code, output) => Err(format!("exit code {code}: {output}")),
                command::Outcome::TimedOut => Err("it took too long".into()),
                command::Outcome::NotStarted(message) => Err(message),
            },
            // Any answer is good enough, as for a real kubelet; only its absence is a failure.
            Self::Http(get) => get.send(place.target(get.port), &place.address).await.map(drop),
            Self::Sleep(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_states_its_hooks() {
        let container = json!({"lifecycle": {
            "postStart": {"exec": {"command": ["true"]}}, "preStop": {"sleep": {"seconds": 5}}}});
        assert_eq!(Hook::of(&container, Moment::PostStart), Some(Hook::Exec(vec!["true".into()])));
        assert_eq!(Hook::of(&container, Moment::PreStop), Some(Hook::Sleep(5)));
        assert_eq!(Hook::of(&json!({}), Moment::PreStop), None);
    }
}
