//! Finds the real clients that the suites drive. One that is missing is reported as skipped, by name.

use std::path::{Path, PathBuf};

/// A real client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// The Azure CLI; `DRYARC_TEST_AZ` names it when it is not on `PATH`.
    Az,
    /// `kubectl`; `DRYARC_TEST_KUBECTL` names it when it is not on `PATH`.
    Kubectl,
}

impl Client {
    /// The command's name, which is also the folder of its transcripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Az => "az",
            Self::Kubectl => "kubectl",
        }
    }

    /// Where the client is, if it is installed.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        let named = std::env::var_os(format!("DRYARC_TEST_{}", self.name().to_uppercase()));
        match named {
            Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
            None => on_path(self.name()),
        }
    }
}

/// The first executable of this name on `PATH`.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
