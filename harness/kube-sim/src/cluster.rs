//! Starting and stopping a cluster.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::KeySource;
use sim_core::pki::{Authority, Constraints, Leaf, PkiError, Subject};
use sim_core::seed::Seed;
use tokio::sync::watch::Sender;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::auth::TokenService;
use crate::bootstrap;
use crate::controllers::{Controllers, ControllersConfig};
use crate::front::{Frames, Listening, Server, serve};
use crate::kubelet::live::LiveContainers;
use crate::kubelet::{ImageResolver, KubeletConfig, Logs, NodeSpec};
use crate::network::{self, Network};
use crate::status::Status;

/// What a cluster is made of.
pub struct ClusterConfig {
    /// Its name, which is that of its context in the kubeconfig too.
    pub name: String,
    /// The world's clock.
    pub clock: Clock,
    /// The world's seed.
    pub seed: Seed,
    /// The world's journal.
    pub journal: Journal,
    /// The world's faults.
    pub faults: FaultSet,
    /// Where the signing key comes from.
    pub keys: KeySource,
    /// What to run for which image.
    pub images: ImageResolver,
    /// Its nodes; each has a kubelet.
    pub nodes: Vec<NodeSpec>,
    /// What every process of a pod gets in its environment.
    pub pod_env: Vec<(String, String)>,
    /// Where volumes of pods are made.
    pub work_dir: PathBuf,
    /// Where the API server listens; port 0 takes a free one. Bound to all addresses, it says of itself that it is on loopback.
    pub listen: SocketAddr,
    /// Names and addresses in the API server's certificate beside its own and those of loopback.
    pub names: Vec<String>,
}

impl ClusterConfig {
    /// A cluster without nodes, without programs for images and without faults, on a free port of loopback.
    #[must_use]
    pub fn new(name: impl Into<String>, clock: &Clock, seed: Seed, work_dir: PathBuf) -> Self {
        let journal = Journal::new(clock.clone());
        Self {
            name: name.into(),
            faults: FaultSet::new(seed, clock.clone(), journal.clone()),
            clock: clock.clone(),
            seed,
            journal,
            keys: KeySource::fresh(),
            images: Arc::new(|_| None),
            nodes: Vec::new(),
            pod_env: Vec::new(),
            work_dir,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            names: Vec::new(),
        }
    }
}

impl fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ClusterConfig");
        debug.field("name", &self.name).field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// A cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "the API server of cluster '{cluster}' cannot listen on {address}: {source}; choose another port, or 0 for a free one"
    )]
    Listen {
        /// Which cluster.
        cluster: String,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Certificates could not be made.
    #[error("certificates of cluster '{cluster}': {source}")]
    Pki {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: PkiError,
    },
    /// The objects of a new cluster could not be written.
    #[error("the first objects of cluster '{cluster}': {status}")]
    Bootstrap {
        /// Which cluster.
        cluster: String,
        /// What the API said.
        status: Status,
    },
}

/// A running cluster. Dropping it stops it without waiting; [`Cluster::shutdown`] waits.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    address: SocketAddr,
    authority: Authority,
    admin: Leaf,
    api: Api,
    tokens: TokenService,
    stop: Sender<bool>,
    server: Option<JoinHandle<()>>,
    network: Option<JoinHandle<()>>,
    controllers: Option<Controllers>,
}

