//! What every command starts from.

use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use sim_core::clock::Clock;

use super::{CliError, output};
use crate::client_env::OuterEnv;
use crate::clusters::{Progress, leftovers};
use crate::control::Control;
use crate::state::{StateError, StateHome, WorldName, WorldRecord};

/// How often, and how long apart, a world that does not answer is looked at again.
const ENDING_TRIES: u32 = 50;
const ENDING_PAUSE: Duration = Duration::from_millis(20);

/// The surroundings of a command.
#[derive(Debug)]
pub struct Context {
    world: Option<WorldName>,
    /// Where worlds are.
    pub home: StateHome,
    /// The user's own environment.
    pub outer: OuterEnv,
    /// A clock for wall time; the world's own time is behind its control interface.
    pub clock: Clock,
    /// Worlds that had died and of which this command found something to undo, and undid it.
    pub(super) undone: Vec<WorldName>,
    matches: ArgMatches,
}

impl Context {
    /// The surroundings of a command about `world`.
    ///
    /// # Errors
    /// When there is no state directory.
    pub(super) fn new(
        world: Option<WorldName>,
        outer: OuterEnv,
        matches: ArgMatches,
    ) -> Result<Self, CliError> {
        // The state directory is where this process is told, also inside of a world's environment.
        let home = StateHome::from_env(|name| {
            std::env::var(name).ok().or_else(|| outer.get(name).map(str::to_owned))
        })?;
        Ok(Self { world, home, outer, clock: Clock::running(1.0), undone: Vec::new(), matches })
    }

    /// The name of the world that is meant.
    #[must_use]
    pub fn world_name(&self) -> WorldName {
        self.world.clone().unwrap_or_default()
    }

    /// The name that the user gave, if any.
    #[must_use]
    pub fn named_world(&self) -> Option<&WorldName> {
        self.world.as_ref()
    }

    /// Removes what worlds left behind whose owners died, in real clusters too.
    pub(super) async fn sweep(&mut self) {
        self.undone = leftovers::sweep(&self.home, &self.clock, &Progress::new(output::say)).await;
        if let Err(error) = self.home.list() {
            tracing::debug!(%error, "the state directory could not be looked through");
        }
    }

    /// Undoes what a world of this name, whose start was broken off here, did to its cluster.
    pub(super) async fn undo_start(&self, name: &WorldName) {
        leftovers::undo_start(&self.home, name, &self.clock, &Progress::new(output::say)).await;
    }

    /// The record of the world that is meant, whatever its version.
    ///
    /// # Errors
    /// [`StateError`] when it is not running or its record cannot be used.
    pub fn find(&self) -> Result<WorldRecord, StateError> {
        self.home.find(&self.world_name())
    }

    /// The record of the world that is meant, if it runs this version.
    ///
    /// # Errors
    /// When it is not running, or cannot be used from here.
    pub fn running(&self) -> Result<WorldRecord, CliError> {
        let record = self.find()?;
        check_version(&record)?;
        Ok(record)
    }

    /// The control interface of the world that is meant.
    ///
    /// # Errors
    /// When it is not running, or cannot be used from here.
    pub fn control(&self) -> Result<Control, CliError> {
        self.running().map(|record| Control::new(&record))
    }

    /// The error to report when the world that is meant ended while it was being used: its process may take a moment to die. `None`
    /// when it is still there.
    pub(super) async fn ended_meanwhile(&self) -> Option<CliError> {
        for _ in 0..ENDING_TRIES {
            match self.find() {
                Err(error @ StateError::NotRunning(_)) => return Some(error.into()),
                Err(_) => return None,
                Ok(_) => self.clock.wall_sleep(ENDING_PAUSE).await,
            }
        }
        None
    }

    /// Where the value of an option came from; `None` when it is the default.
    #[must_use]
    pub fn origin(&self, id: &str) -> Option<String> {
        let known = self.matches.try_contains_id(id).unwrap_or(false);
        let option = id.replace('_', "-");
        match known.then(|| self.matches.value_source(id)).flatten()? {
            ValueSource::CommandLine => Some(format!("--{option}")),
            ValueSource::EnvVariable => Some(format!("DRYARC_{}", id.to_ascii_uppercase())),
            _ => None,
        }
    }
}

/// Refuses a world that another version of this program runs.
///
/// # Errors
/// When the versions differ.
pub(super) fn check_version(record: &WorldRecord) -> Result<(), CliError> {
    if record.version == crate::VERSION {
        return Ok(());
    }
    let what = format!(
        "world '{}' was started by dryarc {}; this is dryarc {}",
        record.name,
        record.version,
        crate::VERSION
    );
    let flag = super::error::world_flag(record.name.as_str());
    let next = format!("use that version, or end the world with `dryarc down{flag}` and start another");
    Err(CliError::new(super::Exit::Unusable, what).next(next))
}
