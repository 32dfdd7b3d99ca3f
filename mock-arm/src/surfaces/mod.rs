//! The faces of the cloud that are not Resource Manager: Entra ID, the cloud metadata, the Arc agents' services, Graph.
//!
//! A surface is a function from a request to a reply. It knows neither sockets nor the layers of the front; what it
//! changes, it changes in one transaction of the ledger. Every surface is found by host *and* by path, so that one
//! address can serve all of them.

use crate::world::World;

pub mod agent_plane;
mod bearer;
mod classify;
mod graph;
pub mod identity;
mod machine;
mod metadata;
mod params;
pub mod registry;
mod reply;

pub use classify::{Surface, classify, hosts};
pub use reply::{SurfaceReply, error_reply};

/// A request to one of the surfaces, as the front read it.
#[derive(Debug, Clone, Copy)]
pub struct SurfaceRequest<'a> {
    /// The host the caller addressed, without port, lower case.
    pub host: &'a str,
    /// The method.
    pub method: &'a http::Method,
    /// The path, repeated slashes collapsed, still percent-encoded.
    pub path: &'a str,
    /// The query without `?`; empty when there is none.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a http::HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
    /// `https://host[:port]` as the caller addressed us.
    pub base_url: &'a str,
}

impl SurfaceRequest<'_> {
    /// The text of a header; `None` when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// Whether the caller addressed us by an address or name of our own and not by an Azure host name: the "custom cloud"
    /// way in.
    #[must_use]
    pub fn is_custom_cloud(&self) -> bool {
        !classify::is_public(self.host)
    }
}

/// Answers a request to a surface other than [`Surface::Arm`] and [`Surface::Relay`], which the front itself serves. What is not modelled is refused by name.
pub async fn answer(world: &World, surface: Surface, request: SurfaceRequest<'_>) -> SurfaceReply {
    match surface {
        Surface::Identity => identity::answer(world, request).await,
        Surface::Metadata => metadata::answer(request),
        Surface::AgentPlane => agent_plane::answer(world, request),
        Surface::Graph => graph::answer(world, request),
        Surface::Registry => registry::answer(world, request),
        Surface::Machine => machine::answer(world, request).await,
        Surface::Arm | Surface::Relay | Surface::Unknown => reply::not_modelled(surface, request),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Requests without sockets.

    use super::*;
    use http::{HeaderMap, HeaderName, Method};

    /// A request with everything owned.
    pub(crate) struct Call {
        pub(crate) base: String,
        pub(crate) method: Method,
        pub(crate) target: String,
        pub(crate) headers: HeaderMap,
        pub(crate) body: Vec<u8>,
    }

    impl Call {
        /// A call to a URL such as `https://graph.microsoft.com/v1.0/x?y=z`.
        pub(crate) fn new(method: &str, url: &str) -> Self {
            let rest = url.strip_prefix("https://").unwrap();
            let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Self {
                base: format!("https://{authority}"),
                method: method.parse().unwrap(),
                target: target.into(),
                headers: HeaderMap::new(),
                body: Vec::new(),
            }
        }

        pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
            self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            self
        }

        pub(crate) fn bearer(self, token: &str) -> Self {
            self.header("authorization", &format!("Bearer {token}"))
        }

        pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
            self.body = body.into();
            self
        }

        /// Sends it through [`classify`] and [`answer`].
        pub(crate) async fn send(&self, world: &World) -> SurfaceReply {
            let authority = self.base.strip_prefix("https://").unwrap();
            let host = authority.split_once(':').map_or(authority, |(host, _)| host);
            let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
            let request = SurfaceRequest {
                host,
                method: &self.method,
                path,
                query,
                headers: &self.headers,
                body: &self.body,
                base_url: &self.base,
            };
            answer(world, classify(host, path), request).await
        }
    }

    impl SurfaceReply {
        /// The body as JSON.
        pub(crate) fn value(&self) -> serde_json::Value {
            serde_json::from_slice(&self.body).unwrap()
        }
    }
}
