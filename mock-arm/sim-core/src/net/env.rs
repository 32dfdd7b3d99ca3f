//! A client's network as its environment describes it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;

use super::{Net, NetBuilder, NetError, ProxyRules, add_roots};

/// Where systems keep their roots: the first that exists counts, as in Go.
const SYSTEM_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Where a container mounts further roots.
const MOUNTED_ROOTS: &str = "usr/local/share/ca-certificates";

/// Names under which a pod reaches the API server.
const API_SERVER_NAMES: [&str; 4] =
    ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];

impl Net {
    /// The network of a process, from its environment.
    ///
    /// Roots: `DRYARC_CA_FILE`, else `DRYARC_CA` (PEM), else `SSL_CERT_FILE`, else the system's bundle; in a container also
    /// the certificates mounted at `/usr/local/share/ca-certificates` (below `DRYARC_ROOT`, if that is set), which its start
    /// script would add. Egress:
    /// `DRYARC_EGRESS`. Services of the cluster: `DRYARC_POD_NETWORK`. The API server's
    /// service names lead to `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` where those are an address, or to
    /// `DRYARC_API_SERVER`, which then is also where that address itself leads. Proxy: as [`ProxyRules::from_env`].
    ///
    /// # Errors
    /// [`NetError::Config`] names the variable or file that is unusable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, NetError> {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let mut builder = Self::builder()
            .roots(roots(&set)?)
            .egress(gateway("DRYARC_EGRESS", set("DRYARC_EGRESS"))?)
            .pods(gateway("DRYARC_POD_NETWORK", set("DRYARC_POD_NETWORK"))?)
            .proxy(ProxyRules::from_env(&get));
        if let Some(address) = api_server(&set) {
            let service = set("KUBERNETES_SERVICE_HOST").filter(|_| set("DRYARC_API_SERVER").is_some());
            let names = API_SERVER_NAMES.into_iter().map(str::to_owned).chain(service);
            builder = names.fold(builder, |builder, name| builder.host(&name, address));
        }
        NetBuilder::build(builder)
    }
}

fn gateway(name: &str, text: Option<String>) -> Result<Option<SocketAddr>, NetError> {
    let parse = |text: String| {
        let reason = format!("'{text}' is not ADDRESS:PORT");
        text.parse().map_err(|_| NetError::Config { what: name.into(), reason })
    };
    text.map(parse).transpose()
}

fn api_server(set: &impl Fn(&str) -> Option<String>) -> Option<SocketAddr> {
    if let Some(given) = set("DRYARC_API_SERVER") {
        return given.parse().ok();
    }
    let address: IpAddr = set("KUBERNETES_SERVICE_HOST")?.parse().ok()?;
    Some(SocketAddr::new(address, set("KUBERNETES_SERVICE_PORT")?.parse().ok()?))
}

fn roots(set: &impl Fn(&str) -> Option<String>) -> Result<RootCertStore, NetError> {
    let mut roots = RootCertStore::empty();
    let file = |name: &str| set(name).map(PathBuf::from);
    let system = || SYSTEM_FILES.iter().map(PathBuf::from).find(|file| file.exists());
    match (file("DRYARC_CA_FILE"), set("DRYARC_CA")) {
        (Some(file), _) => add_file(&mut roots, &file)?,
        (None, Some(pem)) => add_roots(&mut roots, pem.as_bytes(), "DRYARC_CA")?,
        (None, None) => {
            if let Some(file) = file("SSL_CERT_FILE").or_else(system) {
                add_file(&mut roots, &file)?;
            }
        }
    }
    let container = || set("KUBERNETES_SERVICE_HOST").map(|_| "/".to_owned());
    let mounted = set("DRYARC_ROOT").or_else(container).map(|root| Path::new(&root).join(MOUNTED_ROOTS));
    for file in mounted.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        if file.path().extension().is_some_and(|extension| extension == "crt") {
            add_file(&mut roots, &file.path())?;
        }
    }
    Ok(roots)
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), NetError> {
    let name = file.display().to_string();
    let pem = std::fs::read(file)
        .map_err(|error| NetError::Config { what: name.clone(), reason: error.to_string() })?;
    add_roots(roots, &pem, &name)
}
