//! `dryarc logs`.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::output::{print_while_read, say};
use super::pod_logs::{self, Wanted};
use super::{CliError, Context, Exit, up};
use crate::state::WorldRecord;

/// How often a log that is followed is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// How much of a log is read at once.
const CHUNK: u64 = 64 * 1024;

/// Show the log of the world, or of a pod in its cluster
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc logs                                the world's own log (of a world in the background)
  dryarc logs config-agent                   a pod of azure-arc whose name begins so
  dryarc logs clusterconnect-agent --container clusterconnect-agent --follow
  dryarc logs my-pod --namespace default --tail 20")]
pub(super) struct Logs {
    /// A pod, or how its name begins; `world` or nothing for the world's own log
    #[arg(value_name = "NAME", default_value = "world", hide_default_value = true)]
    name: String,
    /// The pod's namespace
    #[arg(long, short, value_name = "NAMESPACE", default_value = "azure-arc")]
    namespace: String,
    /// The container, when the pod has several
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// Keep printing, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    tail: Option<u32>,
    /// The log of the container's earlier run
    #[arg(long, short)]
    previous: bool,
}

impl Logs {
    /// Whether this goes on until it is interrupted.
    pub(super) fn follows(&self) -> bool {
        self.follow
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let record = context.running()?;
        if self.name == "world" {
            self.of_the_world(context, &record).await?;
        } else {
            let wanted = Wanted {
                name: &self.name,
                namespace: &self.namespace,
                container: self.container.as_deref(),
                follow: self.follow,
                tail: self.tail,
                previous: self.previous,
            };
            pod_logs::print(context, &wanted).await?;
        }
        Ok(Exit::Ok)
    }

    async fn of_the_world(&self, context: &Context, record: &WorldRecord) -> Result<(), CliError> {
        let path = up::log_path(record);
        if !path.exists() {
            let what = format!("world '{}' runs in a terminal and logs there", record.name);
            return Err(CliError::new(Exit::NotFound, what).next("start it with --detach to keep a log"));
        }
        let mut position =
            self.tail.map_or(Ok(0), |lines| tail(&path, lines)).map_err(|e| unreadable(&path, &e))?;
        loop {
            let (text, end) = read_from(&path, position).map_err(|e| unreadable(&path, &e))?;
            if !print_while_read(&text) {
                return Ok(());
            }
            if end == 0 && !self.follow {
                say("nothing is logged yet; a world started with `dryarc up -v --detach` logs more");
            }
            let more = end > position;
            position = end;
            if more {
                continue;
            }
            if !self.follow || !path.exists() {
                return Ok(());
            }
            context.clock.wall_sleep(PAUSE).await;
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::Unusable, format!("cannot read {}: {error}", path.display()))
}

/// Where the last `lines` lines begin.
fn tail(path: &Path, lines: u32) -> std::io::Result<u64> {
    let text = std::fs::read(path)?;
    let mut ends = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    // The last line break ends the last line.
    let before = ends.nth(usize::try_from(lines).unwrap_or(usize::MAX));
    Ok(before.map_or(0, |at| at as u64 + 1))
}

fn read_from(path: &Path, position: u64) -> std::io::Result<(String, u64)> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    let read = file.take(CHUNK).read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), position + read as u64))
}
