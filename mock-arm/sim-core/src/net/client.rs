//! A plain HTTP client over [`Net`].

use std::fmt;

use bytes::Bytes;
use http::header::{HeaderValue, PROXY_AUTHORIZATION};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connector::parts;
use super::error::chain;
use super::{Connector, Net, NetError};

/// How much of a reply [`HttpClient::send`] takes.
const BODY_LIMIT: usize = 64 << 20;

/// Sends requests by a [`Net`], keeping connections for the next one. Follows no redirect, retries nothing that was
/// sent, has no time limit. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct HttpClient {
    net: Net,
    client: Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("net", &self.net).finish_non_exhaustive()
    }
}

impl HttpClient {
    pub(super) fn new(net: Net) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .retry_canceled_requests(true)
            .build(net.connector());
        Self { net, client }
    }

    /// Sends a request to an absolute URL and takes the whole reply.
    ///
    /// # Errors
    /// [`NetError`] when no whole reply came, or one of more than 64 MiB; every HTTP status is a success here.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NetError> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let (head, body) = self.send_streaming(request).await?.into_parts();
        match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) => Err(NetError::Http { host, reason: chain(error.as_ref()) }),
        }
    }

    /// Sends a request to an absolute URL and returns as soon as the reply's head is there.
    ///
    /// # Errors
    /// [`NetError`] when no reply came; every HTTP status is a success here.
    pub async fn send_streaming(&self, mut request: Request<Bytes>) -> Result<Response<Incoming>, NetError> {
        let authorization = self.plain_proxy_authorization(request.uri())?;
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        if let Some(value) = authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        self.client.request(request.map(Full::new)).await.map_err(|error| match NetError::find(&error) {
            Some(found) => found.clone(),
            None => NetError::Http { host, reason: chain(&error) },
        })
    }

    /// What a proxy in front of a plain `http` target wants to see; tunnels carry it in their CONNECT.
    fn plain_proxy_authorization(&self, target: &Uri) -> Result<Option<HeaderValue>, NetError> {
        let (scheme, host, port) = parts(target)?;
        let proxy = (scheme == "http").then(|| self.net.proxy_for(scheme, host, port)).flatten();
        let value = proxy.and_then(|proxy| proxy.authorization());
        Ok(value.and_then(|value| HeaderValue::from_str(value).ok()))
    }
}
