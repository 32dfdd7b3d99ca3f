//! The CLI hands over a cluster's hybrid connection, and gets a kubeconfig that leads here.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Proxy;
use super::serve::{Body, json as reply};

/// No body that the CLI sends is longer.
const LARGEST: usize = 1 << 20;

/// What the CLI sends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    kubeconfigs: Vec<Kubeconfig>,
    hybrid_connection_config: Connection,
}

#[derive(Debug, Deserialize)]
struct Kubeconfig {
    value: String,
}

/// How to reach the cluster's agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection {
    pub(super) relay: String,
    pub(super) hybrid_connection_name: String,
    pub(super) token: String,
}

/// Reads a body of at most [`LARGEST`] bytes as JSON.
pub(super) async fn body<T: for<'a> Deserialize<'a>>(body: Incoming) -> Result<T, String> {
    let body = Limited::new(body, LARGEST).collect().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}

/// Answers `POST {cluster}/register`.
pub(super) async fn answer(proxy: Arc<Proxy>, request: Request<Incoming>) -> Response<Body> {
    let error = |status, message: String| reply(status, &json!({ "error": { "message": message } }));
    if request.method() != Method::POST || !request.uri().path().ends_with("/register") {
        let message = format!("{} {} is not known", request.method(), request.uri().path());
        return error(StatusCode::NOT_FOUND, message);
    }
    let registered = match body::<Registration>(request.into_body()).await {
        Ok(asked) => register(&proxy, asked),
        Err(why) => Err(why),
    };
    match registered {
        Ok(kubeconfig) => reply(
            StatusCode::OK,
            &json!({ "kubeconfigs": [{ "name": "Kubeconfig", "value": STANDARD.encode(kubeconfig) }] }),
        ),
        Err(why) => error(StatusCode::BAD_REQUEST, why),
    }
}

/// Remembers the connection; returns the kubeconfig that leads to it.
fn register(proxy: &Proxy, asked: Registration) -> Result<String, String> {
    let first = asked.kubeconfigs.first().ok_or("no kubeconfig was given")?;
    let text = STANDARD.decode(&first.value).map_err(|error| error.to_string())?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    let mut config: Value = serde_saphyr::from_str(&text).map_err(|error| error.to_string())?;
    let cluster = config.pointer_mut("/clusters/0/cluster").and_then(Value::as_object_mut);
    let cluster = cluster.ok_or("the kubeconfig names no cluster")?;
    let server = cluster.get("server").and_then(Value::as_str).unwrap_or_default();
    let path = server.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let server = format!("https://127.0.0.1:{}/{path}", proxy.config.server.https_port);
    cluster.insert("server".into(), server.into());
    cluster.insert("certificate-authority-data".into(), STANDARD.encode(&proxy.authority).into());
    let user = config.pointer_mut("/users/0/user").and_then(Value::as_object_mut);
    let user = user.ok_or("the kubeconfig names no user")?;
    if user.is_empty() {
        user.insert("token".into(), proxy.identity.word().into());
    }
    let mut connections = proxy.connections();
    connections.retain(|(own, _)| *own != path);
    connections.push((path, asked.hybrid_connection_config));
    Ok(config.to_string())
}
