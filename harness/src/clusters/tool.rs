//! The user's own programs: found on their PATH, run with their environment, not with a world's.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::{ClusterError, Trouble};
use crate::client_env::OuterEnv;
use crate::state::ProcessId;

/// How much of what a program complains about is passed on.
const WORDS: usize = 1200;

/// A program of the user's. It can be written down, so that another process can undo what was done with it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Tool {
    path: PathBuf,
    /// Its environment.
    environment: BTreeMap<String, String>,
}

impl std::fmt::Debug for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tool").field(&self.path).finish()
    }
}

/// Variables that decide what the programs talk to; more of the user's environment is nobody's business on disk.
const KEPT: [&str; 16] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "KIND_EXPERIMENTAL_PROVIDER",
    "KIND_EXPERIMENTAL_DOCKER_NETWORK",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSH_AUTH_SOCK",
];

impl Tool {
    /// The first program of this name on the user's PATH.
    ///
    /// # Errors
    /// [`Trouble::Missing`] with `next` when there is none.
    pub(super) fn find(outer: &OuterEnv, name: &str, next: &str) -> Result<Self, ClusterError> {
        let path = outer.program(name).ok_or_else(|| {
            ClusterError::new(Trouble::Missing, format!("'{name}' was not found on PATH"), next)
        })?;
        let kept = KEPT.into_iter().filter_map(|name| Some((name.to_owned(), outer.get(name)?.to_owned())));
        Ok(Self { path, environment: kept.collect() })
    }

    /// A shell, for a command line of the user's, in their whole environment.
    #[must_use]
    pub(super) fn shell(outer: &OuterEnv) -> Self {
        let all = outer.variables().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { path: PathBuf::from("/bin/sh"), environment: all.collect() }
    }

    /// Runs it to its end and returns what it printed. Dropping the future kills it.
    ///
    /// # Errors
    /// [`Complaint`] when it cannot be started or does not end well.
    pub(super) async fn run<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String, Complaint> {
        self.run_noting(arguments, |_| ()).await
    }

    /// As [`Tool::run`]; `note` learns which process it is, for the case that this one dies first.
    ///
    /// # Errors
    /// [`Complaint`] when it cannot be started or does not end well.
    pub(super) async fn run_noting<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        note: impl FnOnce(ProcessId),
    ) -> Result<String, Complaint> {
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().envs(&self.environment).stdin(Stdio::null()).kill_on_drop(true);
        // Ctrl-C at the terminal is ours to handle: the program is stopped by us, and what it made is undone.
        command.process_group(0);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed =
            |error: std::io::Error| Complaint(format!("{} cannot be run: {error}", self.path.display()));
        let child = command.spawn().map_err(failed)?;
        if let Some(pid) = child.id() {
            note(ProcessId::of(pid));
        }
        let output = child.wait_with_output().await.map_err(failed)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let mut words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if words.is_empty() {
            words = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        }
        Err(Complaint(format!("{name} ended with {}: {}", output.status, last(&words))))
    }
}

/// The end of a long text, from the beginning of a line where possible.
fn last(words: &str) -> &str {
    let start = words.len().saturating_sub(WORDS);
    let start = (start..=words.len()).find(|at| words.is_char_boundary(*at)).unwrap_or(0);
    let tail = &words[start..];
    if start == 0 { tail } else { tail.split_once('\n').map_or(tail, |(_, rest)| rest) }
}

/// What a program said when it did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint(pub(super) String);

/// What users do about complaints of Docker and kind: a part of the text, what it means, what to do.
const KNOWN: [(&str, &str, &str); 8] = [
    (
        "permission denied",
        "you may not use Docker's socket",
        "join the group that may (sudo usermod -aG docker $USER, then log in again), or use rootless Docker, or leave --cluster out: the embedded cluster needs no Docker",
    ),
    (
        "Cannot connect to the Docker daemon",
        "the Docker daemon does not answer",
        "start it (sudo systemctl start docker, or Docker Desktop), or set DOCKER_HOST, or leave --cluster out: the embedded cluster needs no Docker",
    ),
    (
        "error during connect",
        "the Docker daemon does not answer",
        "start it, or set DOCKER_HOST, or leave --cluster out: the embedded cluster needs no Docker",
    ),
    (
        "no space left on device",
        "the disk is full",
        "make room, for instance with `docker system prune`, and try again",
    ),
    (
        "port is already allocated",
        "a port of the kind configuration is taken",
        "free it, or choose another hostPort in the file given with --kind-config",
    ),
    (
        "address already in use",
        "a port of the kind configuration is taken",
        "free it, or choose another hostPort in the file given with --kind-config",
    ),
    (
        "failed to pull image",
        "the node image cannot be pulled",
        "name one that is here with --kind-image (see `docker images kindest/node`), or make its registry reachable",
    ),
    (
        "failed to init node with kubeadm",
        "the node did not become ready",
        "see that the machine has a free processor and 1 GiB of free memory, and that the node image fits this version of kind",
    ),
];

impl Complaint {
    /// The error for users: known complaints are explained, others passed on with `next`.
    #[must_use]
    pub(super) fn explain(&self, doing: &str, next: &str) -> ClusterError {
        let lower = self.0.to_lowercase();
        let known = KNOWN.iter().find(|(part, ..)| lower.contains(&part.to_lowercase()));
        match known {
            Some((_, what, next)) => {
                ClusterError::new(Trouble::Unusable, format!("{doing}: {what}\n  where: {}", self.0), *next)
            }
            None => ClusterError::new(Trouble::Failed, format!("{doing}: {}", self.0), next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_complaints_are_explained_and_others_passed_on() {
        let said = Complaint(
            "docker ended with exit status: 1: Got permission denied while trying to connect".into(),
        );
        let error = said.explain("looking for Docker", "x");
        assert!(error.what.contains("may not use Docker's socket") && error.next.contains("usermod"));
        let error = Complaint("kind ended with 1: strange".into()).explain("creating", "look");
        assert_eq!(
            (error.what.as_str(), error.next.as_str()),
            ("creating: kind ended with 1: strange", "look")
        );
    }

    #[test]
    fn the_end_of_a_long_complaint_is_kept() {
        let long = format!("{}\nlast line", "x".repeat(5000));
        assert_eq!(last(&long), "last line");
        assert_eq!(last("short"), "short");
    }
}
