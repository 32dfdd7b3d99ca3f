//! A world with a folder, client files and a control interface.

use std::time::Duration;

use sim_core::clock::Clock;

use super::reception::{HostError, HostOptions, Reception, prepared};
use super::{World, WorldConfig};
use crate::clusters::Progress;
use crate::state::{Claim, WorldRecord};

/// How often it is looked whether the world's folder is still there (wall time).
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A hosted world. [`Hosted::shutdown`] ends it and leaves no process, port or file.
#[derive(Debug)]
pub struct Hosted {
    reception: Reception,
    world: World,
    progress: Progress,
    claim: Claim,
}

impl Hosted {
    /// Starts a world in the folder of `claim`, prepares what clients need, and publishes how to reach it.
    ///
    /// # Errors
    /// [`HostError`]; nothing is left then.
    pub async fn start(
        claim: Claim,
        mut config: WorldConfig,
        options: HostOptions,
    ) -> Result<Self, HostError> {
        prepared(&mut config, &options.outer);
        let listen = config.listen.at(config.listen.control);
        let progress = config.real.progress.clone();
        let world = World::start(config).await?;
        let reception = Reception::open(&world, &claim, listen, options).await?;
        Ok(Self { reception, world, progress, claim })
    }

    /// How to reach this world.
    #[must_use]
    pub fn record(&self) -> &WorldRecord {
        self.reception.record()
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The world's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.world.clock()
    }

    /// Waits until somebody asks this world, by its control interface, to end.
    pub async fn asked_to_end(&self) {
        self.reception.asked_to_end().await;
    }

    /// Waits until somebody has removed the world's folder, without which no client and no command finds the world. It is looked for
    /// every two seconds of wall time.
    pub async fn folder_removed(&self) {
        while self.claim.stands() {
            self.clock().wall_sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the world and removes its folder.
    pub async fn shutdown(self) {
        if let Err(error) = self.world.shutdown().await {
            self.progress.say(&format!(
                "warning: not everything in the cluster could be undone: {}\n  next: {}; the next command tries again",
                error.what, error.next
            ));
        }
        drop(self.claim);
    }
}
