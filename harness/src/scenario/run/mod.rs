//! Performing scenarios: each in a world of its own, on one thread, by the world's clock.
//!
//! A world of one thread does the same in the same order each time. Scenarios are independent of each other, so that many
//! of them run beside each other. Nothing in one waits for the wall clock, but for [`STALLED`] as a last resort. Where real
//! programs take part, the clock runs while they are at work, and the report says that their pace is not ours.

mod act;
mod az;
mod check_arm;
mod check_cluster;
mod check_journal;
mod clients;
mod control;
mod customer;
mod environment;
mod fields;
mod kubeconfig;
mod outcome;
mod program;
mod reference;
mod registration;
mod shell;
mod theatre;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use arc_agent_sim::CancellationToken;
use futures::stream::StreamExt as _;
use sim_core::clock::{Clock, span_between};
use sim_core::journal::{Event, Filter};
use sim_core::keys::KeySource;
use sim_core::seed::Seed;

use self::theatre::{SCRATCH, Theatre};
use super::canonical;
use super::driver::Driver;
use super::expect::Expect;
use super::model::Scenario;
use super::report::{Act, Performed, Report, Verdict};
use super::step::Step;
use crate::client_env::OuterEnv;
use crate::state::sweep_scratch;

pub use outcome::Outcome;

/// A scenario that has not ended after so long (wall time) hangs, and fails.
pub const STALLED: Duration = Duration::from_secs(180);

/// The same where real programs take part, which need seconds for each command.
pub const STALLED_WITH_PROGRAMS: Duration = Duration::from_secs(600);

/// The stack of the thread of one scenario.
const STACK: usize = 16 << 20;

/// How scenarios are run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The seed of every world instead of the scenarios' own.
    pub seed: Option<u64>,
    /// How many run beside each other.
    pub jobs: usize,
    /// Ends everything early.
    pub cancel: CancellationToken,
    /// Where RSA keys come from; shared by all worlds.
    pub keys: KeySource,
    /// Who performs the steps; left out, the native driver, or the only one that a scenario has.
    pub driver: Option<Driver>,
    /// The user's own environment, in which real programs are found.
    pub outer: OuterEnv,
}

impl RunOptions {
    /// Who performs this scenario.
    #[must_use]
    pub fn driver_of(&self, scenario: &Scenario) -> Driver {
        let own = || scenario.drivers.iter().find(|one| **one == Driver::Native).or(scenario.drivers.first());
        self.driver.or_else(|| own().copied()).unwrap_or_default()
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            seed: None,
            // A world rests now and then to see whether everybody is quiet.
            jobs: cores * 2,
            cancel: CancellationToken::new(),
            keys: KeySource::kept(),
            driver: None,
            outer: OuterEnv::default(),
        }
    }
}

/// Runs scenarios beside each other, and tells each end at once. Reports come in the order of the scenarios.
pub async fn run_all(
    scenarios: Vec<Scenario>,
    options: &RunOptions,
    ended: impl Fn(&Report) + Send + Sync,
) -> Vec<Report> {
    sweep_scratch(SCRATCH);
    let jobs = options.jobs.max(1);
    let (ended, options) = (&ended, Arc::new(options.clone()));
    let runs = scenarios.into_iter().enumerate().map(|(number, scenario)| {
        let options = options.clone();
        async move {
            let report = on_a_thread(scenario, options).await;
            ended(&report);
            (number, report)
        }
    });
    let mut reports: Vec<(usize, Report)> =
        futures::stream::iter(runs).buffer_unordered(jobs).collect().await;
    reports.sort_unstable_by_key(|(number, _)| *number);
    reports.into_iter().map(|(_, report)| report).collect()
}

async fn on_a_thread(scenario: Scenario, options: Arc<RunOptions>) -> Report {
    let (tell, told) = tokio::sync::oneshot::channel();
    let name = scenario.name.clone();
    let (copy, driver) = (scenario.clone(), options.driver_of(&scenario));
    let work = move || {
        let report = run(&scenario, &options);
        // Nobody waits any more: then nobody wants to know.
        let _ = tell.send(report);
    };
    let started = std::thread::Builder::new().name(name).stack_size(STACK).spawn(work);
    let broken = |reason: String| Report::broken(&copy, driver, reason);
    match started {
        Err(error) => broken(format!("no thread could be started: {error}")),
        Ok(_) => told.await.unwrap_or_else(|_| broken("its thread panicked".into())),
    }
}

/// Runs one scenario on this thread, which must not be one of an async runtime.
#[must_use]
pub fn run(scenario: &Scenario, options: &RunOptions) -> Report {
    let driver = options.driver_of(scenario);
    let broken = |reason: String| Report::broken(scenario, driver, reason);
    if let Some(reason) = tools::missing(scenario, driver, &options.outer) {
        return Report::skipped(scenario, driver, reason);
    }
    let limit = if scenario.programs(driver).is_empty() { STALLED } else { STALLED_WITH_PROGRAMS };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken(format!("no runtime could be made: {error}")),
    };
    let report = runtime.block_on(async {
        let wall = Clock::running(1.0);
        tokio::select! {
            biased;
            () = options.cancel.cancelled() => broken("it was interrupted".into()),
            played = wall.wall_timeout(limit, Box::pin(play(scenario, options))) => played.unwrap_or_else(|_| {
                broken(format!("it hung: no end after {} s of wall time", limit.as_secs()))
            }),
        }
    });
    // A key that is still being made is not waited for.
    runtime.shutdown_background();
    report
}

