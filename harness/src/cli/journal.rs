//! `dryarc journal`.

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sim_core::journal::Event;

use super::output::{Output, print_while_read, show};
use super::{CliError, Context, Exit};

/// The kind of event that the gateway writes for a host that nobody plays.
const UNROUTED: &str = "unrouted";

/// Show what happened in a world
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc journal
  dryarc journal --follow
  dryarc journal --kind request --text connectedClusters
  dryarc journal --unmatched                 hosts and requests that nobody answers
  dryarc journal --output json > journal.json")]
pub(super) struct Journal {
    /// Keep printing what happens, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only events of this kind: request, operation, fault, unrouted, …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only events of actors whose name begins so: arm, entra, his, data-plane, gateway, kube-api, faults, control, …
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Only events in whose details this text occurs
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only events behind this position
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// Only requests that nobody answered as meant, with the nearest that somebody would, and what differs
    #[arg(long, conflicts_with = "kind")]
    unmatched: bool,
    /// The form of the output; with --follow, json is one event per line
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

impl Journal {
    /// Whether this goes on until it is interrupted.
    pub(super) fn follows(&self) -> bool {
        self.follow
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let control = context.control()?;
        if self.unmatched && !self.follow {
            let events: Vec<Value> = control.get("/v1/journal/unmatched").await?;
            show(self.output, &json!(events), || events.iter().map(explained).collect())?;
            return Ok(Exit::Ok);
        }
        if !self.follow {
            let events: Vec<Event> = control.get(&self.path()).await?;
            show(self.output, &json!(events), || events.iter().map(people).collect())?;
            return Ok(Exit::Ok);
        }
        if self.output == Output::Yaml {
            return Err(CliError::usage("YAML cannot be followed").next("use --output json or table"));
        }
        let mut events = control.follow(&self.path()).await?;
        while let Some(event) = events.next::<Event>().await? {
            let line = match self.output {
                Output::Json => format!("{}\n", json!(event)),
                Output::Table | Output::Yaml => people(&event),
            };
            if !print_while_read(&line) {
                break;
            }
        }
        Ok(Exit::Ok)
    }

    fn path(&self) -> String {
        let kind = if self.unmatched { Some(UNROUTED) } else { self.kind.as_deref() };
        let after = self.after.map(|after| after.to_string());
        let follow = self.follow.then_some("true");
        let wanted = [
            ("kind", kind),
            ("actor", self.actor.as_deref()),
            ("text", self.text.as_deref()),
            ("after", after.as_deref()),
            ("follow", follow),
        ];
        let pair = |(name, value): (&str, Option<&str>)| {
            Some(format!("{name}={}", utf8_percent_encode(value?, NON_ALPHANUMERIC)))
        };
        let query: Vec<String> = wanted.into_iter().filter_map(pair).collect();
        format!("/v1/journal?{}", query.join("&"))
    }
}

/// An event with what it came near.
fn explained(unmatched: &Value) -> String {
    let mut line =
        serde_json::from_value::<Event>(unmatched.clone()).map(|event| people(&event)).unwrap_or_default();
    if let (Some(nearest), Some(differs)) = (unmatched["nearest"].as_str(), unmatched["differs"].as_str()) {
        line.push_str(&format!("  nearest: {nearest}; {differs}\n"));
    }
    line
}

fn people(event: &Event) -> String {
    let mut line =
        format!("{} {} {} {}", event.seq, event.time.strftime("%FT%T%.3fZ"), event.actor, event.kind);
    for (name, value) in &event.facts {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        line.push_str(&format!(" {name}={value}"));
    }
    for (name, flag) in [("committed", event.committed), ("delivered", event.delivered)] {
        if let Some(flag) = flag {
            line.push_str(&format!(" {name}={flag}"));
        }
    }
    line.push('\n');
    line
}
