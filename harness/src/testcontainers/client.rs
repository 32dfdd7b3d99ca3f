//! What a client of the container needs.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use testcontainers::core::ExecCommand;
use testcontainers::{ContainerAsync, TestcontainersError};

use super::image::{CLOUD, CLUSTER, CONTROL, GATEWAY, MockAzure};
use crate::state::{StateError, create_private_dir, write_private};

/// A client's environment could not be taken out of a container.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Docker refused something.
    #[error(transparent)]
    Docker(#[from] TestcontainersError),
    /// The command in the container failed, or printed what it should not.
    #[error("`dryarc env --export` in the container: {0}")]
    Export(String),
    /// A file could not be written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The environment of clients of one container: variables, and a folder with login, certificates and kubeconfig.
#[derive(Debug, Clone)]
pub struct Client {
    folder: PathBuf,
    variables: BTreeMap<String, Option<String>>,
}

impl Client {
    /// Takes it out of a container into `folder`, which is made if it is missing; what is in there is for its owner only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export(container: &ContainerAsync<MockAzure>, folder: &Path) -> Result<Self, ClientError> {
        let folder = std::path::absolute(folder).map_err(StateError::io("cannot resolve", folder))?;
        let mut words: Vec<String> =
            ["/usr/bin/dryarc", "env", "--export", "-", "--as"].map(str::to_owned).into();
        words.push(folder.display().to_string());
        let host = match container.get_host().await?.to_string() {
            // Some clients cannot read an endpoint on `localhost`.
            name if name == "localhost" => "127.0.0.1".to_owned(),
            name => name,
        };
        for (part, port) in
            [("cloud", CLOUD), ("gateway", GATEWAY), ("control", CONTROL), ("cluster", CLUSTER)]
        {
            let published = container.get_host_port_ipv4(port).await?;
            words.extend(["--at".to_owned(), format!("{part}={host}:{published}")]);
        }
        let mut ran = container.exec(ExecCommand::new(words)).await?;
        let archive = ran.stdout_to_vec().await?;
        let complaint = ran.stderr_to_vec().await?;
        if archive.is_empty() {
            return Err(ClientError::Export(String::from_utf8_lossy(&complaint).trim().to_owned()));
        }
        let variables = unpack(&archive, &folder)?;
        Ok(Self { folder, variables })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate of the world's authority, PEM.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The kubeconfig of the embedded cluster.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A variable that clients have: `DRYARC_CLOUD_URL`, `HTTPS_PROXY`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`,
    /// `AZURE_TENANT_ID`, `AZURE_SUBSCRIPTION_ID` and more.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.as_deref()
    }

    /// A command that lives in the container's world: the Azure CLI is logged in, kubectl finds the cluster.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}

/// Writes the archive's files and returns the variables among them.
fn unpack(archive: &[u8], folder: &Path) -> Result<BTreeMap<String, Option<String>>, ClientError> {
    let damaged = |error: &dyn std::fmt::Display| ClientError::Export(format!("no archive: {error}"));
    let mut variables = None;
    for entry in tar::Archive::new(archive).entries().map_err(|error| damaged(&error))? {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        let path = entry.path().map_err(|error| damaged(&error))?.into_owned();
        let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !plain {
            return Err(ClientError::Export(format!("{} leads out of the folder", path.display())));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| damaged(&error))?;
        if path == Path::new("env.json") {
            variables = Some(serde_json::from_slice(&content).map_err(|error| damaged(&error))?);
        }
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            create_private_dir(parent)?;
        }
        write_private(&target, &content)?;
    }
    variables.ok_or_else(|| ClientError::Export("env.json is missing".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        // Written past the library's own check.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, content).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn an_archive_gives_files_and_variables_and_stays_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let variables = unpack(&archive("env.json", br#"{"A":"1","B":null}"#), folder.path()).unwrap();
        assert_eq!(variables["A"].as_deref(), Some("1"));
        assert_eq!(variables["B"], None);
        assert!(folder.path().join("env.json").exists());
        assert!(unpack(&archive("../out", b"x"), folder.path()).is_err());
        assert!(unpack(b"", folder.path()).is_err());
    }
}
