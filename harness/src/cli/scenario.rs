//! `dryarc scenario`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sim_core::clock::Clock;

use super::output::{Output, print, say, show, table};
use super::signals::Signals;
use super::{CliError, Context, Exit, extensions};
use crate::scenario::{
    Driver, Report, RunOptions, Scenario, ScenarioError, Verdict, built_in, html, junit, report, run_all,
    schema, terminal, text_of,
};

const RUN_HELP: &str = "\
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

/// Failures of the field, each with its remedy: list, show, run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc scenario list --tag throttling
  dryarc scenario show registration-stuck
  dryarc scenario run --all")]
pub(super) struct ScenarioCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the built-in scenarios
    #[command(
        after_help = "Examples:\n  dryarc scenario list\n  dryarc scenario list --tag agents --output json"
    )]
    List {
        /// Only those with this tag
        #[arg(long, value_name = "TAG")]
        tag: Option<String>,
        /// The form of the output
        #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
        output: Output,
    },
    /// Tell a scenario in words
    #[command(
        after_help = "Examples:\n  dryarc scenario show registration-stuck\n  dryarc scenario show registration-stuck --text > mine.yaml"
    )]
    Show {
        /// Its name, or a file
        #[arg(value_name = "NAME|FILE")]
        name: String,
        /// Print the file itself, for changing it
        #[arg(long)]
        text: bool,
    },
    /// Run scenarios, each in a world of its own
    #[command(after_help = RUN_HELP)]
    Run(Run),
    /// Print the JSON Schema of scenario files, for editors
    #[command(
        after_help = "Example:\n  dryarc scenario schema > scenario.schema.json\n\nFirst line of a file: # yaml-language-server: $schema=scenario.schema.json"
    )]
    Schema,
}

#[derive(Debug, Args)]
struct Run {
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
enum Who {
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

impl From<ScenarioError> for CliError {
    fn from(error: ScenarioError) -> Self {
        Self::usage(format!("this is no scenario: {error}"))
            .next("compare it with `dryarc scenario show NAME --text` and `dryarc scenario schema`")
    }
}

impl ScenarioCommand {
    pub(super) async fn run(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        match self.command {
            Command::List { tag, output } => list(tag.as_deref(), output),
            Command::Show { name, text } => tell(&name, text),
            Command::Schema => {
                print(schema::TEXT)?;
                Ok(Exit::Ok)
            }
            Command::Run(run) => run.perform(context, signals).await,
        }
    }
}

fn list(tag: Option<&str>, output: Output) -> Result<Exit, CliError> {
    let all = tagged(built_in()?, tag)?;
    let value: Value = all
        .iter()
        .map(|one| {
            json!({
                "name": one.name, "title": one.title, "cause": one.cause.trim(), "tags": one.tags,
                "sources": one.sources, "drivers": one.drivers,
            })
        })
        .collect();
    show(output, &value, || {
        let drivers = |one: &Scenario| one.drivers.iter().map(|one| one.name()).collect::<Vec<_>>().join(",");
        let row =
            |one: &Scenario| vec![one.name.clone(), drivers(one), one.tags.join(","), one.title.clone()];
        table(&["NAME", "DRIVERS", "TAGS", "TITLE"], &all.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(Exit::Ok)
}

fn tell(name: &str, text: bool) -> Result<Exit, CliError> {
    if text && let Some(text) = text_of(name) {
        print(&text)?;
        return Ok(Exit::Ok);
    }
    let scenario = found(name)?.into_iter().next().ok_or_else(|| unknown(name))?;
    if text {
        let file = std::fs::read_to_string(name)
            .map_err(|error| CliError::usage(format!("cannot read {name}: {error}")))?;
        print(&file)?;
    } else {
        print(&terminal::words(&scenario))?;
    }
    Ok(Exit::Ok)
}

/// The scenarios that a name, a file or a folder stands for.
fn found(what: &str) -> Result<Vec<Scenario>, CliError> {
    if let Some(text) = text_of(what) {
        return Ok(vec![Scenario::read(what, &text)?]);
    }
    let path = Path::new(what);
    if path.is_dir() {
        return Ok(Scenario::read_folder(path)?);
    }
    if path.is_file() {
        return Ok(vec![Scenario::read_file(path)?]);
    }
    Err(unknown(what))
}

fn unknown(name: &str) -> CliError {
    CliError::new(Exit::NotFound, format!("there is no scenario, file or folder '{name}'"))
        .next("`dryarc scenario list` shows the built-in ones")
}

fn tagged(all: Vec<Scenario>, tag: Option<&str>) -> Result<Vec<Scenario>, CliError> {
    let Some(tag) = tag else { return Ok(all) };
    let mut tags: Vec<String> = all.iter().flat_map(|one| one.tags.clone()).collect();
    tags.sort_unstable();
    tags.dedup();
    let left: Vec<Scenario> = all.into_iter().filter(|one| one.tags.iter().any(|own| own == tag)).collect();
    if left.is_empty() {
        return Err(CliError::new(Exit::NotFound, format!("no scenario has the tag '{tag}'"))
            .next(format!("the tags are: {}", tags.join(", "))));
    }
    Ok(left)
}

impl Run {
    async fn perform(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
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
        let running = run_all(scenarios, &options, ended);
        tokio::pin!(running);
        let reports = tokio::select! {
            reports = &mut running => reports,
            asked = signals.next() => {
                options.cancel.cancel();
                // Worlds end in order, and their folders go.
                running.await;
                return Err(asked.error());
            }
        };
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
        if !reports.is_empty() && of(Verdict::Skipped).count() == reports.len() {
            let why = reports[0].skipped.as_deref().unwrap_or_default();
            return Err(CliError::failed(format!("nothing was performed: {why}")).next(format!(
                "`dryarc doctor` says what is there; get the extension by {}",
                extensions::GET_CONNECTEDK8S
            )));
        }
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

fn write(file: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(file, text).map_err(|error| {
        CliError::failed(format!("the report cannot be written to {}: {error}", file.display()))
            .next("name a file in a folder that exists and can be written")
    })
}
