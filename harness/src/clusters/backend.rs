//! How a world's cluster is chosen.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// How a world's cluster is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Backend {
    /// In this process, without Docker.
    #[default]
    Embedded,
    /// With the `kind` program: the cluster of that name, or one of the world's own.
    Kind(Option<String>),
    /// A cluster of the user's own, by the name of its context.
    Context(String),
}

/// A text that names no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no kind of cluster: write embedded, kind, kind=NAME or context=NAME")]
pub struct BadBackend(String);

/// kind's own rule: the name becomes a part of host names.
fn names_a_kind_cluster(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !name.is_empty() && name.len() <= 50 && name.chars().all(fits)
}

impl FromStr for Backend {
    type Err = BadBackend;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            None if text == "embedded" => Ok(Self::Embedded),
            None if text == "kind" => Ok(Self::Kind(None)),
            Some(("kind", name)) if names_a_kind_cluster(name) => Ok(Self::Kind(Some(name.into()))),
            Some(("context", name)) if !name.is_empty() => Ok(Self::Context(name.into())),
            _ => Err(BadBackend(text.into())),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Kind(None) => f.write_str("kind"),
            Self::Kind(Some(name)) => write!(f, "kind={name}"),
            Self::Context(name) => write!(f, "context={name}"),
        }
    }
}

impl Backend {
    /// Whether the cluster's time, processes and network are not ours.
    #[must_use]
    pub fn is_real(&self) -> bool {
        *self != Self::Embedded
    }
}

/// Tells the person at the terminal what is happening.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    /// Through this function.
    pub fn new(say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(say))
    }

    /// One line.
    pub fn say(&self, line: &str) {
        (self.0)(line);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(|line| tracing::info!("{line}"))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// What else a user may say about a real cluster. Means nothing to an embedded one.
#[derive(Debug, Clone, Default)]
pub struct RealOptions {
    /// kind's node image for a cluster that is created.
    pub node_image: Option<String>,
    /// kind's configuration file for a cluster that is created.
    pub kind_config: Option<PathBuf>,
    /// The container image whose program the agents' images are made of; this very program when left out.
    pub agent_image: Option<String>,
    /// The address by which pods reach this machine; guessed when left out.
    pub advertise: Option<std::net::IpAddr>,
    /// The shell command that loads an image archive into the nodes of a context's cluster; `{}` is the archive's path.
    pub load_images: Option<String>,
    /// Who is told what happens.
    pub progress: Progress,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_read_as_they_are_written() {
        for text in ["embedded", "kind", "kind=ci-1", "context=my-cluster"] {
            assert_eq!(text.parse::<Backend>().unwrap().to_string(), text);
        }
        for text in ["", "context=", "docker", "kind=", "kind=Not This", "embedded=x"] {
            assert!(text.parse::<Backend>().is_err(), "{text}");
        }
        assert!(Backend::Kind(None).is_real() && !Backend::Embedded.is_real());
    }
}
