//! `dryarc provider`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::output::{Output, show, table};
use super::{CliError, Context, Exit, span};

/// Show or set how resource provider namespaces register
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc provider list
  dryarc provider set Microsoft.Kubernetes --delay 10m
  dryarc provider set Microsoft.Kubernetes --outcome stuck
  dryarc provider set Microsoft.Kubernetes --state Registered")]
pub(super) struct Provider {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the namespaces
    #[command(after_help = "Example:\n  dryarc provider list --output json")]
    List {
        /// The form of the output
        #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
        output: Output,
    },
    /// Set how a namespace registers from now on, or where it stands at once
    #[command(after_help = "\
Examples:
  dryarc provider set Microsoft.Kubernetes --delay 10m
  dryarc provider set Microsoft.KubernetesConfiguration --outcome regional
  dryarc provider set Microsoft.Kubernetes --outcome flapping --delay 2m --unregister-delay 20m
  dryarc provider set Microsoft.ExtendedLocation --state Registered")]
    Set(Set),
}

#[derive(Debug, Args)]
struct Set {
    /// The namespace, such as Microsoft.Kubernetes
    #[arg(value_name = "NAMESPACE")]
    namespace: String,
    /// How long a registration takes, in the world's time
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = span::parse)]
    delay: Option<Duration>,
    /// How a registration goes
    #[arg(long, value_enum, ignore_case = true, value_name = "OUTCOME")]
    outcome: Option<Outcome>,
    /// How long unregistering takes, in the world's time; as long as registering unless it is said here
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = span::parse)]
    unregister_delay: Option<Duration>,
    /// Put the namespace there now, in every subscription
    #[arg(long, value_enum, ignore_case = true, value_name = "STATE")]
    state: Option<State>,
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Outcome {
    /// Registered after the delay; until then region after region opens for writes
    Registered,
    /// Registering for ever, and no region opens
    Stuck,
    /// Back to `NotRegistered` after the delay
    Failed,
    /// The call is answered and nothing comes of it
    Never,
    /// Registering for ever, although region after region opens within the delay
    Regional,
    /// Registered after the delay, but for as long again replicas disagree
    Flapping,
    /// The caller may not register
    Forbidden,
}

impl Outcome {
    fn wire(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Stuck => "stuck",
            Self::Failed => "failed",
            Self::Never => "never",
            Self::Regional => "regional",
            Self::Flapping => "flapping",
            Self::Forbidden => "forbidden",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum State {
    NotRegistered,
    Registering,
    Registered,
    Unregistering,
    Unregistered,
}

impl Provider {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let control = context.control()?;
        match self.command {
            Command::List { output } => {
                let list: Value = control.get("/v1/providers").await?;
                show(output, &list, || people(list.as_array().map_or(&[], Vec::as_slice)))?;
            }
            Command::Set(set) => {
                let change = set.change()?;
                let name = utf8_percent_encode(&set.namespace, NON_ALPHANUMERIC);
                let path = format!("/v1/providers/{name}");
                let now: Value = control.send(Method::PUT, &path, &change).await?;
                show(set.output, &now, || people(std::slice::from_ref(&now)))?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Set {
    fn change(&self) -> Result<Value, CliError> {
        let mut change = Map::new();
        if let Some(delay) = self.delay {
            change.insert("delaySeconds".into(), delay.as_secs().into());
        }
        if let Some(outcome) = self.outcome {
            change.insert("outcome".into(), outcome.wire().into());
        }
        if let Some(delay) = self.unregister_delay {
            change.insert("unregisterDelaySeconds".into(), delay.as_secs().into());
        }
        if let Some(state) = self.state.and_then(|state| state.to_possible_value()) {
            change.insert("state".into(), state.get_name().into());
        }
        if change.is_empty() {
            return Err(CliError::usage("there is nothing to set")
                .next("give --delay, --outcome, --unregister-delay or --state"));
        }
        Ok(Value::Object(change))
    }
}

fn people(list: &[Value]) -> String {
    let row = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let delay = Duration::from_secs(one["delaySeconds"].as_u64().unwrap_or_default());
        let mut states: Vec<&str> =
            one["states"].as_object().into_iter().flatten().filter_map(|(_, state)| state.as_str()).collect();
        // One word when the subscriptions agree.
        states.dedup();
        vec![text("namespace"), states.join(", "), span::format(delay), text("outcome")]
    };
    let rows: Vec<Vec<String>> = list.iter().map(row).collect();
    table(&["NAMESPACE", "STATE", "DELAY", "OUTCOME"], &rows)
}
