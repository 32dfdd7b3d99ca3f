//! `dryarc cluster`: embedded Kubernetes clusters without a cloud, as many as wanted.

mod create;
mod record;

use std::time::Duration;

use clap::{Args, Subcommand};
use rustix::process::Signal;
use serde_json::{Value, json};

use self::record::{Clusters, Record};
use super::output::{Output, print, say, show, table};
use super::signals::Signals;
use super::{CliError, Context, Exit};
use crate::state::{WorldName, signal_process};

/// How long a cluster may take to end in order, and how long to end at all.
const PATIENCE: [(Signal, Duration); 2] =
    [(Signal::TERM, Duration::from_secs(10)), (Signal::KILL, Duration::from_secs(3))];

/// How often it is looked whether a cluster is gone.
const PAUSE: Duration = Duration::from_millis(20);

/// Embedded Kubernetes clusters on their own, without a cloud
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc cluster create
  export KUBECONFIG=$(dryarc cluster kubeconfig --path)
  dryarc cluster list
  dryarc cluster delete

A cluster that is not running is exit code 3, one that is there already 5.")]
pub(super) struct ClusterCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(create::Create),
    List(List),
    Delete(Delete),
    Kubeconfig(Kubeconfig),
}

/// List the clusters that run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc cluster list
  dryarc cluster list --output json")]
struct List {
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

/// End a cluster; no process, port or file of it is left
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc cluster delete
  dryarc cluster delete ci
  dryarc cluster delete --all")]
struct Delete {
    /// Its name
    #[arg(default_value_t, value_name = "NAME")]
    name: WorldName,
    /// Every cluster instead of one
    #[arg(long, short)]
    all: bool,
}

/// Print a cluster's kubeconfig; it may do everything there
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc cluster kubeconfig > ~/.kube/dryarc
  export KUBECONFIG=$(dryarc cluster kubeconfig ci --path)")]
struct Kubeconfig {
    /// Its name
    #[arg(default_value_t, value_name = "NAME")]
    name: WorldName,
    /// Print where the file is instead
    #[arg(long)]
    path: bool,
}

impl ClusterCommand {
    pub(super) async fn run(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        let clusters = Clusters::of(&context.home);
        match self.action {
            Action::Create(create) => return Box::pin(create.run(context, signals)).await,
            Action::List(list) => {
                let found = clusters.list()?;
                let shown: Vec<Value> = found.iter().map(described).collect();
                show(list.output, &Value::Array(shown), || people(&found))?;
            }
            Action::Delete(delete) => {
                let found = if delete.all { clusters.list()? } else { vec![clusters.find(&delete.name)?] };
                if found.is_empty() {
                    say("there is no cluster to end");
                }
                for record in &found {
                    end(context, &clusters, record).await?;
                }
            }
            Action::Kubeconfig(wanted) => {
                let path = clusters.find(&wanted.name)?.kubeconfig;
                if wanted.path {
                    print(&format!("{}\n", path.display()))?;
                } else {
                    let text = std::fs::read_to_string(&path).map_err(|error| {
                        CliError::new(Exit::Unusable, format!("cannot read {}: {error}", path.display()))
                            .next(format!("end the cluster with `dryarc cluster delete {}`", wanted.name))
                    })?;
                    print(&text)?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}

fn described(record: &Record) -> Value {
    json!({
        "name": record.name.as_str(), "url": record.url, "nodes": record.nodes, "version": record.version,
        "process": record.owner.pid, "kubeconfig": record.kubeconfig,
    })
}

fn people(records: &[Record]) -> String {
    let row = |one: &Record| {
        vec![one.name.to_string(), one.nodes.to_string(), one.url.clone(), one.owner.pid.to_string()]
    };
    let rows: Vec<_> = records.iter().map(row).collect();
    table(&["NAME", "NODES", "SERVER", "PROCESS"], &rows)
}

async fn end(context: &Context, clusters: &Clusters, record: &Record) -> Result<(), CliError> {
    let name = &record.name;
    for (signal, patience) in PATIENCE {
        let sent = signal_process(record.owner, signal);
        let gone = async {
            while record.owner.alive() || clusters.find(name).is_ok() {
                context.clock.wall_sleep(PAUSE).await;
            }
        };
        if context.clock.wall_timeout(patience, gone).await.is_ok() {
            let how = if signal == Signal::KILL && sent {
                "did not end in order and was killed"
            } else {
                "has ended"
            };
            clusters.tidy();
            say(&format!("cluster '{name}' {how}"));
            return Ok(());
        }
    }
    let what = format!("cluster '{name}' does not end (process {})", record.owner.pid);
    Err(CliError::new(Exit::Unusable, what).next("end that process yourself"))
}
