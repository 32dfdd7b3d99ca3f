//! From a pod: service account files and the API server's address.

use std::path::{Path, PathBuf};

use super::service::Credential;
use super::{Access, KubeClientError};

const FOLDER: &str = "var/run/secrets/kubernetes.io/serviceaccount";

pub(super) fn access(get: impl Fn(&str) -> Option<String>) -> Result<Access, KubeClientError> {
    let need = |name: &'static str| {
        get(name).filter(|value| !value.is_empty()).ok_or(KubeClientError::NotInCluster(name))
    };
    let host = need("KUBERNETES_SERVICE_HOST")?;
    let port = need("KUBERNETES_SERVICE_PORT")?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let root = get("DRYARC_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let folder = root.join(FOLDER);
    let namespace = read(&folder.join("namespace")).unwrap_or_else(|_| crate::config::NAMESPACE.into());
    let token = folder.join("token");
    // Seen now, so that a pod without a token fails with a clear error.
    read(&token)?;
    Ok(Access {
        server: format!("https://{host}:{port}"),
        authority: Some(read(&folder.join("ca.crt"))?),
        credential: Credential::TokenFile(token),
        identity: None,
        namespace: namespace.trim().to_owned(),
    })
}

fn read(file: &Path) -> Result<String, KubeClientError> {
    std::fs::read_to_string(file)
        .map_err(|error| KubeClientError::unusable(file.display().to_string(), error))
}
