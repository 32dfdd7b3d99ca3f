//! Runs the steps one after the other, shows and measures them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arc_agent_sim::kube_client::from_kubeconfig;
use jiff::Timestamp;
use serde_json::Value;
use sim_core::clock::{Clock, Stopwatch, span_between};
use sim_core::keys::Bits;

use super::report::{Outcome, Report, StepReport};
use super::shell::Shell;
use super::{Screen, Target, TourOptions};
use crate::driver::{Azure, AzureConfig, Driver, Event, KEY_LABEL, Pace, StageState};

/// A step before it is performed.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) number: u32,
    pub(super) title: &'static str,
    pub(super) commands: Vec<String>,
    pub(super) on_page: bool,
}

/// What a step returns: what came out, or why the page's promise did not come true.
pub(super) type Performed = Result<Value, String>;

/// A tour under way.
pub(super) struct Tour {
    pub(super) azure: Azure,
    pub(super) driver: Driver,
    pub(super) clock: Clock,
    pub(super) pace: Pace,
    pub(super) tenant: String,
    pub(super) screen: Arc<dyn Screen>,
    /// Runs the commands of the steps; without it, the driver does what they do.
    pub(super) shell: Option<Shell>,
}

/// A moment in both times.
struct Mark {
    world: Timestamp,
    wall: Stopwatch,
}

impl Mark {
    fn new(clock: &Clock) -> Self {
        Self { world: clock.now(), wall: clock.stopwatch() }
    }

    fn spans(&self, clock: &Clock) -> (Duration, Duration) {
        (span_between(self.world, clock.now()), self.wall.elapsed())
    }
}

/// Walks through the quickstart. A step that fails ends the tour; the report says why.
pub async fn run(target: &Target, options: &TourOptions, screen: Arc<dyn Screen>) -> Report {
    let (clock, seed) = (target.clock.clone(), target.seed);
    let whole = Mark::new(&clock);
    let mut steps = Vec::new();
    match Tour::new(target, options, screen.clone()) {
        Ok(tour) => Box::pin(tour.walk(*options, &mut steps)).await,
        Err(reason) => steps.push(unusable(reason)),
    }
    let (virtual_time, wall_time) = whole.spans(&clock);
    let failed = steps.iter().any(|step| step.outcome == Outcome::Failed);
    let outcome = if failed { Outcome::Failed } else { Outcome::Done };
    if outcome == Outcome::Done {
        screen.show(&format!(
            "Done: {} of the world's time in {:.1} s of yours (seed {seed}).\n",
            people(virtual_time),
            wall_time.as_secs_f64()
        ));
    }
    Report { outcome, seed, virtual_time, wall_time, steps }
}

/// A tour that cannot begin.
fn unusable(reason: String) -> StepReport {
    StepReport {
        number: 0,
        title: "Reach the world",
        commands: Vec::new(),
        on_page: false,
        outcome: Outcome::Failed,
        reason: Some(reason),
        virtual_time: Duration::ZERO,
        wall_time: Duration::ZERO,
        result: Value::Null,
    }
}

/// `8 min 31 s`.
fn people(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

impl Tour {
    fn new(target: &Target, options: &TourOptions, screen: Arc<dyn Screen>) -> Result<Self, String> {
        let Target { credentials, endpoints, net, kubeconfig, clock, keys, correlation, .. } = target.clone();
        // Making it takes a moment, and it is needed in the third step only.
        keys.prefetch(KEY_LABEL, Bits::Rsa4096);
        let kube = from_kubeconfig(&net, &kubeconfig, None)
            .map_err(|error| format!("the cluster's kubeconfig cannot be used: {error}"))?;
        let tenant = credentials.tenant.clone();
        let azure = Azure::new(AzureConfig {
            credentials,
            endpoints,
            net,
            clock: clock.clone(),
            correlation,
            command: String::new(),
        });
        let shown = screen.clone();
        let reporter = Arc::new(move |event: &Event| shown.progress(&progress_line(event)));
        let mut driver = Driver::new(azure.clone(), kube, clock.clone(), keys, reporter);
        let mut pace = Pace::new(clock.clone());
        if options.real {
            (driver, pace) = (driver.of_real_cluster(), pace.of_real_cluster());
        }
        Ok(Self { azure, driver, pace, clock, tenant, screen, shell: target.shell.clone() })
    }

    /// Says what is happening, with the world's time.
    pub(super) fn progress(&self, text: &str) {
        self.screen.progress(&at(self.clock.now(), text));
    }

    /// Performs one step, unless an earlier one failed or `skip` says why not.
    pub(super) async fn perform(
        &self,
        steps: &mut Vec<StepReport>,
        step: Step,
        skip: Option<&str>,
        work: impl Future<Output = Performed>,
    ) {
        let broken = steps.iter().any(|step| step.outcome == Outcome::Failed);
        let mark = Mark::new(&self.clock);
        let (outcome, reason, result) = if broken {
            (Outcome::Skipped, Some("an earlier step failed".to_owned()), Value::Null)
        } else if let Some(reason) = skip {
            (Outcome::Skipped, Some(reason.to_owned()), Value::Null)
        } else {
            self.screen.show(&heading(&step));
            match work.await {
                Ok(result) => (Outcome::Done, None, result),
                Err(reason) => (Outcome::Failed, Some(reason), Value::Null),
            }
        };
        let (virtual_time, wall_time) = mark.spans(&self.clock);
        if outcome == Outcome::Done {
            self.screen.show("\n");
        }
        let Step { number, title, commands, on_page } = step;
        steps.push(StepReport {
            number,
            title,
            commands,
            on_page,
            outcome,
            reason,
            virtual_time,
            wall_time,
            result,
        });
    }
}

fn heading(step: &Step) -> String {
    let note = if step.on_page { "" } else { "  (not on the page)" };
    let commands: String = step.commands.iter().map(|command| format!("$ {command}\n")).collect();
    format!("{}. {}{note}\n\n{commands}\n", step.number, step.title)
}

fn at(time: Timestamp, text: &str) -> String {
    format!("[{}] {text}", time.strftime("%Y-%m-%d %H:%M:%SZ"))
}

fn progress_line(event: &Event) -> String {
    let mark = match event.state {
        StageState::Started | StageState::Done => "",
        StageState::Waiting => "waiting: ",
        StageState::Warning => "warning: ",
    };
    at(event.at, &format!("{mark}{}", event.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_names_the_commands_and_what_is_ours() {
        let step =
            Step { number: 8, title: "Leave nothing behind", commands: vec!["az x".into()], on_page: false };
        assert_eq!(heading(&step), "8. Leave nothing behind  (not on the page)\n\n$ az x\n\n");
        assert_eq!(people(Duration::from_secs(511)), "8 min 31 s");
    }
}
