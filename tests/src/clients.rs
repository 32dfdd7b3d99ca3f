//! Finds the real clients that the suites drive. One that is missing is reported as skipped, by name.

use std::path::{Path, PathBuf};

use crate::command::Sandbox;

/// A real client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// The Azure CLI; `DRYARC_TEST_AZ` names it when it is not on `PATH`.
    Az,
    /// The Azure CLI with its extension `connectedk8s`, from `DRYARC_AZ_EXTENSION_DIR` or the user's own extensions, and
    /// helm, which the extension runs.
    Connectedk8s,
    /// `helm`; `DRYARC_TEST_HELM` names it when it is not on `PATH`.
    Helm,
    /// `kubectl`; `DRYARC_TEST_KUBECTL` names it when it is not on `PATH`.
    Kubectl,
}

impl Client {
    /// What is needed, for people; the command's name where it is one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Az => "az",
            Self::Connectedk8s => "az with its extension connectedk8s",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
        }
    }

    /// Where the client is, if it is installed.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        if self == Self::Connectedk8s {
            extension()?;
            Self::Helm.find()?;
            return Self::Az.find();
        }
        let named = std::env::var_os(format!("DRYARC_TEST_{}", self.name().to_uppercase()));
        match named {
            Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
            None => on_path(self.name()),
        }
    }
}

/// The folder of the user's Azure CLI extensions, if `connectedk8s` is among them.
#[must_use]
pub fn extension() -> Option<PathBuf> {
    let own = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".azure/cliextensions"));
    let folder = std::env::var_os("DRYARC_AZ_EXTENSION_DIR").map(PathBuf::from).or_else(own)?;
    folder.join("connectedk8s").is_dir().then_some(folder)
}

/// Lets commands in the sandbox find the clients, what stands beside them, and `dryarc` by their plain names, and a world the
/// user's extensions.
///
/// # Errors
/// When nothing can be written there.
pub fn with_search_path(sandbox: Sandbox, clients: &[&Path]) -> std::io::Result<Sandbox> {
    let own = sandbox.work().join("bin");
    std::fs::create_dir(&own)?;
    std::os::unix::fs::symlink(sandbox.program(), own.join("dryarc"))?;
    let beside = clients.iter().filter_map(|client| client.parent());
    let folders = std::iter::once(own.as_path()).chain(beside).map(|folder| folder.display().to_string());
    let path = std::env::var("PATH").unwrap_or_default();
    let path = folders.chain(std::iter::once(path)).collect::<Vec<_>>().join(":");
    let sandbox = sandbox.with_variable("PATH", path);
    Ok(match extension() {
        Some(folder) => sandbox.with_variable("DRYARC_AZ_EXTENSION_DIR", folder.display().to_string()),
        None => sandbox,
    })
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
