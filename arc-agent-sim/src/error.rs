//! Why an agent could not start, and why a call did not succeed.

use sim_core::net::NetError;

use crate::config::ConfigError;
use crate::kube_client::KubeClientError;
use crate::role::UnknownRole;

/// An agent could not start or had to end. What fails later is logged and tried again instead.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No such role.
    #[error(transparent)]
    Role(#[from] UnknownRole),
    /// Its environment is incomplete.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its network settings are unusable.
    #[error(transparent)]
    Net(#[from] NetError),
    /// It cannot reach the API server by what it was given.
    #[error(transparent)]
    Kube(#[from] KubeClientError),
    /// The clock of its world cannot be followed.
    #[error("the clock at DRYARC_CLOCK cannot be followed: {0}")]
    Clock(String),
    /// The cluster is in no world.
    #[error(
        "this cluster is in no world ({0}); lead it into one with `dryarc up --cluster kind=NAME` or `--cluster context=NAME`"
    )]
    World(String),
    /// The world ended, or cannot be reached any more.
    #[error("the world's clock went away")]
    WorldGone,
    /// A port that it must serve is taken, or the like.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The process itself could not be set up.
    #[error("cannot set up the process: {0}")]
    Process(#[from] std::io::Error),
}

/// A call to the cluster or to Azure did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No reply.
    #[error("{0}")]
    Net(#[from] NetError),
    /// No reply in time.
    #[error("{0}: no reply within {1} s")]
    Late(String, u64),
    /// A reply that is a refusal.
    #[error("{url}: {status}: {message}")]
    Refused {
        /// Who refused.
        url: String,
        /// HTTP status.
        status: u16,
        /// Error code and text of the body.
        message: String,
    },
    /// A reply that cannot be understood.
    #[error("{0}: {1}")]
    Unreadable(String, String),
    /// The API server refused or could not be reached.
    #[error("{}", describe(.0))]
    Kube(#[from] Box<kube::Error>),
    /// The onboarding key is not there or is none.
    #[error("onboarding key: {0}")]
    Key(String),
    /// A token did not come in time.
    #[error("Status not populated")]
    NoToken,
}

impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

impl CallError {
    /// True when the caller is not wanted any more, so that there is no hurry to ask again: the resource was deleted,
    /// or the token is not for it.
    pub(crate) fn is_rejection(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403 | 404, .. })
    }
}

/// The API server's own words, or the network's.
fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => NetError::find(other).map_or_else(|| other.to_string(), ToString::to_string),
    }
}

/// True when the API server says that the object is not there.
pub(crate) fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// True when the API server says that the object is there already, or has changed meanwhile.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
