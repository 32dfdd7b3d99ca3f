//! Folders of worlds that no other command finds.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Says whether the process that made the folder is still there: it holds this file locked.
const LOCK: &str = ".held";

/// A folder among the system's temporary ones. Dropping it removes it with everything in it; where a process died before, the
/// next one that makes folders for the same purpose does that.
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    /// A folder for `purpose`, whose name starts with it.
    ///
    /// # Errors
    /// When the system has no place for it.
    pub fn new(purpose: &str) -> io::Result<Self> {
        Self::within(&std::env::temp_dir(), purpose)
    }

    fn within(parent: &Path, purpose: &str) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(purpose).tempdir_in(parent)?;
        let lock = File::create(dir.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the folders for `purpose` of processes that died.
pub fn sweep_scratch(purpose: &str) {
    for dir in abandoned(&std::env::temp_dir(), purpose) {
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            tracing::debug!(%error, dir = %dir.display(), "a folder that was left behind could not be removed");
        }
    }
}

fn abandoned(parent: &Path, purpose: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(purpose));
    let free = |dir: &PathBuf| {
        // One without the file is just being made, or somebody else's.
        let file = OpenOptions::new().write(true).open(dir.join(LOCK));
        file.is_ok_and(|file| file.try_lock().is_ok())
    };
    ours.map(|entry| entry.path()).filter(free).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_or_is_found_when_that_died() {
        let parent = tempfile::tempdir().unwrap();
        let held = Scratch::within(parent.path(), "dryarc-x-").unwrap();
        let dead = parent.path().join("dryarc-x-dead");
        std::fs::create_dir(&dead).unwrap();
        assert!(abandoned(parent.path(), "dryarc-x-").is_empty(), "one is held, the other has no lock yet");
        std::fs::write(dead.join(LOCK), "").unwrap();
        assert_eq!(abandoned(parent.path(), "dryarc-x-"), [dead]);
        assert!(abandoned(parent.path(), "dryarc-y-").is_empty());
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }
}
