//! `dryarc journal`.

use std::collections::BTreeMap;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};
use sim_core::journal::Event;

use super::output::{Output, print_while_read, show};
use super::{CliError, Context, Exit};

/// Show what happened in a world
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc journal
  dryarc journal --follow
  dryarc journal --kind request --text connectedClusters
  dryarc journal --unmatched                 hosts and requests that nobody answers
  dryarc journal --costs                     how long the cloud worked, by host
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
    #[arg(long, conflicts_with_all = ["kind", "actor", "text", "after"])]
    unmatched: bool,
    /// How long the simulated cloud worked on the requests, by host, instead of what happened; waiting of clients is not in it
    #[arg(long, conflicts_with = "follow")]
    costs: bool,
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
            if self.costs {
                let costs = Costs::of(&events);
                show(self.output, &json!(costs.0), || costs.table())?;
                return Ok(Exit::Ok);
            }
            show(self.output, &json!(events), || events.iter().map(people).collect())?;
            return Ok(Exit::Ok);
        }
        if self.output == Output::Yaml {
            return Err(CliError::usage("YAML cannot be followed").next("use --output json or table"));
        }
        let (path, form): (String, fn(&Value) -> String) = match self.unmatched {
            true => ("/v1/journal/unmatched?follow=true".into(), explained),
            false => (self.path(), told),
        };
        let mut events = control.follow(&path).await?;
        while let Some(event) = events.next::<Value>().await? {
            let line = match self.output {
                Output::Json => format!("{event}\n"),
                Output::Table | Output::Yaml => form(&event),
            };
            if !print_while_read(&line) {
                break;
            }
        }
        Ok(Exit::Ok)
    }

    fn path(&self) -> String {
        let kind = self.kind.as_deref();
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

/// An event as the control interface tells it.
fn told(event: &Value) -> String {
    serde_json::from_value::<Event>(event.clone()).map(|event| people(&event)).unwrap_or_default()
}

/// An event with what it came near.
fn explained(unmatched: &Value) -> String {
    let mut line = told(unmatched);
    if let (Some(nearest), Some(differs)) = (unmatched["nearest"].as_str(), unmatched["differs"].as_str()) {
        line.push_str(&format!("  nearest: {nearest}; {differs}\n"));
    }
    line
}

/// What requests cost, by host; the last row is the sum.
struct Costs(Vec<Cost>);

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    host: String,
    requests: u64,
    micros: u64,
}

impl Costs {
    fn of(events: &[Event]) -> Self {
        let mut hosts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for event in events {
            let Some(took) = event.took_micros else { continue };
            let host = event.facts.get("host").and_then(Value::as_str).unwrap_or_default();
            let cost = hosts.entry(host).or_default();
            *cost = (cost.0 + 1, cost.1 + took);
        }
        let row = |host: &str, (requests, micros)| Cost { host: host.into(), requests, micros };
        let sum = hosts.values().fold((0, 0), |sum, cost| (sum.0 + cost.0, sum.1 + cost.1));
        let mut rows: Vec<Cost> = hosts.into_iter().map(|(host, cost)| row(host, cost)).collect();
        rows.push(row("total", sum));
        Self(rows)
    }

    fn table(&self) -> String {
        let width = self.0.iter().map(|row| row.host.len()).max().unwrap_or_default();
        let mut text = format!("{:width$}  REQUESTS  MILLISECONDS\n", "HOST");
        for Cost { host, requests, micros } in &self.0 {
            let whole = micros / 1000;
            let rest = micros % 1000;
            text.push_str(&format!("{host:width$}  {requests:8}  {whole:>8}.{rest:03}\n"));
        }
        text
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_added_up_by_host() {
        let event = |host: &str, took: Option<u64>| -> Event {
            let mut event = json!({
                "seq": 1, "time": "2026-01-01T00:00:00Z", "actor": "arm", "actorSeq": 1, "kind": "request",
                "facts": { "host": host },
            });
            if let Some(took) = took {
                event["tookMicros"] = took.into();
            }
            serde_json::from_value(event).unwrap()
        };
        let costs =
            Costs::of(&[event("b", Some(1500)), event("a", Some(1)), event("b", Some(2)), event("c", None)]);
        let row = |host: &str, requests, micros| Cost { host: host.into(), requests, micros };
        assert_eq!(costs.0, [row("a", 1, 1), row("b", 2, 1502), row("total", 3, 1503)]);
        assert!(costs.table().contains("b             2         1.502\n"), "{}", costs.table());
    }
}
