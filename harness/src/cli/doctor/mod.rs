//! `dryarc doctor`.
//!
//! What a world can use of this machine. Nothing of it is changed: programs are only asked for their version, and those that
//! would write beside themselves are given a folder to do so.

mod azure_cli;
mod finding;
mod programs;
mod surroundings;
mod tour;

use clap::Args;
use serde_json::json;
use sim_core::clock::Clock;

use super::output::{Output, show, table};
use super::{CliError, Exit, output};
use crate::client_env::OuterEnv;
use finding::{Finding, State};
pub(super) use tour::require as require_az;

/// Say what a world can use on this machine, what each is for, and how to get what is missing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc doctor
  dryarc doctor --output json

An embedded cluster needs no other program. The exit code is 0 when nothing is missing that it needs,
and 1 when something is.")]
pub(super) struct Doctor {
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

impl Doctor {
    pub(super) async fn run(self, outer: &OuterEnv) -> Result<Exit, CliError> {
        let clock = Clock::running(1.0);
        let mut findings = surroundings::examine(outer);
        let (az, kubectl, helm, docker, kind) = tokio::join!(
            azure_cli::az(outer, &clock),
            programs::kubectl(outer, &clock),
            programs::helm(outer, &clock),
            programs::docker(outer, &clock),
            programs::kind(outer, &clock),
        );
        let of_tour = [az, azure_cli::connectedk8s(outer), kubectl, helm];
        let tour = tour::finding(&of_tour);
        findings.extend(of_tour);
        findings.extend([docker, kind, tour]);
        show(self.output, &json!(findings), || people(&findings))?;
        let lacking: Vec<&str> = findings.iter().filter(|one| one.lacking()).map(|one| one.name).collect();
        if lacking.is_empty() {
            return Ok(Exit::Ok);
        }
        output::say(&format!("error: no world can run here: {}", lacking.join(", ")));
        Ok(Exit::Failed)
    }
}

fn people(findings: &[Finding]) -> String {
    let row = |one: &Finding| {
        let place = one.place.clone().or_else(|| one.detail.clone()).unwrap_or_default();
        let version = one.version.clone().unwrap_or_default();
        vec![one.name.to_owned(), one.state.as_str().to_owned(), version, place]
    };
    let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
    let mut text = table(&["WHAT", "STATE", "VERSION", "WHERE"], &rows);
    for one in findings.iter().filter(|one| one.state != State::Ok) {
        let need = if one.required { "Every world needs it" } else { "It is" };
        text.push_str(&format!("\n{} is {}", one.name, one.state.as_str()));
        if let Some(detail) = &one.detail {
            text.push_str(&format!(": {detail}"));
        }
        text.push_str(&format!("\n  {need} for {}\n  next: {}\n", one.needed_for, one.get));
    }
    let kinds = if findings.iter().any(Finding::lacking) { "cannot run" } else { "can run" };
    text.push_str(&format!("\nA world with an embedded cluster {kinds} here.\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(name: &'static str, state: State, required: bool) -> Finding {
        Finding {
            name,
            required,
            state,
            version: None,
            place: None,
            detail: Some("why".into()),
            needed_for: "something",
            get: "do this".into(),
        }
    }

    #[test]
    fn what_is_missing_is_explained_below_the_table() {
        let text = people(&[finding("kind", State::Missing, false), finding("az", State::Ok, false)]);
        assert!(text.contains("kind is missing: why\n  It is for something\n  next: do this"), "{text}");
        assert!(!text.contains("az is"), "{text}");
        assert!(text.contains("embedded cluster can run"), "{text}");
        let text = people(&[finding("state directory", State::Unusable, true)]);
        assert!(text.contains("embedded cluster cannot run"), "{text}");
    }
}
