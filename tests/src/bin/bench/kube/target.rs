//! An API server that is measured, and how it is talked to.

use bytes::Bytes;
use e2e_tests::kubeconfig::Kubeconfig;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rustls::RootCertStore;
use serde_json::{Value, json};
use sim_core::net::{HttpClient, Net, roots_from_pem};

/// The namespace of everything that is made.
pub(super) const NAMESPACE: &str = "dryarc-bench";

/// An API server.
#[derive(Clone)]
pub(super) struct Target {
    url: String,
    roots: RootCertStore,
    certificate: String,
    key: String,
}

impl Target {
    /// The server of a kubeconfig whose user has a client certificate in it.
    pub(super) fn of(kubeconfig: &str) -> Result<Self, String> {
        let Kubeconfig { server: url, ca, certificate, key } = Kubeconfig::parse(kubeconfig)?;
        let roots = roots_from_pem(&ca).map_err(|error| error.to_string())?;
        Ok(Self { url, roots, certificate, key })
    }

    /// A client with connections of its own.
    pub(super) fn client(&self) -> Result<Client, String> {
        let net = Net::builder().roots(self.roots.clone()).client_identity(&self.certificate, &self.key);
        let http = net.build().map_err(|error| error.to_string())?.http();
        Ok(Client { url: self.url.clone(), http })
    }
}

/// One client of a server.
#[derive(Clone)]
pub(super) struct Client {
    url: String,
    http: HttpClient,
}

impl Client {
    /// Sends a request; the answer must not be a refusal.
    pub(super) async fn open(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("accept", "application/json")
            .header("user-agent", "dryarc-bench/1.0");
        if !media.is_empty() {
            request = request.header("content-type", media);
        }
        let request = request.body(body).map_err(|error| error.to_string())?;
        self.http.send_streaming(request).await.map_err(|error| format!("{path}: {error}"))
    }

    /// Sends a request and reads the whole answer: its length.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<usize, String> {
        let response = self.open(method, path, media, body).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        if status.is_success() {
            return Ok(body.len());
        }
        Err(format!("{method} {path}: {status}: {}", String::from_utf8_lossy(&body)))
    }

    /// Creates an object.
    pub(super) async fn create(&self, path: &str, object: &Value) -> Result<(), String> {
        self.send("POST", path, "application/json", object.to_string().into()).await.map(drop)
    }
}

/// Where the config maps of the namespace are.
pub(super) fn maps() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps")
}

/// A config map of about one kilobyte.
pub(super) fn map(name: &str, count: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "bench", "tier": "back"}},
        "data": {"count": format!("n{count}n"), "text": "x".repeat(700)},
    })
}
