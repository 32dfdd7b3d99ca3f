//! The small HTTP servers inside the agents: probes, and the log receiver.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sim_core::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::AgentError;

/// Largest body that is taken.
const LARGEST: usize = 1 << 20;

/// A request, whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// A reply of plain text.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    text: String,
}

impl Reply {
    pub(crate) fn text(status: StatusCode, text: &str) -> Self {
        Self { status, text: text.into() }
    }
}

/// A listening socket.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    /// Listens at `address`.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, AgentError> {
        let listener =
            TcpListener::bind(address).await.map_err(|source| AgentError::Listen { address, source })?;
        Ok(Self { listener })
    }

    /// Where it listens.
    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Serves until dropped; connections end with it.
    pub(crate) async fn serve<H, F>(self, clock: &Clock, handler: H) -> Result<Infallible, AgentError>
    where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        loop {
            let accepted = self.listener.accept().await;
            while connections.try_join_next().is_some() {}
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors, most likely: what ends meanwhile frees some.
                connections.join_next().await;
                continue;
            };
            let (handler, clock) = (handler.clone(), clock.clone());
            connections.spawn(async move { connection(stream, &clock, handler).await });
        }
    }
}

/// Serves one connection; a client that breaks off is nobody's error.
async fn connection<S, H, F>(stream: S, clock: &Clock, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request) -> F,
    F: Future<Output = Reply>,
{
    let service = service_fn(|request: http::Request<Incoming>| {
        let handler = &handler;
        async move {
            let _busy = clock.busy();
            let (head, body) = request.into_parts();
            let reply = match Limited::new(body, LARGEST).collect().await {
                Ok(body) => {
                    let path = head.uri.path().to_owned();
                    handler(Request { method: head.method, path, body: body.to_bytes() }).await
                }
                Err(_) => Reply::text(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB"),
            };
            let mut response = http::Response::new(Full::new(Bytes::from(reply.text)));
            *response.status_mut() = reply.status;
            Ok::<_, Infallible>(response)
        }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
