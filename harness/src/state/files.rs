//! Files and folders that only the user may read.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::StateError;

/// Creates a folder and its missing parents, each with mode 0700. An existing folder is left as it is.
///
/// # Errors
/// [`StateError::Io`] when it cannot be created.
pub fn create_private_dir(path: &Path) -> Result<(), StateError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(StateError::io("cannot create", path))
}

/// Writes a file of mode 0600 so that a reader sees the old content or the new, never a part of it.
///
/// # Errors
/// [`StateError::Io`] when it cannot be written.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let write = || {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
        // The file may be a leftover with other permissions.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(content)?;
        std::fs::rename(beside, path)
    };
    write().map_err(StateError::io("cannot write", path))
}
