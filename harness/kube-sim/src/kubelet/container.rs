//! One container: what it does now, what it did before, and how it is started and ended.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use sim_core::clock::{Busy, Clock};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::backoff::BackOff;
use super::hooks::{Hook, Moment};
use super::live::Registration;
use super::logs::LogWriter;
use super::probes::{Outcome, Place, Probe, ProbeKind};
use super::process::{Exit, Process};
use super::workload::Script;
use crate::controllers::manager::{Next, Nudger};

/// What a container has left after the hook before its end, in any case.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// How long a fresh process may be silent before the world moves on without it, in wall time.
const FIRST_WORD: Duration = Duration::from_millis(300);

/// Something that happened to a container while its kubelet did something else.
#[derive(Debug)]
pub(crate) enum Note {
    /// The process ended.
    Exited(Exit),
    /// A probe was run.
    Probed(Outcome),
    /// A hook is over; why it failed, if it did.
    Hooked(Moment, Option<String>),
}

/// Which life of which container a note is about.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) pod_uid: String,
    pub(crate) container: String,
    /// Number of the life.
    pub(crate) life: u64,
    pub(crate) note: Note,
}

/// How tasks tell their kubelet.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    pub(crate) notices: mpsc::UnboundedSender<Notice>,
    pub(crate) nudger: Nudger,
    pub(crate) pod_key: String,
    pub(crate) pod_uid: String,
    pub(crate) container: String,
    pub(crate) life: u64,
}

impl Teller {
    /// Tells, and has the pod looked at. False when nobody listens any more.
    pub(crate) fn tell(&self, note: Note, busy: Busy) -> bool {
        let (pod_uid, container) = (self.pod_uid.clone(), self.container.clone());
        let told = self.notices.send(Notice { pod_uid, container, life: self.life, note }).is_ok();
        self.nudger.nudge(&self.pod_key, busy);
        told
    }
}

/// A life that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// What runs.
#[derive(Debug)]
pub(crate) enum Body {
    /// A child process.
    Process(Process),
    /// A script, and how many of its lines are written.
    Script { script: Script, written: usize, log: LogWriter },
    /// Nothing yet.
    Starting,
}

/// What a process is watched and asked by.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Probes that wait until the startup probe has passed.
    pub(crate) gated: Vec<Probe>,
    /// What runs before the container is asked to end.
    pub(crate) pre_stop: Option<Hook>,
    pub(crate) place: Place,
    pub(crate) teller: Teller,
    pub(crate) clock: Clock,
}

/// A life that goes on.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) life: u64,
    pub(crate) started: Timestamp,
    pub(crate) body: Body,
    /// Kept for what dropping it does: probes and hooks end with the run.
    pub(crate) probes: JoinSet<()>,
    /// Of a process.
    pub(crate) watch: Option<Watch>,
    /// Kept for what dropping it does: commands in the container end with the run.
    pub(crate) registration: Option<Registration>,
    /// False until the hook that follows the start, if there is one, is over.
    pub(crate) started_up: bool,
    /// False until the startup probe, if there is one, has passed.
    pub(crate) startup_passed: bool,
    pub(crate) ready: bool,
    pub(crate) kill_at: Option<Timestamp>,
}

/// What a container does.
#[derive(Debug)]
pub(crate) enum State {
    /// Nothing yet, or nothing at present, and why.
    Waiting { reason: String, message: String },
    /// It runs.
    Running(Box<Run>),
    /// It has ended.
    Ended(Ended),
}

/// The image of a container, as far as pulling it goes.
#[derive(Debug, Default)]
pub(crate) struct Pull {
    pub(crate) backoff: BackOff,
    pub(crate) failed: Option<(Timestamp, String)>,
}

/// A container of a pod.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) state: State,
    pub(crate) last: Option<Ended>,
    pub(crate) restarts: i64,
    pub(crate) crash: BackOff,
    pub(crate) pull: Pull,
    /// A fault holds the next start back until then.
    pub(crate) held_until: Option<Timestamp>,
    /// How many lives it had.
    pub(crate) lives: u64,
}

impl Container {
    /// A container that has not started; `reason` says what its pod waits for.
    pub(crate) fn waiting(reason: &str, restarts: i64) -> Self {
        Self {
            state: State::Waiting { reason: reason.into(), message: String::new() },
            last: None,
            restarts,
            crash: BackOff::default(),
            pull: Pull::default(),
            held_until: None,
            lives: 0,
        }
    }

    /// Says why it does not run.
    pub(crate) fn wait(&mut self, reason: &str, message: impl Into<String>) {
        self.state = State::Waiting { reason: reason.into(), message: message.into() };
    }

    pub(crate) fn run(&self) -> Option<&Run> {
        match &self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }

    pub(crate) fn run_mut(&mut self) -> Option<&mut Run> {
        match &mut self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }

    /// The life that ended last, if none goes on.
    pub(crate) fn ended(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            _ => None,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.run().is_some_and(|run| run.ready && run.startup_passed && run.started_up)
    }

    /// Ends the present life.
    pub(crate) fn end(&mut self, exit: Exit, now: Timestamp, message: String) {
        let State::Running(run) = &self.state else { return };
        let reason = if exit.code == 0 { "Completed" } else { "Error" };
        self.state = State::Ended(Ended {
            id: run.id.clone(),
            started: run.started,
            finished: now,
            code: exit.code,
            signal: exit.signal,
            reason: reason.into(),
            message,
        });
    }

