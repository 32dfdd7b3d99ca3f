//! The servers that cases run against.

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use kube_sim::cluster::{Cluster, ClusterConfig};
use sim_core::clock::Clock;
use sim_core::net::{HttpClient, Net, roots_from_pem};
use sim_core::seed::Seed;

use crate::kubeconfig::Kubeconfig;

/// Names the kubeconfig of a real server (administrator by client certificate).
pub const REAL_KUBECONFIG: &str = "DRYARC_TEST_KUBECONFIG_REAL";

/// A server that cases run against.
#[derive(Debug)]
pub struct Target {
    url: String,
    admin: HttpClient,
    anonymous: HttpClient,
    clock: Clock,
    cluster: Option<Cluster>,
}

impl Target {
    /// An embedded cluster without nodes, as the bare control plane that was recorded has none.
    ///
    /// # Errors
    /// Why it does not start, for people.
    pub async fn embedded() -> Result<Self, String> {
        let clock = Clock::running(1.0);
        let work_dir = std::env::temp_dir().join(format!("dryarc-conformance-{}", std::process::id()));
        let config = ClusterConfig::new("conformance", &clock, Seed::new(1), work_dir);
        let cluster = Cluster::start(config).await.map_err(|error| error.to_string())?;
        let (url, ca) = (cluster.url(), cluster.ca_pem().to_owned());
        let (certificate, key) = cluster.admin_identity();
        let (admin, anonymous) = clients(&ca, certificate, key)?;
        Ok(Self { url, admin, anonymous, clock, cluster: Some(cluster) })
    }

    /// A server that runs already; `kubeconfig` is the text of its configuration file.
    ///
    /// # Errors
    /// What is missing in the configuration, for people.
    pub fn running(kubeconfig: &str) -> Result<Self, String> {
        let Kubeconfig { server: url, ca, certificate, key } = Kubeconfig::parse(kubeconfig)?;
        let (admin, anonymous) = clients(&ca, &certificate, &key)?;
        Ok(Self { url, admin, anonymous, clock: Clock::running(1.0), cluster: None })
    }

    pub(super) async fn send(
        &self,
        anonymous: bool,
        request: http::request::Builder,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let request: Request<Bytes> = request
            .uri(format!("{}{path}", self.url))
            .body(body)
            .map_err(|error| format!("{path}: {error}"))?;
        let client = if anonymous { &self.anonymous } else { &self.admin };
        client.send_streaming(request).await.map_err(|error| format!("{path}: {error}"))
    }

    /// The clock by which answers that take too long are given up.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Ends what was started for the cases.
    pub async fn end(self) {
        if let Some(cluster) = self.cluster {
            cluster.shutdown().await;
        }
    }
}

fn clients(ca: &str, certificate: &str, key: &str) -> Result<(HttpClient, HttpClient), String> {
    let roots = roots_from_pem(ca).map_err(|error| error.to_string())?;
    let net = || Net::builder().roots(roots.clone());
    let admin = net().client_identity(certificate, key).build().map_err(|error| error.to_string())?;
    let anonymous = net().build().map_err(|error| error.to_string())?;
    Ok((admin.http(), anonymous.http()))
}
