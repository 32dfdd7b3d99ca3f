//! `dryarc status`.

use clap::Args;
use serde_json::{Value, json};

use super::output::{Output, fields, show, table};
use super::{CliError, Context, Exit, clock};
use crate::control::{Control, Status as WorldStatus};

/// Show how a world is
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc status
  dryarc status --world ci --output json
  dryarc status --all                        every world of yours")]
pub(super) struct Status {
    /// Every world instead of one
    #[arg(long, short)]
    all: bool,
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if self.all {
            return self.every_world(context).await;
        }
        let status = context.control()?.status().await?;
        show(self.output, &json!(status), || people(&status))?;
        Ok(Exit::Ok)
    }

    async fn every_world(&self, context: &Context) -> Result<Exit, CliError> {
        let mut rows = Vec::new();
        let mut values = Vec::new();
        for found in context.home.list()? {
            let status = match &found.record {
                Ok(record) => Control::new(record).status().await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let (row, value) = line(found.name.as_str(), status);
            rows.push(row);
            values.push(value);
        }
        show(self.output, &Value::Array(values), || table(&["WORLD", "STATE", "CLOCK", "PID"], &rows))?;
        Ok(Exit::Ok)
    }
}

fn line(name: &str, status: Result<WorldStatus, String>) -> (Vec<String>, Value) {
    match status {
        Ok(status) => (
            vec![name.into(), "running".into(), clock::describe(&status.clock), status.pid.to_string()],
            json!(status),
        ),
        Err(problem) => (
            vec![name.into(), problem.clone(), String::new(), String::new()],
            json!({ "world": name, "problem": problem }),
        ),
    }
}

fn people(status: &WorldStatus) -> String {
    let clusters: Vec<String> =
        status.clusters.iter().map(|one| format!("{} ({}, {})", one.name, one.backend, one.url)).collect();
    let mut pairs = vec![
        ("World", status.world.clone()),
        ("Version", status.version.clone()),
        ("Process", status.pid.to_string()),
        ("Time", clock::describe(&status.clock)),
        ("Seed", status.seed.to_string()),
        ("Tenant", status.tenant.clone()),
        ("Subscription", status.subscription.clone()),
        ("Cluster", clusters.join(", ")),
        ("Gateway", format!("http://{}", status.gateway)),
        ("Cloud", format!("https://{}", status.cloud)),
    ];
    if !status.allow.is_empty() {
        pairs.push(("Allowed hosts", status.allow.join(", ")));
    }
    fields(&pairs)
}