impl Cluster {
    /// Starts a cluster; when this returns its API server answers.
    ///
    /// # Errors
    /// [`StartError`] when the address is taken or certificates cannot be made.
    pub async fn start(config: ClusterConfig) -> Result<Self, StartError> {
        let ClusterConfig { name, clock, seed, journal, keys, listen, names, .. } = config;
        let listening = Listening::bind(listen).await.map_err(|source| StartError::Listen {
            cluster: name.clone(),
            address: listen,
            source,
        })?;
        let address = reached(listening.address);
        let (pods, pod_network) = network::bind().await.map_err(|source| StartError::Listen {
            cluster: name.clone(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            source,
        })?;
        let pki = |source| StartError::Pki { cluster: name.clone(), source };
        let authority = Authority::new("kubernetes", &Constraints::default(), clock.wall()).map_err(pki)?;
        // Named as kubeadm names it: a leaf that is called like its issuer passes for self-signed with OpenSSL.
        let server =
            Subject { common_name: "kube-apiserver".into(), ..Subject::server(server_names(address, names)) };
        let serving = authority.issue(&server).map_err(pki)?;
        let admin =
            authority.issue(&Subject::client("kubernetes-admin", Some("system:masters"))).map_err(pki)?;
        let tls = serving.server_config_with_clients(&authority, true).map_err(pki)?;
        let api = Api::new(&name, clock.clone(), journal, seed);
        bootstrap::fill(&api, address, authority.pem())
            .map_err(|status| StartError::Bootstrap { cluster: name.clone(), status })?;
        let tokens = TokenService::new(api.clone(), keys, &name);
        let (logs, live) = (Logs::new(clock.clone()), LiveContainers::default());
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let network = Network { api: api.clone(), live: live.clone(), clock };
        let network = network.serve(pods, stopped.clone());
        let server = Arc::new(Server {
            api: api.clone(),
            tokens: tokens.clone(),
            logs: logs.clone(),
            live: live.clone(),
            address: address.to_string(),
            messages: OnceLock::new(),
            frames: Arc::new(Frames::default()),
            stop: stopped,
        });
        let server = Some(serve(listening, tls, server));
        let controllers = Controllers::start(
            &api,
            ControllersConfig {
                kubelet: KubeletConfig {
                    images: config.images,
                    nodes: config.nodes,
                    pod_env: pod_env(config.pod_env, address, pod_network),
                    work_dir: config.work_dir,
                    tokens: tokens.clone(),
                    faults: config.faults,
                    cluster: name.clone(),
                },
                ca_pem: authority.pem().to_owned(),
                logs,
                live,
            },
        );
        let controllers =
            controllers.map_err(|status| StartError::Bootstrap { cluster: name.clone(), status })?;
        Ok(Self {
            name,
            address,
            authority,
            admin,
            api,
            tokens,
            stop,
            server,
            network: Some(network),
            controllers: Some(controllers),
        })
    }

    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the API server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate of the cluster's authority, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Certificate and key of the administrator, PEM.
    #[must_use]
    pub fn admin_identity(&self) -> (&str, &str) {
        (&self.admin.cert_pem, &self.admin.key_pem)
    }

    /// Direct access to the objects, for the process that the cluster lives in.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The issuer of service account tokens.
    #[must_use]
    pub fn tokens(&self) -> &TokenService {
        &self.tokens
    }

    /// A kubeconfig with one context, named as the cluster, that may do everything. It holds a private key: mode 0600.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let name = &self.name;
        let encoded = |pem: &str| STANDARD.encode(pem);
        let config: Value = json!({
            "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": name,
            "clusters": [{"name": name, "cluster": {
                "server": self.url(), "certificate-authority-data": encoded(self.ca_pem())}}],
            "users": [{"name": format!("{name}-admin"), "user": {
                "client-certificate-data": encoded(&self.admin.cert_pem),
                "client-key-data": encoded(&self.admin.key_pem)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": format!("{name}-admin")}}],
        });
        // JSON is YAML, and every reader of kubeconfigs takes it; YAML is what people expect to find.
        serde_saphyr::to_string(&config).unwrap_or_else(|_| config.to_string())
    }

    /// Stops everything, and waits until no process, connection or task of the cluster is left.
    pub async fn shutdown(mut self) {
        // Processes first: while they end, they may still talk to the API server.
        if let Some(controllers) = self.controllers.take() {
            controllers.shutdown().await;
        }
        self.stop.send_replace(true);
        for task in [self.server.take(), self.network.take()].into_iter().flatten() {
            // A task that panicked is gone as well.
            let _ = task.await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// The environment of every process: what the owner says, where the API server is, and where other pods are. Where the owner
/// gives the API server the address of its service, agents learn besides where that leads.
fn pod_env(
    mut env: Vec<(String, String)>,
    address: SocketAddr,
    network: SocketAddr,
) -> Vec<(String, String)> {
    if env.iter().any(|(own, _)| own == "KUBERNETES_SERVICE_HOST") {
        env.push(("DRYARC_API_SERVER".to_owned(), address.to_string()));
    }
    for (name, value) in [
        ("KUBERNETES_SERVICE_HOST", address.ip().to_string()),
        ("KUBERNETES_SERVICE_PORT", address.port().to_string()),
        ("KUBERNETES_SERVICE_PORT_HTTPS", address.port().to_string()),
        (network::VARIABLE, network.to_string()),
    ] {
        if !env.iter().any(|(own, _)| own == name) {
            env.push((name.to_owned(), value));
        }
    }
    env
}

/// Where this machine itself reaches a listener.
fn reached(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    (ip, bound.port()).into()
}

fn server_names(address: SocketAddr, own: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "127.0.0.1",
        "::1",
        bootstrap::SERVICE_ADDRESS,
    ]
    .into_iter()
    .map(ToOwned::to_owned)
    .collect();
    for name in own.into_iter().chain([address.ip().to_string()]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
