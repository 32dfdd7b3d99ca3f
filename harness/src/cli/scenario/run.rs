//! `dryarc scenario run`.

use std::path::{Path, PathBuf};

use clap::Args;
use sim_core::clock::Clock;

use super::super::output::{Output, print, say, show};
use super::super::signals::Signals;
use super::super::{CliError, Context, Exit, extensions};
use super::{found, tagged};
use crate::scenario::{
    Driver, Report, RunOptions, Scenario, Verdict, built_in, html, junit, report, run_all, terminal,
};

pub(super) const HELP: &str = "\
Examples:
  dryarc scenario run --all
  dryarc scenario run registration-stuck
  dryarc scenario run --tag proxy --jobs 4
  dryarc scenario run ./our-scenarios --junit report.xml
  dryarc scenario run --all --driver az
  dryarc scenario run --all --html report.html --output json

A scenario passes when it fails for its reason and its remedy helps. Each has a world of its own in this process, whose
clock jumps to what is waited for; it runs while real programs are at work. Exit codes: 0 all passed, 1 some did not or none
could be performed, 2 a file is wrong, 3 no such scenario.

A scenario file may run programs (steps 'sh', 'kubectl', 'helm', and az with --driver az): running a file means to run what
it says, with your rights and your network. Run files only that you would run as scripts.";

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Names of built-in scenarios, files, or folders with files
    #[arg(value_name = "NAME|FILE|DIR", required_unless_present_any = ["all", "tag"])]
    what: Vec<String>,
    /// Every built-in scenario
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// Only those with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Who performs onboarding and calls of Azure; scenarios for others are left out of --all and --tag [default: native]
    #[arg(long, value_enum, value_name = "WHO")]
    driver: Option<Who>,
    /// Draw names, ids and chances from this number instead of the scenarios' own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many run beside each other [default: two for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Also write a report as one page of HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Tell the whole story of each
    #[arg(long)]
    story: bool,
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

/// Who performs scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Who {
    /// dryarc's own onboarding
    Native,
    /// The real Azure CLI
    Az,
}

impl From<Who> for Driver {
    fn from(who: Who) -> Self {
        match who {
            Who::Native => Self::Native,
            Who::Az => Self::Az,
        }
    }
}

impl Run {
    pub(super) async fn perform(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        let mut scenarios = Vec::new();
        if self.what.is_empty() {
            scenarios = self.performable(built_in()?, false)?;
        }
        for what in &self.what {
            scenarios.extend(self.performable(found(what)?, !Path::new(what).is_dir())?);
        }
        if scenarios.is_empty() {
            let what = "none of these scenarios is for the chosen driver";
            return Err(
                CliError::new(Exit::NotFound, what).next("`dryarc scenario list` shows the drivers of each")
            );
        }
        let scenarios = tagged(scenarios, self.tag.as_deref())?;
        for file in [&self.junit, &self.html].into_iter().flatten() {
            writable(file)?;
        }
        let mut options = RunOptions {
            seed: self.seed,
            driver: self.driver.map(Driver::from),
            outer: context.outer.clone(),
            ..RunOptions::default()
        };
        if self.driver == Some(Who::Az) {
            // The Azure CLI is at work itself, where a world only rests now and then.
            options.jobs = options.jobs.div_ceil(2);
        }
        if let Some(jobs) = self.jobs {
            options.jobs = jobs.into();
        }
        let width = scenarios.iter().map(|one| one.name.len()).max().unwrap_or_default();
        let (people, story) = (self.output == Output::Table, self.story);
        let ended = move |report: &Report| {
            if people {
                let mut text = terminal::line(report, width) + "\n";
                text.push_str(&terminal::problems(report));
                if story {
                    text.push_str(&format!("\n{}\n", terminal::story(report)));
                }
                // Whoever does not read any more is told by the exit code.
                let _ = print(&text);
            }
        };
        let watch = Clock::running(1.0).stopwatch();
        let reports = performed(scenarios, &options, ended, signals).await?;
        self.tell(&reports, watch.elapsed())
    }

    /// Those that the chosen driver performs. One that was `named` and is for others is an error.
    fn performable(&self, scenarios: Vec<Scenario>, named: bool) -> Result<Vec<Scenario>, CliError> {
        let Some(driver) = self.driver.map(Driver::from) else { return Ok(scenarios) };
        let (fitting, others): (Vec<Scenario>, Vec<Scenario>) =
            scenarios.into_iter().partition(|one| one.drivers.contains(&driver));
        if let Some(other) = others.first().filter(|_| named) {
            let what = format!("scenario '{}' is not for the driver {driver}", other.name);
            let own = other.drivers.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
            return Err(CliError::usage(what)
                .next(format!("it is for {own}; 'drivers' in its file says who can perform it")));
        }
        Ok(fitting)
    }

    fn tell(&self, reports: &[Report], wall: std::time::Duration) -> Result<Exit, CliError> {
        if self.output == Output::Table {
            say(&terminal::summary(reports, wall));
        } else {
            show(self.output, &report::document(reports, wall), String::new)?;
        }
        if let Some(file) = &self.junit {
            write(file, &junit::xml(reports, wall))?;
        }
        if let Some(file) = &self.html {
            write(file, &html::page(reports, wall))?;
        }
        let of = |verdict| reports.iter().filter(move |report| report.verdict == verdict);
        check_skipped(reports)?;
        let failed: Vec<&Report> = of(Verdict::Failed).chain(of(Verdict::Broken)).collect();
        match failed.as_slice() {
            [] => Ok(Exit::Ok),
            [first, ..] => {
                let what = format!("{} of {} scenarios did not pass", failed.len(), reports.len());
                let driver = self.driver.map(|_| format!(" --driver {}", first.driver)).unwrap_or_default();
                let next = format!(
                    "look closer with `dryarc scenario run {}{driver} --seed {} --story`",
                    first.name, first.seed
                );
                Err(CliError::failed(what).next(next))
            }
        }
    }
}

/// Performs scenarios until they have ended or somebody asks to end.
pub(super) async fn performed(
    scenarios: Vec<Scenario>,
    options: &RunOptions,
    ended: impl Fn(&Report) + Send + Sync,
    signals: &mut Signals,
) -> Result<Vec<Report>, CliError> {
    let running = run_all(scenarios, options, ended);
    tokio::pin!(running);
    tokio::select! {
        reports = &mut running => Ok(reports),
        asked = signals.next() => {
            options.cancel.cancel();
            // Worlds end in order, and their folders go.
            running.await;
            Err(asked.error())
        }
    }
}

/// Nothing passes where nothing was performed.
pub(super) fn check_skipped(reports: &[Report]) -> Result<(), CliError> {
    if reports.is_empty() || reports.iter().any(|report| report.verdict != Verdict::Skipped) {
        return Ok(());
    }
    let why = reports[0].skipped.as_deref().unwrap_or_default();
    Err(CliError::failed(format!("nothing was performed: {why}")).next(format!(
        "`dryarc doctor` says what is there; get the extension by {}",
        extensions::GET_CONNECTEDK8S
    )))
}

/// Sees that a report can be written before minutes are spent on it.
fn writable(file: &Path) -> Result<(), CliError> {
    let there = file.exists();
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
    opened.map_err(|error| not_written(file, &error))?;
    if !there {
        // What was made to see it is taken away again; the report makes it anew.
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(file, text).map_err(|error| not_written(file, &error))
}

fn not_written(file: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("the report cannot be written to {}: {error}", file.display()))
        .next("name a file in a folder that exists and can be written")
}
