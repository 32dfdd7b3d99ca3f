//! `kube-aad-proxy`: serves its certificate, and readiness.
//!
//! It proxies nothing: cluster connect is not modelled, so every other path is refused by name.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
    let secure = Server::bind(agent.config.listen(TLS_PORT)).await?.with_tls(tls);
    let plain = Server::bind(agent.config.listen(PLAIN_PORT)).await?;
    agent.log.info("Serving");
    let serving = async {
        tokio::select! {
            ended = secure.serve(&agent.clock, |request| std::future::ready(answer(&request))) => ended,
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

fn answer(request: &Request) -> Reply {
    if request.path == "/readiness" {
        return Reply::text(StatusCode::OK, "ok");
    }
    let text = format!("cluster connect is not modelled: '{}' goes nowhere", request.path);
    Reply::text(StatusCode::NOT_IMPLEMENTED, &text)
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
