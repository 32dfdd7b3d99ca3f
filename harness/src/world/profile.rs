//! World profiles: files that people write to describe a world.

use std::path::{Path, PathBuf};

use fault_proxy::ProxyConfig;
use kube_sim::kubelet::NodeSpec;
use mock_arm::profile::Profile;
use serde::Deserialize;

/// The longest profile that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// A world as a file describes it. Everything has a default; unknown keys are errors.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct WorldProfile {
    /// How the clock moves: `real`, `scaled`, `instant` or `manual`.
    pub clock: Option<String>,
    /// World seconds per wall second of a scaled clock.
    pub speed: Option<f64>,
    /// The seed.
    pub seed: Option<u64>,
    /// Hosts outside of the simulation that may be reached.
    pub allow: Vec<String>,
    /// DNS suffixes that the world's authority may also vouch for.
    pub names: Vec<String>,
    /// How the cluster is made: `embedded`, `kind`, `kind=NAME` or `context=NAME`.
    pub cluster: Option<String>,
    /// The nodes of an embedded cluster; empty for one like any other.
    pub nodes: Vec<NodeSpec>,
    /// The customer's proxy before clients.
    pub workstation_proxy: Option<ProxyConfig>,
    /// The customer's proxy before the cluster's agents.
    pub cluster_proxy: Option<ProxyConfig>,
    /// What becomes of agents' connections that do not go by it: `open`, `refused` or `dropped`.
    pub cluster_egress: Option<String>,
    /// The cloud.
    pub cloud: Profile,
}

/// A profile could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("cannot read the profile {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not a profile.
    #[error("the profile {} is not one:\n{reason}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
}

impl WorldProfile {
    /// Reads a profile from a YAML or JSON file.
    ///
    /// # Errors
    /// [`ProfileError`], which names the file and the place in it.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let io = |source| ProfileError::Io { path: path.into(), source };
        if std::fs::metadata(path).map_err(io)?.len() > LARGEST {
            return Err(io(std::io::Error::other("it is longer than 1 MiB")));
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(&text)
            .map_err(|error| ProfileError::Syntax { path: path.into(), reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<WorldProfile, ProfileError> {
        let path = std::env::temp_dir().join(format!("dryarc-profile-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let read = WorldProfile::read(&path);
        std::fs::remove_file(&path).unwrap();
        read
    }

    #[test]
    fn a_profile_is_yaml_or_json_and_strict() {
        let yaml = "speed: 600\nallow: [example.com]\ncloud:\n  registration:\n    '*': {seconds: 10}\n";
        let profile = read("a", yaml).unwrap();
        assert_eq!(profile.speed, Some(600.0));
        assert_eq!(profile.cloud.registration("Microsoft.Kubernetes").seconds, 10);
        assert_eq!(read("b", r#"{"seed": 7}"#).unwrap().seed, Some(7));
        assert_eq!(read("c", "\n").unwrap(), WorldProfile::default());
        let nodes = read("e", "nodes:\n- {name: arm-1, arch: arm64, taints: ['arch=arm64:NoSchedule']}\n")
            .unwrap()
            .nodes;
        assert_eq!((nodes[0].arch.as_str(), nodes[0].cpu.as_str()), ("arm64", "4"));
        let error = read("d", "speed: 1\nsped: 2\n").unwrap_err().to_string();
        assert!(error.contains("sped") && error.contains('2'), "{error}");
    }
}
