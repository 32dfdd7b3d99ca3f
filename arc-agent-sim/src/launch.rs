//! An agent as a process of its own.

use std::io::Read as _;
use std::process::ExitCode;

use sim_core::clock::Clock;
use sim_core::clock_link::{BadClockLink, ClockLink};
use sim_core::net::Net;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::agent::{RoleContext, run};
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::kube_client::kube_client;
use crate::log::AgentLog;
use crate::role::Role;

/// Runs the named role from the environment of this process, until SIGTERM or SIGINT, or until standard input ends when
/// `DRYARC_PARENT_PIPE=1` says that it is held open by the parent.
///
/// `DRYARC_CLOCK` names the world's clock; without it, world time is real time. Whatever keeps the role from starting is
/// told on standard error. Exit codes: 0 after a signal or the parent's end, 1 when the role could not run, 2 for an
/// unknown role.
#[must_use]
pub fn main_from_env(role_name: &str) -> ExitCode {
    match role_name.parse::<Role>().map_err(AgentError::from).and_then(process) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(if matches!(error, AgentError::Role(_)) { 2 } else { 1 })
        }
    }
}

/// The process's own words, apart from the agent's log.
#[expect(clippy::print_stderr, reason = "this is the edge of a process that has no other voice yet")]
fn complain(error: &AgentError) {
    eprintln!("agent: {error}");
}

fn process(role: Role) -> Result<(), AgentError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shutdown = CancellationToken::new();
    let ended = runtime.block_on(async {
        end_on_signal(&shutdown)?;
        end_with_parent(&shutdown);
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            ended = start(role, shutdown.clone()) => ended,
        }
    });
    // A name look-up may still be waiting on a thread; nobody waits for it.
    runtime.shutdown_background();
    ended
}

async fn start(role: Role, shutdown: CancellationToken) -> Result<(), AgentError> {
    let get = |name: &str| std::env::var(name).ok();
    let clock = follow(get("DRYARC_CLOCK")).await?;
    let starting = clock.busy();
    let config = AgentConfig::from_env(get)?;
    let net = Net::from_env(get)?;
    let kube = kube_client(&net, get)?;
    let log = AgentLog::new(clock.clone(), role, &config, Box::new(std::io::stdout()));
    let context = RoleContext { clock, net, kube, config, log, shutdown };
    // From here on the role says itself when it is busy; nothing runs in between.
    drop(starting);
    Box::pin(run(role, context)).await
}

async fn follow(link: Option<String>) -> Result<Clock, AgentError> {
    let Some(link) = link.filter(|link| !link.is_empty()) else { return Ok(Clock::running(1.0)) };
    let link: ClockLink = link.parse().map_err(|error: BadClockLink| AgentError::Clock(error.to_string()))?;
    link.follow().await.map_err(|error| AgentError::Clock(error.to_string()))
}

fn end_on_signal(shutdown: &CancellationToken) -> Result<(), AgentError> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            signals.recv().await;
            shutdown.cancel();
        });
    }
    Ok(())
}

/// Watches standard input on a thread of its own, which may be blocked in it when the process ends.
fn end_with_parent(shutdown: &CancellationToken) {
    if std::env::var("DRYARC_PARENT_PIPE").as_deref() != Ok("1") {
        return;
    }
    let shutdown = shutdown.clone();
    let watch = move || {
        let mut byte = [0u8; 64];
        while std::io::stdin().lock().read(&mut byte).is_ok_and(|count| count > 0) {}
        shutdown.cancel();
    };
    if std::thread::Builder::new().name("parent".into()).stack_size(64 << 10).spawn(watch).is_err() {
        tracing::warn!("cannot watch the parent process");
    }
}
