//! `kube-aad-proxy`: finds out who calls, and asks the API server as that one.
//!
//! A caller shows a token of Entra ID that is bound to a key, with a proof that it holds the key ([`token`]), and becomes the user of
//! that token's object id by impersonation; or it shows a token of the cluster itself (a service account's), which is handed on as it
//! is. Azure RBAC and groups are not modelled: rights are those of the cluster's own bindings.

mod forward;
mod proof;
mod token;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use self::forward::Forwarder;
use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::store;
use crate::pace::{Backoff, Pace};
use crate::serve::{Reply, Request, Server};

/// The Secret that the pod waits for.
pub(crate) const CERTIFICATE_SECRET: &str = "kube-aad-proxy-certificate";
/// Where it is mounted.
pub(crate) const CERTIFICATE_FOLDER: &str = "/etc/kube-aad-proxy/tls";

const TLS_PORT: u16 = 8443;
const PLAIN_PORT: u16 = 8080;
const SLOWEST: Duration = Duration::from_secs(60);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let tls = certificate(agent, pace).await;
    let address = agent.config.listen(TLS_PORT);
    let listener =
        TcpListener::bind(address).await.map_err(|source| AgentError::Listen { address, source })?;
    let plain = Server::bind(agent.config.listen(PLAIN_PORT)).await?;
    agent.log.info("Serving");
    let forwarder = Arc::new(Forwarder::new(agent.clone()));
    let serving = async {
        tokio::select! {
            () = secure(listener, TlsAcceptor::from(tls), forwarder) => std::future::pending().await,
            ended = plain.serve(&agent.clock, |request| std::future::ready(answer(&request))) => ended,
        }
    };
    // Serving is waiting, as far as the clock goes.
    let day = Duration::from_secs(86_400);
    tokio::pin!(serving);
    loop {
        if let Some(ended) = pace.wait(day, &mut serving).await {
            return ended;
        }
    }
}

/// The plain port is for probes.
fn answer(request: &Request) -> Reply {
    match request.path.as_str() {
        "/readiness" => Reply::text(StatusCode::OK, "ok"),
        _ => Reply::text(StatusCode::NOT_FOUND, "not found"),
    }
}

/// Serves requests for the API server until dropped; connections end with it.
async fn secure(listener: TcpListener, acceptor: TlsAcceptor, forwarder: Arc<Forwarder>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, acceptor.clone(), forwarder.clone()));
            }
            // Out of file descriptors, most likely: what ends meanwhile frees some.
            Err(_) => drop(connections.join_next().await),
        }
    }
}

/// A client that breaks off is nobody's error.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, forwarder: Arc<Forwarder>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(|request| {
        let forwarder = forwarder.clone();
        async move { Ok::<_, Infallible>(forwarder.answer(request).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// Waits for the certificate.
async fn certificate(agent: &Agent, pace: &mut Pace) -> Arc<ServerConfig> {
    let mut backoff = Backoff::up_to(SLOWEST);
    loop {
        match read(agent).await {
            Ok(config) => return config,
            Err(error) => agent.log.error(format!("Unable to load the serving certificate: {{{error}}}")),
        }
        let pause = backoff.pause();
        pace.sleep(pause).await;
    }
}

/// From the mounted folder; in a process without one, from the Secret itself.
async fn read(agent: &Agent) -> Result<Arc<ServerConfig>, CallError> {
    let folder = agent.config.path(CERTIFICATE_FOLDER);
    let file = |name: &str| std::fs::read_to_string(folder.join(name));
    let (certificate, key) = match (file("tls.crt"), file("tls.key")) {
        (Ok(certificate), Ok(key)) => (certificate, key),
        _ => {
            let secrets = store::secrets(agent);
            let certificate = store::read(&secrets, CERTIFICATE_SECRET, "tls.crt").await?;
            (certificate, store::read(&secrets, CERTIFICATE_SECRET, "tls.key").await?)
        }
    };
    server_config(&certificate, &key)
        .map_err(|reason| CallError::Unreadable(format!("secrets \"{CERTIFICATE_SECRET}\""), reason))
}

fn server_config(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, String> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| error.to_string())?;
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
        .map_err(|error| error.to_string())
}