    /// Asks the present life to end within `grace`. False when it was asked before, or there is none.
    pub(crate) fn stop(&mut self, deadline: Timestamp, now: Timestamp) -> bool {
        let Some(run) = self.run_mut() else { return false };
        let sooner = run.kill_at.is_none_or(|kill_at| deadline < kill_at);
        let first = run.kill_at.is_none();
        if sooner {
            run.kill_at = Some(deadline);
        }
        match &run.body {
            Body::Process(process) => {
                if deadline <= now {
                    process.signal(Signal::KILL);
                } else if first && !before_stop(&mut run.probes, run.watch.as_mut()) {
                    process.signal(Signal::TERM);
                }
            }
            // What a well-behaved container does on SIGTERM.
            Body::Script { .. } | Body::Starting => {
                self.end(Exit { code: 0, signal: None }, now, String::new());
            }
        }
        first
    }

    /// Goes on with the end once the hook before it is over. The container has two more seconds at least.
    pub(crate) fn stop_after_hook(&mut self, now: Timestamp) {
        let Some(run) = self.run_mut() else { return };
        if let Body::Process(process) = &run.body {
            process.signal(Signal::TERM);
        }
        run.kill_at = run.kill_at.map(|kill_at| kill_at.max(later(now, LAST_GRACE)));
    }

    /// Does what a running container has to do at this time: a script's lines, readiness and end; the kill of one that
    /// ignores its end. Says when there is more to do.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Next {
        let Some(run) = self.run_mut() else { return Next::Done };
        let (started, kill_at) = (run.started, run.kill_at);
        let mut next = Next::Done;
        let mut over = None;
        match &mut run.body {
            Body::Process(process) => {
                if kill_at.is_some_and(|kill_at| kill_at <= now) {
                    process.signal(Signal::KILL);
                } else {
                    next = Next::at(kill_at);
                }
            }
            Body::Starting => {}
            Body::Script { script, written, log } => {
                while let Some((after, line)) = script.lines.get(*written) {
                    let due = later(started, *after);
                    if due > now {
                        next = next.sooner(Next::At(due));
                        break;
                    }
                    log.line(line.as_bytes());
                    *written += 1;
                }
                let ready_at = later(started, script.ready_after);
                run.ready = ready_at <= now;
                if !run.ready && script.ready_after < Duration::MAX {
                    next = next.sooner(Next::At(ready_at));
                }
                if let Some((after, code)) = script.exit {
                    let due = later(started, after);
                    next = next.sooner(Next::At(due));
                    over = (due <= now).then_some(code);
                }
            }
        }
        if let Some(code) = over {
            self.end(Exit { code, signal: None }, now, String::new());
            return Next::Done;
        }
        next
    }

    /// Takes in what a probe found. Returns whether the container must be restarted.
    pub(crate) fn probed(&mut self, outcome: &Outcome) -> bool {
        let Some(run) = self.run_mut() else { return false };
        match (outcome.kind, outcome.verdict) {
            (_, None) => false,
            (ProbeKind::Readiness, Some(passed)) => {
                run.ready = passed;
                false
            }
            (ProbeKind::Startup, Some(true)) => {
                run.startup_passed = true;
                if let Some(watch) = &mut run.watch {
                    let gated = std::mem::take(&mut watch.gated);
                    start_probes(&mut run.probes, gated, watch);
                }
                false
            }
            (ProbeKind::Startup | ProbeKind::Liveness, Some(passed)) => !passed,
        }
    }
}

/// The moment `span` after `moment`.
pub(crate) fn later(moment: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Starts a process, whose output goes to `log` and whose end is told. The world counts as busy until its first line,
/// or until it has been silent for a moment.
pub(crate) fn start_process(
    spec: &super::process::ProcessSpec,
    log: LogWriter,
    teller: Teller,
    clock: &Clock,
) -> std::io::Result<Process> {
    // A task says itself when it is busy.
    let child = matches!(spec.program, super::process::Program::File(..));
    let starting = Arc::new(std::sync::Mutex::new(child.then(|| clock.busy())));
    let settled = {
        let starting = starting.clone();
        move || drop(starting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take())
    };
    let silent = settled.clone();
    let timer = clock.clone();
    let log = Arc::new(log);
    let ending = (settled.clone(), clock.clone(), log.clone());
    let process = Process::spawn(
        spec,
        move |_, line| {
            log.line(line);
            settled();
        },
        move |exit| {
            let (settled, clock, log) = ending;
            drop(log);
            teller.tell(Note::Exited(exit), clock.busy());
            settled();
        },
    )?;
    if child {
        tokio::spawn(async move {
            timer.wall_sleep(FIRST_WORD).await;
            silent();
        });
    }
    Ok(process)
}

/// Starts probes of a process. A probe ends when it is dropped with the run; a startup probe ends once it has passed.
pub(crate) fn start_probes(tasks: &mut JoinSet<()>, probes: Vec<Probe>, watch: &Watch) {
    for probe in probes {
        let teller = watch.teller.clone();
        tasks.spawn(probe.run(watch.clock.clone(), watch.place.clone(), move |outcome, busy| {
            let over = outcome.kind == ProbeKind::Startup && outcome.verdict == Some(true);
            teller.tell(Note::Probed(outcome), busy) && !over
        }));
    }
}

/// Starts a hook of a process. Its end is told.
pub(crate) fn start_hook(tasks: &mut JoinSet<()>, hook: Hook, moment: Moment, watch: &Watch) {
    let (clock, place, teller) = (watch.clock.clone(), watch.place.clone(), watch.teller.clone());
    tasks.spawn(async move {
        let (failure, busy) = hook.run(&clock, &place).await;
        teller.tell(Note::Hooked(moment, failure), busy);
    });
}

/// Starts the hook before the end, if there is one that has not run.
fn before_stop(tasks: &mut JoinSet<()>, watch: Option<&mut Watch>) -> bool {
    let Some(watch) = watch else { return false };
    let Some(hook) = watch.pre_stop.take() else { return false };
    start_hook(tasks, hook, Moment::PreStop, watch);
    true
}
