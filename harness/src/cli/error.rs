//! What goes wrong, as the user sees it: what happened, where, and what to do next.

use std::fmt;

use super::Exit;
use crate::clusters::{ClusterError, Trouble};
use crate::control::ControlError;
use crate::state::StateError;
use crate::world::{BadMode, HostError, ProfileError, StartError};

/// The end of a command that did not go well.
#[derive(Debug, Clone)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and where.
    pub what: String,
    /// What to do next.
    pub next: Option<String>,
}

impl CliError {
    /// An error without advice.
    #[must_use]
    pub fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self { exit, what: what.to_string(), next: None }
    }

    /// It failed.
    #[must_use]
    pub fn failed(what: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// The command line is wrong.
    #[must_use]
    pub fn usage(what: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        self.next.as_ref().map_or(Ok(()), |next| write!(f, "\n  next: {next}"))
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        match &error {
            StateError::NotRunning(name) => Self::new(Exit::NotFound, &error)
                .next(format!("start it with `dryarc up{} --detach`, or run `dryarc exec -- COMMAND`, which makes a world for one command", world_flag(name.as_str()))),
            StateError::Running(name) => Self::new(Exit::Conflict, &error)
                .next(format!("use it, end it with `dryarc down{}`, or choose another name with --world", world_flag(name.as_str()))),
            StateError::Leftover(_) => Self::new(Exit::Unusable, &error)
                .next("do what the warning above says, or choose another name with --world"),
            StateError::Starting(_) => {
                Self::new(Exit::Unusable, &error).next("try again in a moment")
            }
            StateError::Format { name, .. } => Self::new(Exit::Unusable, &error).next(format!(
                "end it with the dryarc that started it, or remove its folder, or choose another name than '{name}' with --world"
            )),
            StateError::Damaged { path, .. } => Self::new(Exit::Unusable, &error)
                .next(format!("end the process that made it and remove {}", path.display())),
            StateError::NoHome => {
                Self::new(Exit::Unusable, &error).next("set DRYARC_STATE_HOME to a folder that you can write to")
            }
            StateError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Self::new(Exit::Unusable, &error).next(
                    "make room (a world takes a megabyte, and more as pods log), or set DRYARC_STATE_HOME to a folder elsewhere",
                )
            }
            StateError::Io { .. } => Self::new(Exit::Unusable, &error)
                .next("make the place writable, or set DRYARC_STATE_HOME to a folder that is"),
        }
    }
}

/// ` --world NAME`, unless it is the default one.
pub(super) fn world_flag(name: &str) -> String {
    if name == crate::state::WorldName::DEFAULT { String::new() } else { format!(" --world {name}") }
}

impl From<ControlError> for CliError {
    fn from(error: ControlError) -> Self {
        match &error {
            ControlError::Refused { status, problem } => {
                let exit = match status.as_u16() {
                    401 | 403 | 412 => Exit::Unusable,
                    404 => Exit::NotFound,
                    409 => Exit::Conflict,
                    400 | 413 | 422 => Exit::Usage,
                    _ => Exit::Failed,
                };
                Self { exit, what: error.to_string(), next: problem.next.clone() }
            }
            ControlError::Unreachable { .. } => Self::new(Exit::Unusable, &error)
                .next("end it with `dryarc down` and start another with `dryarc up`"),
            ControlError::Answer { .. } => Self::new(Exit::Unusable, &error)
                .next("use the dryarc that started the world, or end it and start another"),
        }
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match &error {
            StartError::Cluster(error) => error.clone().into(),
            StartError::Allow(_) => Self::usage(&error),
            // The system's own words reach this place as text only.
            StartError::Part { reason, .. } if reason.contains("ddress already in use") => Self::failed(&error)
                .next("choose another port, or leave the option out for a free one; `ss -ltnp` shows who listens there"),
            StartError::Part { .. } => Self::failed(&error).next("run it again with -v to see more"),
        }
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> Self {
        let exit = match error.trouble {
            Trouble::Failed => Exit::Failed,
            Trouble::Usage => Exit::Usage,
            Trouble::Missing => Exit::NotFound,
            Trouble::Unusable => Exit::Unusable,
            Trouble::Conflict => Exit::Conflict,
        };
        Self::new(exit, &error.what).next(error.next)
    }
}

impl From<HostError> for CliError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Start(error) => error.into(),
            HostError::State(error) => error.into(),
        }
    }
}

impl From<ProfileError> for CliError {
    fn from(error: ProfileError) -> Self {
        Self::usage(error).next("see the profile's keys in `dryarc up --help`")
    }
}

impl From<BadMode> for CliError {
    fn from(error: BadMode) -> Self {
        let next = match &error {
            BadMode::Name(_) => {
                "`--clock manual` stands still, `--clock instant` jumps, `--clock scaled --speed N` runs"
            }
            BadMode::Speed(_) => {
                "give a number in that range; `dryarc clock advance 30d` jumps, `--clock manual` (or `clock speed 0`) stands still"
            }
            BadMode::Pointless(_) => "give --speed or --clock, not both",
        };
        Self::usage(error).next(next)
    }
}
