//! An agent as a process of its own.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use sim_core::clock::Clock;
use sim_core::clock_link::{BadClockLink, ClockLink};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::AgentError;
use crate::jobs::Job;
use crate::membership;
use crate::role::Role;
use crate::task::{self, Work};

/// The name under which a companion container runs: it does nothing until it is asked to end.
pub const SIDECAR: &str = "sidecar";

/// How often, how long and how far apart the world's clock is tried in a pod, in wall time.
const CLOCK_TRIES: u32 = 60;
const CLOCK_PATIENCE: Duration = Duration::from_secs(3);
const CLOCK_PAUSE: Duration = Duration::from_millis(250);

/// Runs the named role from the environment of this process, until SIGTERM or SIGINT, or until standard input ends when
/// `DRYARC_PARENT_PIPE=1` says that it is held open by the parent.
///
/// `DRYARC_CLOCK` names the world's clock; without it, world time is real time. In a pod of a real cluster these variables
/// come from the cluster itself, and the process ends with an error when the world does. Whatever keeps the role from starting is
/// told on standard error. Exit codes: 0 after a signal or the parent's end, 1 when the role could not run, 2 for an
/// unknown role.
#[must_use]
pub fn main_from_env(role_name: &str) -> ExitCode {
    let ran = Work::named(role_name).and_then(process);
    match ran {
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

fn process(work: Work) -> Result<(), AgentError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shutdown = CancellationToken::new();
    let ended = runtime.block_on(async {
        end_on_signal(&shutdown)?;
        end_with_parent(&shutdown);
        let working = async {
            match work {
                Work::None => std::future::pending().await,
                Work::Role(role) => Box::pin(start(role, shutdown.clone())).await,
                Work::Job(job) => Box::pin(finish(job)).await,
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            ended = working => ended,
        }
    });
    // A name look-up may still be waiting on a thread; nobody waits for it.
    runtime.shutdown_background();
    ended
}

/// Runs a job and prints its log.
async fn finish(job: Job) -> Result<(), AgentError> {
    let (get, clock, _) = surroundings().await?;
    task::finish(job, get, clock, Box::new(std::io::stdout())).await
}

async fn start(role: Role, shutdown: CancellationToken) -> Result<(), AgentError> {
    let (get, clock, gone) = surroundings().await?;
    tokio::select! {
        ended = Box::pin(task::serve(role, get, clock, Box::new(std::io::stdout()), shutdown)) => ended,
        // Whoever runs the container starts it again, and it finds the next world.
        () = gone => Err(AgentError::WorldGone),
    }
}

/// The environment, the world's clock, and what waits until that goes away.
async fn surroundings() -> Result<
    (impl Fn(&str) -> Option<String> + Send + Sync + 'static, Clock, impl Future<Output = ()>),
    AgentError,
> {
    let own = |name: &str| std::env::var(name).ok();
    let world = membership::variables(own).await?;
    let in_cluster = !world.is_empty();
    let get = move |name: &str| world.get(name).cloned().or_else(|| own(name));
    let link = get("DRYARC_CLOCK").filter(|link| !link.is_empty());
    let (clock, gone) = follow(link, in_cluster).await?;
    Ok((get, clock, gone))
}

/// The clock, and what waits until it goes away. A clock that is reached through a cluster's network may need several
/// attempts, and its end is the end of the process; a parent's clock is the parent's business.
async fn follow(
    link: Option<String>,
    in_cluster: bool,
) -> Result<(Clock, impl Future<Output = ()>), AgentError> {
    let (clock, task) = match link {
        None => (Clock::running(1.0), None),
        Some(link) => {
            let link: ClockLink =
                link.parse().map_err(|error: BadClockLink| AgentError::Clock(error.to_string()))?;
            let (clock, task) = reach(&link, if in_cluster { CLOCK_TRIES } else { 1 }).await?;
            (clock, Some(task))
        }
    };
    let gone = async move {
        match task.filter(|_| in_cluster) {
            // Ended or broken: either way nobody moves the clock any more.
            Some(task) => drop(task.await),
            None => std::future::pending().await,
        }
    };
    Ok((clock, gone))
}

async fn reach(link: &ClockLink, tries: u32) -> Result<(Clock, tokio::task::JoinHandle<()>), AgentError> {
    let wall = Clock::running(1.0);
    let mut last = String::new();
    for attempt in 1..=tries {
        last = match wall.wall_timeout(CLOCK_PATIENCE, link.follow_watched()).await {
            Ok(Ok(followed)) => return Ok(followed),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", CLOCK_PATIENCE.as_secs()),
        };
        if attempt < tries {
            wall.wall_sleep(CLOCK_PAUSE).await;
        }
    }
    Err(AgentError::Clock(last))
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
