//! The only floor that knows HTTP: TLS, authentication, authorization, negotiation, and the shape of answers.

mod body;
mod finalizers;
mod frames;
mod listener;
mod lists;
mod negotiate;
mod options;
mod patches;
mod paths;
mod protobuf;
mod render;
mod request_info;
mod resources;
mod show;
mod streams;
mod subresources;
mod watch;

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use sim_core::journal::Entry;
use tokio::sync::watch::Receiver;

use crate::api::{Api, Caller};
use crate::auth::{TokenService, allows, denial, impersonated};
use crate::kubelet::Logs;
use crate::kubelet::live::LiveContainers;
use crate::status::Status;

pub(crate) use frames::Frames;
pub(crate) use listener::{Listening, serve};
use protobuf::Messages;
use request_info::{Query, RequestInfo};

/// What answers requests.
pub(crate) struct Server {
    pub(crate) api: Api,
    pub(crate) tokens: TokenService,
    pub(crate) logs: Logs,
    /// The containers that run.
    pub(crate) live: LiveContainers,
    /// `127.0.0.1:PORT`, for documents that name it.
    pub(crate) address: String,
    /// How to read protobuf bodies; read when the first one comes.
    pub(crate) messages: OnceLock<Messages>,
    /// Events of watches that have been written.
    pub(crate) frames: Arc<Frames>,
    /// Turns true when the cluster stops: ends streams.
    pub(crate) stop: Receiver<bool>,
}

impl Server {
    fn messages(&self) -> &Messages {
        self.messages.get_or_init(Messages::read)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The way of one request: what it is about, who asks, whether they may, then the answer. The clock is held until the
/// answer is ready to be sent; a stream goes on without.
pub(crate) async fn handle(server: &Server, peer: Option<Caller>, request: http::Request<Body>) -> Response {
    let _busy = server.api.clock().busy();
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let info = RequestInfo::parse(&parts.method, parts.uri.path(), &query);
    let answer = answer(server, peer, &parts, &info, &query, body).await;
    let (code, response) = match answer {
        Ok(response) => (response.status().as_u16(), response),
        Err(status) => (status.code, render::refusal(&status)),
    };
    if !matches!(info.verb.as_str(), "get" | "list" | "watch") || code >= 500 {
        let entry = Entry::new("kube-api", "request")
            .fact("method", parts.method.as_str())
            .fact("path", info.path.as_str())
            .fact("status", code);
        server.api.journal().record(entry);
    }
    response
}

async fn answer(
    server: &Server,
    peer: Option<Caller>,
    parts: &Parts,
    info: &RequestInfo,
    query: &Query,
    body: Body,
) -> Result<Response, Status> {
    let headers = &parts.headers;
    let caller = authenticate(server, peer, headers).await?;
    let mut caller = impersonated(&server.api, caller, headers)?;
    caller.manager = manager(query, headers);
    let wanted = info.attributes();
    if !allows(&server.api, &caller, &wanted) {
        let message = denial(&caller, &wanted);
        let mut details = serde_json::Map::new();
        for (field, value) in [("name", &info.name), ("group", &info.group), ("kind", &info.resource)] {
            if !value.is_empty() {
                details.insert(field.to_owned(), value.as_str().into());
            }
        }
        return Err(Status::forbidden(message).with_details(details.into()));
    }
    if info.is_resource && parts.method == Method::HEAD {
        return Err(Status::method_not_allowed());
    }
    if !info.is_resource {
        return paths::answer(server, info, query, headers).await;
    }
    let registry = server.api.registry();
    let Some(kind) = registry.find(&info.group, &info.version, &info.resource) else {
        let known = paths::is_builtin(registry, &info.group);
        return if known { Err(Status::no_such_path()) } else { Ok(render::page_not_found()) };
    };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    // Logs are text whatever the client says that it takes.
    let accept = accept.filter(|_| info.subresource != "log");
    let accepted = negotiate::accepted(accept, kind.builtin).ok_or_else(|| {
        if !negotiate::known(accept) {
            return Status::not_acceptable(
                "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
                 application/vnd.kubernetes.protobuf, application/json;stream=watch, \
                 application/vnd.kubernetes.protobuf;stream=watch",
            )
            .with_details(serde_json::json!({}));
        }
        Status::not_acceptable(if kind.builtin {
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        } else {
            "only the following media types are accepted: application/json, application/yaml"
        })
    })?;
    if info.verb == "watch"
        && accepted.syntax == negotiate::Syntax::Protobuf
        && negotiate::accepted(accept, false).is_none()
    {
        return Err(Status::not_modelled("watching in application/vnd.kubernetes.protobuf"));
    }
    let body = match parts.method {
        Method::GET | Method::HEAD => bytes::Bytes::new(),
        _ => body::read(body).await?,
    };
    let upgrade = parts.extensions.get().cloned();
    let request = resources::Request { server, caller, info, query, headers, kind, accepted, body, upgrade };
    resources::answer(request).await
}

/// A certificate counts before a token; neither means anonymous; a token that is not to be believed means 401.
async fn authenticate(server: &Server, peer: Option<Caller>, headers: &HeaderMap) -> Result<Caller, Status> {
    if let Some(caller) = peer {
        return Ok(caller);
    }
    let Some(stated) = headers.get(header::AUTHORIZATION) else { return Ok(Caller::anonymous()) };
    let stated = stated.to_str().map_err(|_| Status::unauthorized())?;
    let token = stated.strip_prefix("Bearer ").or_else(|| stated.strip_prefix("bearer "));
    let token = token.ok_or_else(Status::unauthorized)?;
    let verified = server.tokens.verify(token.trim(), &[]).await;
    verified.map(|(caller, _)| caller).ok_or_else(Status::unauthorized)
}

/// The field manager: as stated, else the program's name from its user agent.
fn manager(query: &Query, headers: &HeaderMap) -> String {
    if let Some(manager) = query.get("fieldManager").filter(|manager| !manager.is_empty()) {
        return manager.to_owned();
    }
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let program = agent.split('/').next().unwrap_or_default();
    if program.is_empty() { "unknown".to_owned() } else { program.to_owned() }
}

/// Waits until the server is told to stop, or its owner is gone.
async fn stopped(stop: &mut Receiver<bool>) {
    // An error means that the sender is gone, which is an end as well.
    let _ = stop.wait_for(|stopped| *stopped).await;
}
