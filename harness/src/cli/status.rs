//! `dryarc status`.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::output::{Output, fields, show, table};
use super::{CliError, Context, Exit, clock};
use crate::control::{Control, Status as WorldStatus};
use crate::state::{ProxyPlace, WorldRecord};

/// How long a world may take to say how it is, in wall time.
const PATIENCE: Duration = Duration::from_secs(5);

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
        let record = context.running()?;
        let status = answer(context, &record).await?;
        show(self.output, &json!(status), || people(&status))?;
        Ok(Exit::Ok)
    }

    async fn every_world(&self, context: &Context) -> Result<Exit, CliError> {
        let mut rows = Vec::new();
        let mut values = Vec::new();
        for found in context.home.list()? {
            let status = match &found.record {
                Ok(record) => answer(context, record).await.map_err(|error| error.what),
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

/// How the world is; an error when it is there and says nothing.
async fn answer(context: &Context, record: &WorldRecord) -> Result<WorldStatus, CliError> {
    let control = Control::new(record);
    match context.clock.wall_timeout(PATIENCE, control.status()).await {
        Ok(answer) => Ok(answer?),
        Err(_) => {
            let what = format!("world '{}' does not answer (process {})", record.name, record.owner.pid);
            let flag = super::error::world_flag(record.name.as_str());
            let next = format!("end it with `dryarc down{flag}`, or see what keeps that process");
            Err(CliError::new(Exit::Unusable, what).next(next))
        }
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

fn proxy(place: &ProxyPlace) -> String {
    let https = place.https.map(|address| format!(" and https://{address}")).unwrap_or_default();
    format!("{} (http://{}{https})", place.name, place.http)
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
    let proxies: Vec<String> = status.proxies.iter().map(proxy).collect();
    if !proxies.is_empty() {
        pairs.push(("Proxies", proxies.join(", ")));
    }
    if !status.allow.is_empty() {
        pairs.push(("Allowed hosts", status.allow.join(", ")));
    }
    fields(&pairs)
}
