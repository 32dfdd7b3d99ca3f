//! What goes wrong with real clusters, as users are told.

use std::fmt;

/// What sort of trouble it is: decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It did not work out.
    Failed,
    /// The user said something that makes no sense.
    Usage,
    /// A cluster, context or program is not there.
    Missing,
    /// A cluster or program is there and cannot be used.
    Unusable,
    /// Something that we would make is there already.
    Conflict,
}

/// A step with a real cluster did not succeed: what happened, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterError {
    /// What sort of trouble.
    pub trouble: Trouble,
    /// What happened, and where.
    pub what: String,
    /// What to do next.
    pub next: String,
}

impl ClusterError {
    /// An error of that sort.
    #[must_use]
    pub fn new(trouble: Trouble, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { trouble, what: what.into(), next: next.into() }
    }

    /// The API server refused or did not answer while `doing` something.
    pub(super) fn kube(doing: &str, error: &kube::Error) -> Self {
        let reason = match error {
            kube::Error::Api(status) => status.message.clone(),
            other => sim_core::net::chain(other),
        };
        let forbidden = matches!(error, kube::Error::Api(status) if status.code == 403);
        let next = if forbidden {
            "use a context whose user is a cluster administrator"
        } else {
            "see that the cluster answers: kubectl get --raw /readyz"
        };
        Self::new(Trouble::Unusable, format!("{doing}: {reason}"), next)
    }

    /// A file of ours could not be read or written.
    pub(super) fn file(doing: &str, error: impl fmt::Display) -> Self {
        let what = format!("{doing}: {error}");
        let next = if what.contains("No space left") {
            "make room on the disk, or set DRYARC_STATE_HOME to a folder on another one"
        } else {
            "see that DRYARC_STATE_HOME is a folder that you can write to"
        };
        Self::new(Trouble::Failed, what, next)
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ClusterError {}
