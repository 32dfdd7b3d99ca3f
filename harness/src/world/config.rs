//! What a world is made of, before it is made.

use std::path::PathBuf;
use std::str::FromStr;

use mock_arm::profile::Profile;
use sim_core::clock::Mode;
use sim_core::seed::Seed;

use super::Listen;
use crate::state::WorldName;

/// How a world's cluster is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Backend {
    /// In this process, without Docker.
    #[default]
    Embedded,
    /// With the `kind` program.
    Kind,
    /// A cluster of the user's own, by the name of its context.
    Context(String),
}

/// A text that names no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no kind of cluster: write embedded, kind or context=NAME")]
pub struct BadBackend(String);

impl FromStr for Backend {
    type Err = BadBackend;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("context=")) {
            ("embedded", _) => Ok(Self::Embedded),
            ("kind", _) => Ok(Self::Kind),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Context(name.into())),
            _ => Err(BadBackend(text.into())),
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Kind => f.write_str("kind"),
            Self::Context(name) => write!(f, "context={name}"),
        }
    }
}

/// What [`super::World::start`] makes a world of.
#[derive(Debug)]
pub struct WorldConfig {
    /// Its name; also the name of its cluster and of the cluster's context.
    pub name: WorldName,
    /// How its clock moves.
    pub mode: Mode,
    /// What names, ids and draws come from.
    pub seed: Seed,
    /// The cloud.
    pub cloud: Profile,
    /// Hosts outside of the simulation that may be reached, as patterns of the gateway.
    pub allow: Vec<String>,
    /// DNS suffixes that the world's authority may also vouch for.
    pub names: Vec<String>,
    /// The proxy through which allowed hosts are reached.
    pub upstream: Option<String>,
    /// Labels of onboarding keys to be made ahead of need.
    pub onboarding_keys: Vec<String>,
    /// Where its listeners are.
    pub listen: Listen,
    /// How the cluster is made.
    pub backend: Backend,
    /// A private folder for the world's files. It exists, and outlives the world.
    pub dir: PathBuf,
    /// The program that is started as `PROGRAM agent ROLE` for the agents' containers.
    pub agent_program: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_read_as_they_are_written() {
        for text in ["embedded", "kind", "context=my-cluster"] {
            assert_eq!(text.parse::<Backend>().unwrap().to_string(), text);
        }
        for text in ["", "context=", "docker"] {
            assert!(text.parse::<Backend>().is_err(), "{text}");
        }
    }
}
