//! What real programs need in the world of a scenario: a private home, a login, variables, a control interface.
//!
//! They find what `dryarc exec` gives a command. The state directory is the scenario's own, so that `dryarc` in a script finds this
//! world and no other.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sim_core::clock::{Clock, Mode};

use super::program::{Program, Ran, shell};
use crate::client_env::{ClientEnv, OuterEnv};
use crate::state::{Claim, Facts, StateHome, WorldName};
use crate::world::{DEFAULT_SPEED, HostOptions, Listen, Reception, World};

/// How the clock runs while a program is at work.
const AT_WORK: Mode = Mode::Scaled { speed: DEFAULT_SPEED };

/// Texts shorter than this are not taken for secrets.
const SECRET: usize = 8;

/// A folder for the world of a scenario in which programs take part.
pub(super) struct Place {
    home: StateHome,
    claim: Claim,
}

impl Place {
    /// Takes a place below `folder`.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn take(folder: &Path, name: &WorldName) -> Result<Self, String> {
        let home = StateHome::at(folder.join("state"));
        let claim = home.claim(name, &Clock::running(1.0)).await.map_err(|error| error.to_string())?;
        Ok(Self { home, claim })
    }

    /// The world's folder.
    pub(super) fn dir(&self) -> &Path {
        self.claim.dir()
    }
}

/// The surroundings of programs.
pub(super) struct Clients {
    reception: Reception,
    outer: OuterEnv,
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
    /// Where scripts and tools run.
    folder: PathBuf,
    place: Place,
}

impl Clients {
    /// Prepares everything. Scripts and tools run in `folder`, or else in the private home.
    ///
    /// # Errors
    /// What could not be prepared.
    pub(super) async fn open(
        world: &World,
        place: Place,
        outer: &OuterEnv,
        folder: Option<&Path>,
    ) -> Result<Self, String> {
        let options = HostOptions { temporary: true, outer: outer.clone(), ..HostOptions::default() };
        let listen = Listen::default().at(0);
        let reception = Reception::open(world, &place.claim, listen, options).await;
        let reception = reception.map_err(|error| error.to_string())?;
        let record = reception.record();
        let env = ClientEnv::build(record, place.home.path(), outer);
        let mut variables: Vec<(String, String)> =
            outer.variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for variable in env.variables() {
            variables.retain(|(name, _)| *name != variable.name);
            if let Some(value) = &variable.value {
                variables.push((variable.name.clone(), value.clone()));
            }
        }
        let profile = world.cloud().world().profile.clone();
        let principals = profile.principals.iter().map(|one| one.secret.clone());
        let mut secrets: Vec<String> = principals.chain([record.token.clone()]).collect();
        secrets.retain(|secret| secret.len() >= SECRET);
        let folder = folder.map_or_else(|| record.facts.home(), Path::to_path_buf);
        Ok(Self { outer: outer.clone(), variables, secrets, folder, reception, place })
    }

    /// Where everything is.
    pub(super) fn facts(&self) -> &Facts {
        &self.reception.record().facts
    }

    /// The world's folder.
    pub(super) fn dir(&self) -> &Path {
        self.place.dir()
    }

    /// The program of this name on the user's PATH.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        self.outer.program(name)
    }

    /// A program in these surroundings, where scripts run.
    pub(super) fn program(&self, path: &Path, arguments: Vec<OsString>) -> Program {
        Program {
            path: path.into(),
            arguments,
            environment: self.variables.clone(),
            folder: self.folder.clone(),
        }
    }

    /// A script for the shell.
    pub(super) fn script(&self, text: &str) -> Program {
        self.program(shell(), super::program::arguments(["-c", text]))
    }

    /// Runs a program while the clock runs. What it says has no secret of the world in it.
    ///
    /// # Errors
    /// Why it could not be run.
    pub(super) async fn run(&self, program: &Program, clock: &Clock) -> Result<Ran, String> {
        program.run(clock, AT_WORK).await.map(|ran| ran.without(&self.secrets))
    }
}
