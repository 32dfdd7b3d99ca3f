//! The client side of the control interface.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::types::{Problem, Status};
use super::{VERSION, VERSION_HEADER};
use crate::state::WorldRecord;

/// A control request went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody answers.
    #[error("the world does not answer at {address}: {reason}")]
    Unreachable {
        /// Where it should be.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },
    /// The world refused, and says why.
    #[error("{}", problem.error)]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Why.
        problem: Problem,
    },
    /// The answer is not what it should be.
    #[error("the world's answer to {path} cannot be understood: {reason}")]
    Answer {
        /// What was asked for.
        path: String,
        /// What the parser said.
        reason: String,
    },
}

/// The way to the control interface of one world.
#[derive(Clone)]
pub struct Control {
    address: SocketAddr,
    token: String,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Control {
    /// The way to the world of this record.
    #[must_use]
    pub fn new(record: &WorldRecord) -> Self {
        Self { address: record.control, token: record.token.clone() }
    }

    /// The way to an interface at `address` that wants `token`.
    #[must_use]
    pub fn at(address: SocketAddr, token: impl Into<String>) -> Self {
        Self { address, token: token.into() }
    }

    /// How the world is.
    ///
    /// # Errors
    /// [`ControlError`] when there is no proper answer.
    pub async fn status(&self) -> Result<Status, ControlError> {
        self.get("/v1/status").await
    }

    /// Asks the world to end. It does so after the answer.
    ///
    /// # Errors
    /// [`ControlError`] when there is no proper answer.
    pub async fn shutdown(&self) -> Result<(), ControlError> {
        self.request(Method::POST, "/v1/shutdown", Bytes::new()).await.map(drop)
    }

    /// Reads `path`.
    ///
    /// # Errors
    /// [`ControlError`] when there is no proper answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ControlError> {
        let body = self.request(Method::GET, path, Bytes::new()).await?;
        parse(path, &body)
    }

    /// Sends `body` as JSON and reads the answer; an empty answer reads as `null`.
    ///
    /// # Errors
    /// [`ControlError`] when there is no proper answer.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ControlError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| ControlError::Answer { path: path.into(), reason: error.to_string() })?;
        let answer = self.request(method, path, body.into()).await?;
        parse(path, if answer.is_empty() { b"null" } else { &answer })
    }

    /// Reads `path` as JSON lines that keep coming.
    ///
    /// # Errors
    /// [`ControlError`] when there is no proper answer.
    pub async fn follow(&self, path: &str) -> Result<Events, ControlError> {
        let body = self.exchange(Method::GET, path, Bytes::new()).await?.into_body();
        Ok(Events { path: path.into(), body, pending: BytesMut::new() })
    }

    async fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ControlError> {
        let response = self.exchange(method, path, body).await?;
        let collected = response.into_body().collect().await.map_err(|error| self.unreachable(&error))?;
        Ok(collected.to_bytes())
    }

    /// One connection per request: commands make one or two.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ControlError> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&error))?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(VERSION_HEADER, VERSION)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| ControlError::Answer { path: path.into(), reason: error.to_string() })?;
        let response = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(response).await)
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> ControlError {
        ControlError::Unreachable { address: self.address, reason: error.to_string() }
    }
}

async fn refused(response: Response<Incoming>) -> ControlError {
    let status = response.status();
    let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    // The cloud's own routes nest the same facts.
    let nested = |_| {
        serde_json::from_slice::<mock_arm::admin::problem::Problem>(&body)
            .map(|problem| Problem { error: problem.error.message, next: Some(problem.error.next) })
    };
    let problem = serde_json::from_slice(&body).or_else(nested).unwrap_or_else(|_| Problem {
        error: format!("the world answered {status}: {}", String::from_utf8_lossy(&body)),
        next: None,
    });
    ControlError::Refused { status, problem }
}

fn parse<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body)
        .map_err(|error| ControlError::Answer { path: path.into(), reason: error.to_string() })
}

/// JSON values that arrive line by line.
#[derive(Debug)]
pub struct Events {
    path: String,
    body: Incoming,
    pending: BytesMut,
}

impl Events {
    /// The next value; `None` when the world ended the stream.
    ///
    /// # Errors
    /// [`ControlError::Answer`] when the connection breaks or a line is no such value.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ControlError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line = self.pending.split_to(end + 1);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return parse(&self.path, &line).map(Some);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.pending.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    return Err(ControlError::Answer { path: self.path.clone(), reason: error.to_string() });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{ControlConfig, ControlServer};
    use axum::Router;
    use axum::routing::get;
    use std::sync::Arc;
    use tokio::sync::watch;

    fn status(control: SocketAddr) -> Status {
        let clock = sim_core::clock::Clock::running(60.0);
        Status {
            world: "w".into(),
            version: "1".into(),
            pid: 1,
            started: clock.wall(),
            clock: clock.reading(),
            seed: 1,
            gateway: control,
            cloud: control,
            control,
            tenant: String::new(),
            subscription: String::new(),
            clusters: Vec::new(),
            allow: Vec::new(),
            proxies: Vec::new(),
        }
    }

    async fn server() -> (ControlServer, watch::Receiver<bool>) {
        let (shutdown, asked) = watch::channel(false);
        let admin = Router::new().route("/v1/lines", get(async || "{\"n\":1}\n\n{\"n\":2}\n"));
        let config = ControlConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            token: "right".into(),
            status: Arc::new(status),
            admin,
            shutdown,
            az_extensions: "/nowhere".into(),
        };
        (ControlServer::start(config).await.unwrap(), asked)
    }

    #[tokio::test]
    async fn the_right_token_reads_status_follows_lines_and_ends_the_world() {
        let (server, asked) = server().await;
        let control = Control::at(server.addr(), "right");
        assert_eq!(control.status().await.unwrap().control, server.addr());
        let mut lines = control.follow("/v1/lines").await.unwrap();
        let mut seen = Vec::new();
        while let Some(value) = lines.next::<serde_json::Value>().await.unwrap() {
            seen.push(value["n"].as_u64());
        }
        assert_eq!(seen, [Some(1), Some(2)]);
        control.shutdown().await.unwrap();
        assert!(*asked.borrow());
        let missing = control.get::<serde_json::Value>("/v1/none").await.unwrap_err();
        assert!(missing.to_string().contains("/v1/none"), "{missing}");
    }

    #[tokio::test]
    async fn a_wrong_token_sees_nothing_but_the_extension_index() {
        let (server, asked) = server().await;
        let control = Control::at(server.addr(), "wrong");
        for path in ["/v1/status", "/v1/lines", "/v1/none"] {
            let error = control.get::<serde_json::Value>(path).await.unwrap_err();
            assert!(
                matches!(error, ControlError::Refused { status: StatusCode::UNAUTHORIZED, .. }),
                "{error}"
            );
        }
        assert!(control.shutdown().await.is_err());
        assert!(!*asked.borrow());
        let index: serde_json::Value = control.get("/az-extensions/index.json").await.unwrap();
        assert_eq!(index["extensions"], serde_json::json!({}));
    }
}
