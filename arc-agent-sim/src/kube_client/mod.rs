//! A `kube::Client` on our own connector.
//!
//! kube-rs's own handling of proxies, trust and tokens is not used: the agents' one network value decides, by Go's
//! rules, as for every other client. Not modelled: exec and auth-provider credentials, user name and password,
//! impersonation, `tls-server-name`, `insecure-skip-tls-verify`, which are refused by name.

mod in_cluster;
mod kubeconfig;
mod service;

use http::Uri;
use sim_core::net::{Net, NetError, roots_from_pem};

pub use kubeconfig::from_kubeconfig;
use service::Credential;

/// No client could be made.
#[derive(Debug, thiserror::Error)]
pub enum KubeClientError {
    /// The process is not in a pod.
    #[error("environment variable {0} is not set: this process does not run in a pod")]
    NotInCluster(&'static str),
    /// A file or an entry is missing or unreadable.
    #[error("{what}: {reason}")]
    Unusable {
        /// Which file or entry.
        what: String,
        /// Why.
        reason: String,
    },
    /// Something in a kubeconfig that is not modelled.
    #[error("kubeconfig: {0} is not modelled; use a client certificate or a token")]
    NotModelled(&'static str),
    /// The network settings refuse the certificates.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl KubeClientError {
    fn unusable(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unusable { what: what.into(), reason: reason.to_string() }
    }
}

/// How an API server is reached and convinced.
struct Access {
    /// `https://address:port`, perhaps with a path.
    server: String,
    /// PEM of the server's authority; the network's own roots when absent.
    authority: Option<String>,
    credential: Credential,
    /// Certificate and key, PEM.
    identity: Option<(String, String)>,
    namespace: String,
}

impl Access {
    fn client(self, net: &Net) -> Result<kube::Client, KubeClientError> {
        let server: Uri = self
            .server
            .parse()
            .map_err(|error| KubeClientError::unusable(format!("server '{}'", self.server), error))?;
        if server.scheme().is_none() || server.host().is_none() {
            return Err(KubeClientError::unusable(
                format!("server '{}'", self.server),
                "it is not a full URL",
            ));
        }
        let mut builder = net.to_builder();
        if let Some(authority) = &self.authority {
            builder = builder.roots(roots_from_pem(authority)?);
        }
        if let Some((certificate, key)) = &self.identity {
            builder = builder.client_identity(certificate, key);
        }
        let service = service::build(&builder.build()?, server, self.credential)?;
        Ok(kube::Client::new(service, self.namespace))
    }
}

/// A client for the cluster whose pod this process is, from its environment and service account files: those below
/// `DRYARC_ROOT`, or those of a real container. The token file is read again for every request, as it is rotated.
///
/// # Errors
/// [`KubeClientError`] names the variable or file that is missing or unusable.
pub fn kube_client(net: &Net, get: impl Fn(&str) -> Option<String>) -> Result<kube::Client, KubeClientError> {
    in_cluster::access(get)?.client(net)
}
