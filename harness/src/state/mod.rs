//! Where worlds keep their files: one folder per world under the user's state directory.
//!
//! A folder belongs to the process that holds the exclusive lock on its `lock` file. The operating system frees the
//! lock when that process ends, however it ends, so a folder nobody holds is a leftover and is swept away by the next
//! command. Everything is private to the user (directories 0700, files with secrets 0600).

mod claim;
mod files;
mod home;
mod liveness;
mod name;
mod record;
mod scratch;
#[cfg(test)]
pub(crate) mod testing;

pub use claim::Claim;
pub use files::{create_private_dir, write_private};
pub use home::{Found, StateHome};
pub use liveness::{ProcessId, signal_process};
pub use name::{BadName, WorldName};
pub use record::{CLUSTER_PROXY, FORMAT, Facts, ProxyPlace, WORKSTATION_PROXY, WorldRecord};
pub use scratch::{Scratch, sweep_scratch};

use std::path::PathBuf;

/// The file in a world's folder that says what is still to be undone outside of it.
pub const UNDO_FILE: &str = "undo.json";

/// Something about the state directory or a world's folder is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither `DRYARC_STATE_HOME` nor `XDG_STATE_HOME` nor `HOME` is set.
    #[error(
        "no state directory: none of DRYARC_STATE_HOME, XDG_STATE_HOME and HOME is set to an absolute path"
    )]
    NoHome,
    /// A file or folder could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in `cannot create`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Somebody else holds the world.
    #[error("world '{0}' is already running")]
    Running(WorldName),
    /// There is no world of this name.
    #[error("world '{0}' is not running")]
    NotRunning(WorldName),
    /// It ended without undoing what it did to its cluster, and that could not be undone since.
    #[error("world '{0}' ended without order, and what it did to its cluster is not undone yet")]
    Leftover(WorldName),
    /// The owner holds the lock but has not said yet how to reach it.
    #[error("world '{0}' is still starting")]
    Starting(WorldName),
    /// The record is of a format that this program does not know.
    #[error("world '{name}' has format {found}; this dryarc knows format {FORMAT}")]
    Format {
        /// Which world.
        name: WorldName,
        /// The format found.
        found: u64,
    },
    /// The record cannot be understood.
    #[error("the record {} is damaged: {reason}", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
}

impl StateError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
