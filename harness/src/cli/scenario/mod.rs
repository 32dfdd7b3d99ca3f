//! `dryarc scenario`.

mod bisect;
mod new;
mod run;

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{Output, print, say, show, table};
use super::signals::Signals;
use super::{CliError, Context, Exit};
use crate::scenario::{Scenario, ScenarioError, built_in, schema, terminal, text_of};

/// Failures of the field, each with its remedy: list, show, run, make new ones
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc scenario list --tag throttling
  dryarc scenario show registration-stuck
  dryarc scenario run --all
  dryarc scenario new --from-journal > mine.yaml")]
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
    #[command(after_help = run::HELP)]
    Run(run::Run),
    /// Make a scenario file of what just happened in a world
    #[command(after_help = new::HELP)]
    New(new::New),
    /// Run one scenario with many seeds, and say on which it depends
    #[command(after_help = bisect::HELP)]
    BisectSeed(bisect::Bisect),
    /// Print the JSON Schema of scenario files, for editors
    #[command(
        after_help = "Example:\n  dryarc scenario schema > scenario.schema.json\n\nFirst line of a file: # yaml-language-server: $schema=scenario.schema.json"
    )]
    Schema,
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
            Command::New(new) => new.perform(context).await,
            Command::BisectSeed(bisect) => bisect.perform(context, signals).await,
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
    let read = if path.is_dir() {
        Scenario::read_folder(path)?
    } else if path.is_file() {
        vec![Scenario::read_file(path)?]
    } else {
        return Err(unknown(what));
    };
    for scenario in &read {
        for doubt in scenario.doubts() {
            say(&format!("warning: {}: {doubt}", scenario.name));
        }
    }
    Ok(read)
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