async fn play(scenario: &Scenario, options: &RunOptions) -> Report {
    let wall = Clock::running(1.0);
    let watch = wall.stopwatch();
    let seed = Seed::new(options.seed.unwrap_or(scenario.world.seed));
    let theatre = match Box::pin(Theatre::open(scenario, seed, options)).await {
        Ok(theatre) => theatre,
        Err(reason) => return Report::broken(scenario, options.driver_of(scenario), reason),
    };
    let begun = theatre.clock.now();
    let mut report = Report::new(scenario, theatre.driver, seed.value());
    let first = perform(&theatre, "The failure", &scenario.steps, &scenario.expect).await;
    let failed = first.is_unmet();
    report.acts.push(first);
    if !failed {
        let remedy = &scenario.remedy;
        report.acts.push(perform(&theatre, &remedy.what, &remedy.steps, &remedy.expect).await);
    }
    let events = theatre.world.journal().read(&Filter::default());
    let whole = report.acts.iter().all(|act| !act.is_unmet());
    report.fired = fired(scenario, &events);
    if whole {
        report.unmet = unfired(scenario, theatre.clients.is_some(), &report.fired);
    }
    report.virtual_time = span_between(begun, theatre.clock.now());
    report.journal = canonical::text(&events);
    report.events = events;
    theatre.close().await;
    report.wall_time = watch.elapsed();
    report.verdict = if whole && report.unmet.is_empty() { Verdict::Passed } else { Verdict::Failed };
    report
}

/// Performs an act up to its first step that does not end as expected, and looks at what is true then.
async fn perform(theatre: &Theatre, what: &str, steps: &[Step], expect: &Expect) -> Act {
    let (begun, after) = (theatre.clock.now(), last_seq(theatre));
    let mut act = Act::new(what, begun);
    for step in steps {
        let at = theatre.clock.now();
        let outcome = act::perform(theatre, step).await;
        theatre.clock.quiet().await;
        let wanted = step.expect.as_ref().map(|expect| expect.with(theatre.driver));
        let unmet = outcome.unmet(wanted.as_ref());
        let virtual_time = span_between(at, theatre.clock.now());
        let stop = !unmet.is_empty();
        let expected = step.expect.is_some();
        let action = step.actions().first().copied().unwrap_or_default();
        act.steps.push(Performed { action, at, virtual_time, expected, outcome, unmet });
        if stop {
            return act;
        }
    }
    act.virtual_time = span_between(begun, theatre.clock.now());
    let events = theatre.world.journal().read(&Filter { after, ..Filter::default() });
    act.unmet.extend(check_journal::unmet(&events, &expect.journal));
    act.unmet.extend(check_arm::unmet(theatre, &expect.arm).await);
    act.unmet.extend(check_cluster::unmet(theatre, &expect.cluster).await);
    if let Some(time) = expect.time {
        let shown = |span: Duration| crate::span::format(span);
        if let Some(least) = time.at_least.filter(|least| act.virtual_time < least.0) {
            act.unmet.push(format!("it took {}, less than {}", shown(act.virtual_time), shown(least.0)));
        }
        // Real programs take as long as they take.
        let bound = time.at_most.filter(|_| theatre.clients.is_none());
        if let Some(most) = bound.filter(|most| act.virtual_time > most.0) {
            act.unmet.push(format!("it took {}, more than {}", shown(act.virtual_time), shown(most.0)));
        }
    }
    if theatre.driver == Driver::Az {
        act.azure = check_arm::what_there_is(theatre).await;
    }
    act
}

fn last_seq(theatre: &Theatre) -> u64 {
    theatre.world.journal().read(&Filter::default()).last().map_or(0, |event| event.seq)
}

/// Every rule of a scenario, those of its network among them, with how often it fired.
fn fired(scenario: &Scenario, events: &[Event]) -> Vec<(String, u64)> {
    let network = &scenario.network;
    let blocked = network.blocked.iter().map(|host| format!("blocked:{host}"));
    let reset = network.reset.iter().map(|host| format!("reset:{host}"));
    let all = blocked.chain(reset).chain(scenario.rule_ids().map(ToOwned::to_owned));
    all.map(|id| (id.clone(), check_journal::fired(events, &id))).collect()
}

/// A rule that never struck is not why the scenario failed. How often it strikes real programs is their affair.
fn unfired(scenario: &Scenario, programs: bool, fired: &[(String, u64)]) -> Vec<String> {
    let mut unmet = Vec::new();
    for (id, count) in fired {
        match scenario.expect.fired.get(id) {
            Some(wanted) if wanted != count && !(programs && *wanted > 0 && *count > 0) => {
                unmet.push(format!("rule '{id}' fired {count} times, not {wanted}"));
            }
            None if *count == 0 => unmet.push(format!("rule '{id}' never fired: it is not the cause")),
            _ => {}
        }
    }
    unmet
}
