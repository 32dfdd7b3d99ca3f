//! What a world's owner writes down so that others can reach it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ProcessId, StateError, WorldName, write_private};

/// The format that this program writes and reads.
pub const FORMAT: u64 = 1;

/// The name of a world's proxy before clients: `az`, `helm`, the native driver.
pub const WORKSTATION_PROXY: &str = "workstation-proxy";

/// The name of a world's proxy before the cluster's pods.
pub const CLUSTER_PROXY: &str = "cluster-proxy";

/// The content of `world.json`. It holds secrets, so the file has mode 0600 and `Debug` leaves them out.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorldRecord {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u64,
    /// Version of the program that wrote it.
    pub version: String,
    /// The world's name.
    pub name: WorldName,
    /// The process that is the world.
    #[serde(flatten)]
    pub owner: ProcessId,
    /// When it started, in wall time.
    pub created: Timestamp,
    /// Where the control interface listens.
    pub control: SocketAddr,
    /// What the control interface wants to see.
    pub token: String,
    /// True when the world ends with the command it was made for.
    pub temporary: bool,
    /// What clients need to know.
    pub facts: Facts,
}

impl std::fmt::Debug for WorldRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorldRecord")
            .field("name", &self.name)
            .field("owner", &self.owner)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// A customer's proxy, as this machine reaches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyPlace {
    /// `workstation-proxy` or `cluster-proxy`: also what the journal and fault rules call it.
    pub name: String,
    /// By `http://`.
    pub http: SocketAddr,
    /// By `https://`, if it is.
    #[serde(default)]
    pub https: Option<SocketAddr>,
    /// The names that its certificate has.
    #[serde(default)]
    pub names: Vec<String>,
}

/// What a client of the world needs: addresses, identities, and where the files prepared for it lie.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The folder of the world.
    pub dir: PathBuf,
    /// The gateway that stands for the Internet.
    pub gateway: SocketAddr,
    /// The cloud's own listener.
    pub cloud: SocketAddr,
    /// Where the world's clock can be followed.
    pub clock_link: String,
    /// The API server of the cluster.
    pub cluster_url: String,
    /// How the cluster is made, as `--cluster` says it.
    #[serde(default)]
    pub backend: String,
    /// Name of the cluster and of its context.
    pub cluster: String,
    /// The seed that names and ids were drawn from.
    pub seed: u64,
    /// Tenant id.
    pub tenant: String,
    /// Default subscription.
    pub subscription: String,
    /// Name of the default subscription.
    pub subscription_name: String,
    /// Application id of the service principal that clients are logged in as.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Hosts outside of the simulation that may be reached.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The customer's proxies.
    #[serde(default)]
    pub proxies: Vec<ProxyPlace>,
    /// Where an id came from, by option name (`tenant`, `client-id`, …): a flag, a variable, the profile, the seed.
    #[serde(default)]
    pub origins: BTreeMap<String, String>,
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("dir", &self.dir)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl Facts {
    /// The private home folder of clients.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// The Azure CLI's folder: inside the private home, where tools that ignore `AZURE_CONFIG_DIR` look too.
    #[must_use]
    pub fn azure_config(&self) -> PathBuf {
        self.home().join(".azure")
    }

    /// The writable copy of the user's Azure CLI extensions.
    #[must_use]
    pub fn az_extensions(&self) -> PathBuf {
        self.azure_config().join("cliextensions")
    }

    /// The world's own certificate authority, PEM.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The system's roots and the world's own, PEM.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.dir.join("ca-bundle.pem")
    }

    /// The customer's proxy before clients, if there is one.
    #[must_use]
    pub fn workstation_proxy(&self) -> Option<&ProxyPlace> {
        self.proxies.iter().find(|place| place.name == WORKSTATION_PROXY)
    }

    /// The root certificate of a customer's proxy, PEM: what has to be trusted where it intercepts or is reached by `https://`.
    #[must_use]
    pub fn proxy_ca(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}-ca.pem"))
    }

    /// [`Facts::bundle`] with the root of a customer's proxy, PEM.
    #[must_use]
    pub fn proxy_bundle(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}-bundle.pem"))
    }

    /// The same roots for Java.
    #[must_use]
    pub fn java_trust(&self) -> PathBuf {
        self.dir.join("ca-bundle.jks")
    }

    /// The kubeconfig with the cluster's context.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }
}

impl WorldRecord {
    /// Where the record of the world in `dir` lies.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("world.json")
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), StateError> {
        let path = Self::path(dir);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| StateError::Damaged { path: path.clone(), reason: error.to_string() })?;
        write_private(&path, &text)
    }

    /// `None` when there is no record yet.
    pub(super) fn read(dir: &Path, name: &WorldName) -> Result<Option<Self>, StateError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let path = Self::path(dir);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::io("cannot read", path)(error)),
        };
        let damaged =
            |error: serde_json::Error| StateError::Damaged { path: path.clone(), reason: error.to_string() };
        let head: Head = serde_json::from_slice(&text).map_err(damaged)?;
        if head.format != FORMAT {
            return Err(StateError::Format { name: name.clone(), found: head.format });
        }
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }
}
