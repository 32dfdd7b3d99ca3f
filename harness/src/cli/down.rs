//! `dryarc down`.

use std::time::Duration;

use clap::Args;
use rustix::process::Signal;

use super::{CliError, Context, Exit, output, remote};
use crate::control::Control;
use crate::state::{StateError, WorldName, WorldRecord, signal_process};

/// How long a world may take to end in order, and how long to end at all.
const PATIENCE: [(Duration, Signal); 2] =
    [(Duration::from_secs(10), Signal::TERM), (Duration::from_secs(3), Signal::KILL)];

/// How long it may take to hear that it is to end.
const ANSWER: Duration = Duration::from_secs(5);

/// The first of these for a world with a real cluster, in which it has to undo what it did.
const UNDOING: Duration = Duration::from_secs(300);

/// How often it is looked whether the world is gone.
const PAUSE: Duration = Duration::from_millis(20);

/// End a world; no process, port or file of it is left
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc down
  dryarc down --world ci
  dryarc down --all                          every world of yours

A world that is not running is exit code 3.")]
pub(super) struct Down {
    /// Every world instead of one
    #[arg(long, short)]
    all: bool,
}

impl Down {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if !self.all {
            end(context, &context.world_name()).await?;
            return Ok(Exit::Ok);
        }
        let worlds = context.home.list()?;
        if worlds.is_empty() {
            output::say("there is no world to end");
        }
        let mut failed = None;
        for found in worlds {
            if let Err(error) = end(context, &found.name).await {
                output::say(&error.to_string());
                failed = Some(error.exit);
            }
        }
        Ok(failed.unwrap_or(Exit::Ok))
    }
}

async fn end(context: &Context, name: &WorldName) -> Result<(), CliError> {
    let record = match context.home.find(name) {
        Err(StateError::NotRunning(_)) if context.undone.contains(name) => {
            output::say(&format!("what world '{name}' had left is undone"));
            return Ok(());
        }
        found => found?,
    };
    // A world that does not listen is asked by signal below.
    let control = Control::new(&record);
    let mut asked = matches!(context.clock.wall_timeout(ANSWER, control.shutdown()).await, Ok(Ok(())));
    let real = remote::is_real(&record.facts);
    if real && asked {
        output::say(&format!("undoing what world '{name}' did to its cluster"));
    }
    for (patience, signal) in PATIENCE {
        let patience = if real { UNDOING } else { patience };
        if asked && gone(context, &record, patience).await {
            output::say(&format!("world '{name}' has ended"));
            return Ok(());
        }
        asked = signal_process(record.owner, signal);
    }
    if gone(context, &record, PATIENCE[1].0).await {
        output::say(&format!("world '{name}' did not end in order and was killed"));
        return Ok(());
    }
    let what = format!("world '{name}' does not end (process {})", record.owner.pid);
    Err(CliError::new(Exit::Unusable, what).next("end that process yourself"))
}

/// Whether the world and its process are gone within `patience`; what a killed one left behind is removed.
async fn gone(context: &Context, record: &WorldRecord, patience: Duration) -> bool {
    let ended = || matches!(context.home.find(&record.name), Err(StateError::NotRunning(_)));
    let watch = async {
        // The folder goes first, its owner a moment later.
        while !ended() || record.owner.alive() {
            context.clock.wall_sleep(PAUSE).await;
        }
    };
    context.clock.wall_timeout(patience, watch).await.is_ok()
}
