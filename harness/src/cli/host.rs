//! Keeping a world in this process until it is to end.

use std::time::Duration;

use super::signals::{Asked, Signals};
use super::world_args::Planned;
use super::{CliError, Context};
use crate::state::Claim;
use crate::world::{HostOptions, Hosted};

/// How long a start that nobody wants any more may take to come to its end (wall time).
const GRACE: Duration = Duration::from_secs(1);

/// Starts the planned world in its folder. A signal that comes first lets the start come to its end, which takes a moment, and
/// takes the world down again: the start's file writers would otherwise outlive it. After a second signal that moment is
/// bounded, and nothing is taken down in order.
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
    let asked = tokio::select! {
        hosted = &mut starting => return hosted,
        asked = signals.next() => asked,
    };
    if real {
        // This may take minutes: it is broken off, and what was done until now is undone. A second signal leaves that to the
        // next command.
        drop(starting);
        tokio::select! {
            () = context.sweep() => {}
            _ = signals.next() => {}
        }
        return Err(asked.error());
    }
    let started = tokio::select! {
        hosted = &mut starting => hosted.ok(),
        _ = signals.next() => {
            // What is made here is dropped, which ends it at once.
            drop(context.clock.wall_timeout(GRACE, &mut starting).await);
            None
        }
    };
    if let Some(hosted) = started {
        end(hosted, signals).await;
    }
    Err(asked.error())
}

/// Waits until the world is asked to end, by signal or by its control interface (`None`).
pub(super) async fn wait(hosted: &Hosted, signals: &mut Signals) -> Option<Asked> {
    tokio::select! {
        () = hosted.asked_to_end() => None,
        asked = signals.next() => Some(asked),
    }
}

/// Ends the world in order; a further signal ends it at once.
pub(super) async fn end(hosted: Hosted, signals: &mut Signals) {
    tokio::select! {
        () = Box::pin(hosted.shutdown()) => {}
        // Dropping the rest kills what still runs and removes the folder.
        _ = signals.next() => {}
    }
}
