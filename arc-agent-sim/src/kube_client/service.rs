//! The HTTP stack under a `kube::Client`: hyper on our connector, the server's address, the bearer token.

use std::path::PathBuf;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use kube::client::Body;
use sim_core::net::{Connector, Net};
use tower::{Service, ServiceExt as _};

use super::KubeClientError;

/// How a client proves who it is, beyond a certificate.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    None,
    Token(String),
    /// Read for every request.
    TokenFile(PathBuf),
}

impl Credential {
    /// The header's value; `None` when there is no usable token, so that the server answers 401.
    fn header(&self) -> Option<HeaderValue> {
        let token = match self {
            Self::None => return None,
            Self::Token(token) => token.clone(),
            Self::TokenFile(file) => std::fs::read_to_string(file).ok()?,
        };
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Where the server is.
#[derive(Debug)]
struct Target {
    scheme: Scheme,
    authority: Authority,
    /// Path prefix without a trailing slash.
    prefix: String,
}

impl Target {
    fn absolute(&self, path: &Uri) -> Uri {
        let path = path.path_and_query().map_or("/", PathAndQuery::as_str);
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = format!("{}{path}", self.prefix).parse().ok();
        // Scheme and authority are there, and the path was one already.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

pub(super) fn build(
    net: &Net,
    server: Uri,
    credential: Credential,
) -> Result<
    impl Service<Request<Body>, Response = Response<Incoming>, Error = legacy::Error, Future: Send + 'static>
    + Send
    + 'static,
    KubeClientError,
> {
    let parts = server.clone().into_parts();
    let prefix = server.path().trim_end_matches('/').to_owned();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(KubeClientError::unusable(format!("server '{server}'"), "it is not a full URL"));
    };
    let target = Arc::new(Target { scheme, authority, prefix });
    let client: Client<Connector, Body> = Client::builder(TokioExecutor::new()).build(net.connector());
    Ok(client.map_request(move |mut request: Request<Body>| {
        *request.uri_mut() = target.absolute(request.uri());
        // Whoever acts for somebody else brings that one's own credential.
        let value = (!request.headers().contains_key(AUTHORIZATION)).then(|| credential.header()).flatten();
        request.headers_mut().extend(value.map(|value| (AUTHORIZATION, value)));
        request
    }))
}
