//! How a simulated client reaches a host: resolver, dialer, trust, proxy.
//!
//! Every client (HTTP, websocket, Kubernetes) uses one [`Net`]. The way to a target is decided in this order:
//! 1. the proxy that [`ProxyRules`] name for it: the customer's outbound proxy, by Go's rules, as the real agents and
//!    command line tools choose it;
//! 2. the *wire* below, for the target or for that proxy: an address given for the host name, the gateway into a cluster's network
//!    for its Services, loopback directly, else the egress gateway that stands for the Internet (HTTP CONNECT, invisible to the proxy rules), else the system's
//!    resolver;
//! 3. TLS by the roots that this client trusts, end to end, with ALPN `http/1.1`.
//!
//! No step has a time limit of its own: a caller that wants one wraps the call in the clock's `timeout`.

mod client;
mod connector;
mod dial;
mod env;
mod error;
mod proxy;
mod serve;
#[cfg(test)]
mod test_servers;
#[cfg(test)]
mod tests;
pub mod websocket;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub use self::client::HttpClient;
pub use self::connector::{Connector, NetStream};
pub use self::dial::{Io, Stream};
pub use self::error::{NetError, chain};
pub use self::proxy::{Proxy, ProxyRules, ProxyScheme};
pub use self::serve::{accept, splice, stopped};
pub use self::websocket::WebSocket;

/// One client's view of the network. Cheap to clone.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    settings: NetBuilder,
    /// Towards targets: with the client's own certificate, if it has one.
    tls: Arc<ClientConfig>,
    /// Towards `https://` proxies.
    proxy_tls: Arc<ClientConfig>,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Net").field(&self.0.settings).finish()
    }
}

/// Puts a [`Net`] together. The default trusts nobody, knows no proxy and dials directly.
#[derive(Clone)]
pub struct NetBuilder {
    roots: Arc<RootCertStore>,
    rules: ProxyRules,
    egress: Option<SocketAddr>,
    pods: Option<SocketAddr>,
    hosts: HashMap<String, SocketAddr>,
    identity: Option<(String, String)>,
}

impl Default for NetBuilder {
    fn default() -> Self {
        Self {
            roots: Arc::new(RootCertStore::empty()),
            rules: ProxyRules::default(),
            egress: None,
            pods: None,
            hosts: HashMap::new(),
            identity: None,
        }
    }
}

impl fmt::Debug for NetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetBuilder")
            .field("roots", &self.roots.len())
            .field("rules", &self.rules)
            .field("egress", &self.egress)
            .field("pods", &self.pods)
            .field("hosts", &self.hosts)
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl NetBuilder {
    /// Trusts these roots, and no others.
    #[must_use]
    pub fn roots(mut self, roots: RootCertStore) -> Self {
        self.roots = Arc::new(roots);
        self
    }

    /// Chooses the outbound proxy by these rules.
    #[must_use]
    pub fn proxy(mut self, rules: ProxyRules) -> Self {
        self.rules = rules;
        self
    }

    /// Reaches everything that is neither loopback nor given by [`NetBuilder::host`] through the gateway there.
    #[must_use]
    pub fn egress(mut self, gateway: Option<SocketAddr>) -> Self {
        self.egress = gateway;
        self
    }

    /// Reaches the Services of a cluster (`*.svc`, `*.svc.cluster.local`) through the gateway there: a pod's way into a network that
    /// nothing routes.
    #[must_use]
    pub fn pods(mut self, gateway: Option<SocketAddr>) -> Self {
        self.pods = gateway;
        self
    }

    /// Reaches the host of this name (compared without case) at `address`, whatever port is asked for.
    #[must_use]
    pub fn host(mut self, name: &str, address: SocketAddr) -> Self {
        self.hosts.insert(name.to_ascii_lowercase(), address);
        self
    }

    /// Shows this certificate (PEM, with its chain) to servers that ask for one; not to proxies.
    #[must_use]
    pub fn client_identity(mut self, cert_pem: &str, key_pem: &str) -> Self {
        self.identity = Some((cert_pem.into(), key_pem.into()));
        self
    }

    /// The finished value.
    ///
    /// # Errors
    /// [`NetError::Config`] when the client certificate or its key cannot be read.
    pub fn build(self) -> Result<Net, NetError> {
        let proxy_tls = tls_config(&self.roots, None)?;
        let tls = match &self.identity {
            None => proxy_tls.clone(),
            Some((cert, key)) => tls_config(&self.roots, Some((cert, key)))?,
        };
        Ok(Net(Arc::new(Inner { settings: self, tls, proxy_tls })))
    }
}

impl Net {
    /// Starts a new value; see [`NetBuilder`].
    #[must_use]
    pub fn builder() -> NetBuilder {
        NetBuilder::default()
    }

    /// A builder that holds this value's settings: for a client that differs in trust or identity only.
    #[must_use]
    pub fn to_builder(&self) -> NetBuilder {
        self.0.settings.clone()
    }

    /// A connector for hyper's client (and so for `kube::Client`): TLS inside for `https`, ALPN `http/1.1`. Requests to
    /// an `http` target behind a proxy go in absolute form; credentials for that proxy are added by [`HttpClient`] only.
    #[must_use]
    pub fn connector(&self) -> Connector {
        Connector::new(self.clone())
    }

    /// An HTTP client with its own connection pool.
    #[must_use]
    pub fn http(&self) -> HttpClient {
        HttpClient::new(self.clone())
    }

    /// The proxy that the rules name for a target.
    #[must_use]
    pub fn proxy_for(&self, scheme: &str, host: &str, port: u16) -> Option<&Proxy> {
        self.0.settings.rules.choose(scheme, host, port)
    }
}

/// Reads every certificate of a PEM text into a root store.
///
/// # Errors
/// [`NetError::Config`] for a text that holds no certificate, or one that is none.
pub fn roots_from_pem(pem: &str) -> Result<RootCertStore, NetError> {
    let mut roots = RootCertStore::empty();
    add_roots(&mut roots, pem.as_bytes(), "PEM text")?;
    Ok(roots)
}

fn add_roots(roots: &mut RootCertStore, pem: &[u8], what: &str) -> Result<(), NetError> {
    let config = |reason: String| NetError::Config { what: what.into(), reason };
    let mut any = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| config(error.to_string()))?;
        // A bundle of the operating system may hold roots that this library refuses; the others still count.
        any |= roots.add(certificate).is_ok();
    }
    if any { Ok(()) } else { Err(config("holds no usable certificate".into())) }
}

fn tls_config(
    roots: &Arc<RootCertStore>,
    identity: Option<(&str, &str)>,
) -> Result<Arc<ClientConfig>, NetError> {
    let config = |reason: String| NetError::Config { what: "client certificate".into(), reason };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| config(error.to_string()))?
        .with_root_certificates(roots.clone());
    let mut tls = match identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = CertificateDer::pem_slice_iter(cert.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| config(error.to_string()))?;
            let key =
                PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| config(error.to_string()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| config(error.to_string()))?
        }
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}
