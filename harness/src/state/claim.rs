//! Holding a world's folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{StateError, UNDO_FILE, WorldName, WorldRecord, create_private_dir};

const LOCK: &str = "lock";

/// The right to a world's folder. Dropping it removes the folder with everything in it, and then frees the lock. A folder
/// that says what is still to be undone ([`UNDO_FILE`]) stays, with that file in it.
#[derive(Debug)]
pub struct Claim {
    name: WorldName,
    dir: PathBuf,
    /// Closing it frees the lock.
    lock: File,
}

/// What an attempt to lock a folder found.
pub(super) enum Attempt {
    Locked(File),
    Held,
    /// The folder was removed while we were at it.
    Vanished,
}

/// Tries once to lock the folder `dir`, creating it when `create` is set.
pub(super) fn attempt(dir: &Path, create: bool) -> Result<Attempt, StateError> {
    let path = dir.join(LOCK);
    if create {
        create_private_dir(dir)?;
    }
    let file = match OpenOptions::new().read(true).write(true).create(create).mode(0o600).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Attempt::Vanished),
        Err(error) => return Err(StateError::io("cannot open", path)(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Held),
        Err(TryLockError::Error(error)) => return Err(StateError::io("cannot lock", path)(error)),
    }
    // Whoever held the lock before may have removed the folder under us.
    Ok(if is_at(&file, &path) { Attempt::Locked(file) } else { Attempt::Vanished })
}

/// Whether the open file is still the one that is found at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.ino() == there.ino() && ours.dev() == there.dev(),
        _ => false,
    }
}

impl Claim {
    pub(super) fn new(name: WorldName, dir: PathBuf, lock: File) -> Self {
        Self { name, dir, lock }
    }

    /// The world's name.
    #[must_use]
    pub fn name(&self) -> &WorldName {
        &self.name
    }

    /// The world's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the folder is still the one that was claimed: false once somebody removed it, even when another world has taken its place.
    #[must_use]
    pub fn stands(&self) -> bool {
        is_at(&self.lock, &self.dir.join(LOCK))
    }

    /// Tells everybody how to reach the world.
    ///
    /// # Errors
    /// [`StateError::Io`] when the record cannot be written.
    pub fn publish(&self, record: &WorldRecord) -> Result<(), StateError> {
        record.write(&self.dir)
    }

    /// Whether something outside of the folder is still to be undone.
    #[must_use]
    pub fn has_to_undo(&self) -> bool {
        self.dir.join(UNDO_FILE).exists()
    }

    /// Removes what an earlier owner left behind; what is to be undone stays.
    pub(super) fn clear(&self) -> Result<(), StateError> {
        let entries = std::fs::read_dir(&self.dir).map_err(StateError::io("cannot read", &self.dir))?;
        for entry in
            entries.flatten().filter(|entry| ![LOCK, UNDO_FILE].iter().any(|kept| entry.file_name() == *kept))
        {
            let path = entry.path();
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_dir { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(StateError::io("cannot remove", path))?;
        }
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.stands() {
            // What is there now, if anything, is somebody else's.
            return;
        }
        // The record goes first, so that nobody finds a world that is being taken apart.
        let _ = std::fs::remove_file(WorldRecord::path(&self.dir));
        if self.has_to_undo() {
            // What cannot be removed now is removed with the rest.
            let _ = self.clear();
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "the world's folder could not be removed");
        }
        // Parents go when they are empty, so that nothing at all is left.
        if let Some(worlds) = self.dir.parent()
            && std::fs::remove_dir(worlds).is_ok()
            && let Some(home) = worlds.parent()
            && home.file_name().is_some_and(|name| name == super::home::FOLDER)
        {
            let _ = std::fs::remove_dir(home);
        }
    }
}
