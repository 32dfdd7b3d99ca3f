//! `dryarc scenario`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sim_core::clock::Clock;

use super::output::{Output, print, say, show, table};
use super::signals::Signals;
use super::{CliError, Exit};
use crate::scenario::{
    Report, RunOptions, Scenario, ScenarioError, Verdict, built_in, html, junit, report, run_all, schema,
    terminal, text_of,
};

const RUN_HELP: &str = "\
Examples:
  dryarc scenario run --all
  dryarc scenario run registration-stuck
  dryarc scenario run --tag proxy --jobs 4
  dryarc scenario run ./our-scenarios --junit report.xml
  dryarc scenario run --all --html report.html --output json

A scenario passes when it fails for its reason and its remedy helps. Each has a world of its own in this process, whose
clock jumps to what is waited for. Exit codes: 0 all passed, 1 some did not, 2 a file is wrong, 3 no such scenario.";

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

impl From<ScenarioError> for CliError {
    fn from(error: ScenarioError) -> Self {
        Self::usage(format!("this is no scenario: {error}"))
            .next("compare it with `dryarc scenario show NAME --text` and `dryarc scenario schema`")
    }
}

impl ScenarioCommand {
    pub(super) async fn run(self, signals: &mut Signals) -> Result<Exit, CliError> {
        match self.command {
            Command::List { tag, output } => list(tag.as_deref(), output),
            Command::Show { name, text } => tell(&name, text),
            Command::Schema => {
                print(schema::TEXT)?;
                Ok(Exit::Ok)
            }
            Command::Run(run) => run.perform(signals).await,
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
        let row = |one: &Scenario| vec![one.name.clone(), one.tags.join(","), one.title.clone()];
        table(&["NAME", "TAGS", "TITLE"], &all.iter().map(row).collect::<Vec<_>>())
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
    async fn perform(self, signals: &mut Signals) -> Result<Exit, CliError> {
        let mut scenarios = Vec::new();
        if self.what.is_empty() {
            scenarios = built_in()?;
        }
        for what in &self.what {
            scenarios.extend(found(what)?);
        }
        let scenarios = tagged(scenarios, self.tag.as_deref())?;
        let mut options = RunOptions { seed: self.seed, ..RunOptions::default() };
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
        let failed: Vec<&Report> =
            reports.iter().filter(|report| report.verdict != Verdict::Passed).collect();
        match failed.as_slice() {
            [] => Ok(Exit::Ok),
            [first, ..] => {
                let what = format!("{} of {} scenarios did not pass", failed.len(), reports.len());
                let next = format!(
                    "look closer with `dryarc scenario run {} --seed {} --story`",
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
