//! `dryarc fault`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::output::{Output, show, table};
use super::{CliError, Context, Exit, output};

/// The longest rule file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// List, add or clear fault rules
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc fault add --rule '{hook: before, match: {facts: {path: \"*/connectedClusters/*\"}}, effect: respond, status: 429, code: TooManyRequests, message: slow down}'
  dryarc fault add rule.yaml
  dryarc fault list
  dryarc fault clear")]
pub(super) struct Fault {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the rules, with how often each matched and fired
    #[command(after_help = "Example:\n  dryarc fault list --output json")]
    List {
        /// The form of the output
        #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
        output: Output,
    },
    /// Add a rule, or replace the one of the same id
    #[command(after_help = "\
Examples:
  dryarc fault add rule.yaml
  dryarc fault add --rule '{hook: wire, match: {facts: {host: management.azure.com}, nth: [1]}, effect: reset}'

Hooks: wire, before, after, settle, kubelet.
Effects: delay (millis), respond (status, code, message, retryAfter), reset, hang, refuse,
fail (code, message), stuck.
`match` may have facts, nth, from, until, probability.")]
    Add {
        /// A file with the rule (YAML or JSON); `-` reads standard input
        #[arg(value_name = "FILE", required_unless_present = "rule", conflicts_with = "rule")]
        file: Option<PathBuf>,
        /// The rule itself (YAML or JSON)
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
    },
    /// Remove one rule, or all of them
    #[command(after_help = "Examples:\n  dryarc fault clear\n  dryarc fault clear fault-1")]
    Clear {
        /// The rule's id; every rule when left out
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
}

impl Fault {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let control = context.control()?;
        match self.command {
            Command::List { output } => {
                let list: Value = control.get("/v1/faults").await?;
                show(output, &list, || people(list.as_array().map_or(&[], Vec::as_slice)))?;
            }
            Command::Add { file, rule } => {
                let text = match (rule, file) {
                    (Some(rule), _) => rule,
                    (None, Some(file)) => read(&file)?,
                    (None, None) => String::new(),
                };
                let rule = parse(&text)?;
                let added: Value = control.send(Method::POST, "/v1/faults", &rule).await?;
                output::say(&format!("added {}", added["id"].as_str().unwrap_or("the rule")));
            }
            Command::Clear { id } => {
                let path = match &id {
                    Some(id) => format!("/v1/faults/{}", utf8_percent_encode(id, NON_ALPHANUMERIC)),
                    None => "/v1/faults".into(),
                };
                let answer: Value = control.send(Method::DELETE, &path, &Value::Null).await?;
                let rules = if answer["removed"] == 1 { "rule" } else { "rules" };
                output::say(&format!("removed {} fault {rules}", answer["removed"]));
            }
        }
        Ok(Exit::Ok)
    }
}

fn parse(text: &str) -> Result<Value, CliError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        let reason = error.strip_prefix("error: ").unwrap_or(&error).trim_end();
        CliError::usage(format!("the rule is neither YAML nor JSON: {reason}"))
            .next("compare it with the examples of `dryarc fault add --help`")
    })
}

fn read(file: &Path) -> Result<String, CliError> {
    let failed = |error: std::io::Error| {
        CliError::usage(format!("cannot read {}: {error}", file.display()))
            .next("name a file with a rule, `-` for standard input, or give --rule")
    };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_string(&mut text).map_err(failed)?;
    } else {
        let open = std::fs::File::open(file).map_err(failed)?;
        open.take(LARGEST).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}

fn people(list: &[Value]) -> String {
    let row = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let count = |key: &str| one[key].as_u64().unwrap_or_default().to_string();
        vec![text("id"), text("hook"), text("effect"), count("matched"), count("fired"), text("lastMiss")]
    };
    let rows: Vec<Vec<String>> = list.iter().map(row).collect();
    table(&["ID", "HOOK", "EFFECT", "MATCHED", "FIRED", "LAST MISS"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_cannot_be_read_says_so_once() {
        let error = parse("{").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit, Exit::Usage);
        assert_eq!(text.matches("error:").count(), 1, "{text}");
        assert!(text.contains("next: "), "{text}");
    }
}
