//! An agent as a task: of this process, or of a process of its own.

use std::io::Write;

use sim_core::clock::Clock;
use sim_core::net::Net;
use tokio_util::sync::CancellationToken;

use crate::agent::{RoleContext, run};
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::jobs::{self, Job};
use crate::kube_client::kube_client;
use crate::launch::SIDECAR;
use crate::log::AgentLog;
use crate::role::Role;

/// What a process does until it is asked to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Nothing.
    None,
    /// An agent's work, without end.
    Role(Role),
    /// A job's, to its end.
    Job(Job),
}

impl Work {
    /// The work of this name.
    pub(crate) fn named(name: &str) -> Result<Self, AgentError> {
        match (name, Job::named(name)) {
            (SIDECAR, _) => Ok(Self::None),
            (_, Some(job)) => Ok(Self::Job(job)),
            (name, None) => Ok(Self::Role(name.parse()?)),
        }
    }
}

/// Runs the named role, job or companion as a task of this process, with an environment of its own and in the world of
/// `clock`, until `shutdown` or its end. Its log goes to `sink`; it holds the clock's guard while it works, from the first
/// poll on.
///
/// # Errors
/// [`AgentError`] when it cannot do its work at all, as the process of that name would end with code 1 (2 for
/// [`AgentError::Role`]).
pub async fn run_named(
    name: &str,
    get: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    clock: Clock,
    sink: Box<dyn Write + Send>,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let work = Work::named(name)?;
    let ending = shutdown.clone();
    let working = async {
        match work {
            Work::None => std::future::pending().await,
            Work::Role(role) => Box::pin(serve(role, get, clock, sink, shutdown)).await,
            Work::Job(job) => Box::pin(finish(job, get, clock, sink)).await,
        }
    };
    tokio::select! {
        biased;
        () = ending.cancelled() => Ok(()),
        ended = working => ended,
    }
}

/// Runs a role.
pub(crate) async fn serve(
    role: Role,
    get: impl Fn(&str) -> Option<String>,
    clock: Clock,
    sink: Box<dyn Write + Send>,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let starting = clock.busy();
    let config = AgentConfig::from_env(&get)?;
    let net = Net::from_env(&get)?;
    let kube = kube_client(&net, &get)?;
    let log = AgentLog::new(clock.clone(), role, &config, sink);
    let context = RoleContext { clock, net, kube, config, log, shutdown };
    // From here on the role says itself when it is busy; nothing runs in between.
    drop(starting);
    run(role, context).await
}

/// Runs a job and writes its log.
pub(crate) async fn finish(
    job: Job,
    get: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    clock: Clock,
    mut sink: Box<dyn Write + Send>,
) -> Result<(), AgentError> {
    let _busy = clock.busy();
    let net = Net::from_env(&get)?;
    let kube = kube_client(&net, &get).ok();
    let surroundings = jobs::Surroundings { clock: clock.clone(), net, kube, variables: Box::new(get) };
    let log = Box::pin(jobs::run(job, &surroundings)).await;
    Ok(sink.write_all(log.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use sim_core::clock::Mode;

    #[tokio::test]
    async fn a_task_says_what_keeps_it_from_running_and_ends_when_it_is_asked() {
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let start = |name: &'static str, shutdown: &CancellationToken| {
            run_named(name, |_| None, clock.clone(), Box::new(std::io::sink()), shutdown.clone())
        };
        let shutdown = CancellationToken::new();
        let unknown = start("guardian", &shutdown).await.unwrap_err();
        assert!(matches!(unknown, AgentError::Role(_)), "{unknown}");
        let bare = start("config-agent", &shutdown).await.unwrap_err();
        assert!(bare.to_string().contains("AZURE_SUBSCRIPTION_ID"), "{bare}");
        shutdown.cancel();
        start(SIDECAR, &shutdown).await.unwrap();
    }
}
