//! Keeping a world in this process until it is to end.

use std::pin::Pin;
use std::time::Duration;

use super::signals::{Asked, Signals};
use super::world_args::Planned;
use super::{CliError, Context, output, remote};
use crate::state::Claim;
use crate::world::{HostOptions, Hosted};

/// How long a start that nobody wants any more may take to come to its end (wall time).
const GRACE: Duration = Duration::from_secs(1);

/// What is said when a cluster is left as it is for now.
const LEFT: &str = "warning: not everything that was done to the cluster is undone\n  next: run any dryarc command, which does the rest; \
                    `dryarc status` will do";

/// Starts the planned world in its folder. A signal that comes first lets the start come to its end, which takes a moment, and
/// takes the world down again: the start's file writers would otherwise outlive it. After a second signal that moment is
/// bounded, and nothing is taken down in order. With a real cluster, which takes minutes, the start is broken off and undone.
///
/// # Errors
/// When it cannot be started, or a signal comes first; nothing is left then.
pub(super) async fn start(
    context: &Context,
    planned: Planned,
    temporary: bool,
    signals: &mut Signals,
) -> Result<Hosted, CliError> {
    let name = planned.config.name.clone();
    let real = planned.config.backend.is_real();
    let starting = async {
        let claim: Claim = context.home.claim(&name, &context.clock).await?;
        let mut config = planned.config;
        config.dir = claim.dir().into();
        let options = HostOptions { temporary, origins: planned.origins, outer: context.outer.clone() };
        Ok::<_, CliError>(Hosted::start(claim, config, options).await?)
    };
    let mut starting = Box::pin(starting);
    let begun = tokio::select! {
        hosted = &mut starting => Ok(hosted),
        asked = signals.next() => Err(asked),
    };
    let broken_off = match begun {
        Ok(Ok(hosted)) => return Ok(hosted),
        Ok(Err(error)) => error,
        Err(asked) if real => asked.error(),
        Err(asked) => {
            if let Some(hosted) = finish(context, starting, signals).await {
                end(hosted, signals).await;
            }
            return Err(asked.error());
        }
    };
    drop(starting);
    if real {
        // Something was done to the cluster already. A second signal leaves undoing it to the next command.
        tokio::select! {
            () = context.undo_start(&name) => {}
            _ = signals.next() => output::say(LEFT),
        }
    }
    Err(broken_off)
}

/// Lets a start come to its end, so that it can be taken down in order; `None` when a second signal does not wait for that.
async fn finish(
    context: &Context,
    mut starting: Pin<Box<impl Future<Output = Result<Hosted, CliError>>>>,
    signals: &mut Signals,
) -> Option<Hosted> {
    tokio::select! {
        hosted = &mut starting => hosted.ok(),
        _ = signals.next() => {
            // What is made here is dropped, which ends it at once.
            drop(context.clock.wall_timeout(GRACE, &mut starting).await);
            None
        }
    }
}

/// Waits until the world is asked to end, by signal, or by its control interface or by the removal of its folder (`None`).
pub(super) async fn wait(hosted: &Hosted, signals: &mut Signals) -> Option<Asked> {
    tokio::select! {
        () = hosted.asked_to_end() => None,
        () = hosted.folder_removed() => {
            output::say("the world's folder was removed, so nothing finds the world any more");
            None
        }
        asked = signals.next() => Some(asked),
    }
}

/// Ends the world in order; a further signal ends it at once.
pub(super) async fn end(hosted: Hosted, signals: &mut Signals) {
    let real = remote::is_real(&hosted.record().facts);
    tokio::select! {
        () = Box::pin(hosted.shutdown()) => {}
        // Dropping the rest kills what still runs and removes the folder.
        _ = signals.next() => {
            if real {
                output::say(LEFT);
            }
        }
    }
}
