//! What a surface answers, and how the surfaces word their errors.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::{Surface, SurfaceRequest};

/// JSON as Azure labels it.
const JSON: &str = "application/json; charset=utf-8";

/// What a surface answers.
#[derive(Debug, Clone)]
pub struct SurfaceReply {
    /// HTTP status.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// Its media type.
    pub content_type: &'static str,
}

impl SurfaceReply {
    /// A JSON reply.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        // Bodies are plain data of ours: they always have a JSON form.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, headers: Vec::new(), body: body.into(), content_type: JSON }
    }

    /// A plain text reply.
    pub(crate) fn text(status: u16, body: &'static str) -> Self {
        let body = Bytes::from_static(body.as_bytes());
        Self { status, headers: Vec::new(), body, content_type: "text/plain; charset=utf-8" }
    }

    /// A page for people.
    pub(crate) fn html(status: u16, body: String) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), content_type: "text/html; charset=utf-8" }
    }

    /// An error in the form that Resource Manager, Graph and the Arc services share.
    pub(crate) fn error(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self::json(status, &json!({"error": {"code": code, "message": message.into()}}))
    }

    /// The same reply with one more header.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An error in the form of a surface: what an injected fault answers. Entra ID has its own form; the others share
/// `{error:{code,message}}`.
#[must_use]
pub fn error_reply(surface: Surface, status: u16, code: &str, message: &str) -> SurfaceReply {
    match surface {
        Surface::Identity | Surface::Machine => {
            SurfaceReply::json(status, &json!({"error": code, "error_description": message}))
        }
        Surface::Registry => {
            SurfaceReply::json(status, &json!({"errors": [{"code": code, "message": message}]}))
        }
        _ => SurfaceReply::error(status, code, message),
    }
}

/// The refusal of what a surface does not do.
pub(crate) fn not_modelled(surface: Surface, request: SurfaceRequest<'_>) -> SurfaceReply {
    let who = match surface {
        Surface::Arm => "Resource Manager",
        Surface::Identity => "Entra ID",
        Surface::Metadata => "the cloud metadata",
        Surface::AgentPlane => "the Arc services",
        Surface::Relay => "Azure Relay",
        Surface::Graph => "Microsoft Graph",
        Surface::Registry => "the container registry",
        Surface::Machine => "the instance metadata service",
        Surface::Unknown => "no simulated host",
    };
    let SurfaceRequest { method, host, path, .. } = request;
    let message = format!(
        "'{method} {path}' at '{host}' is not modelled by this simulated Azure (it reached {who}). \
         Nothing was changed. FIDELITY.md lists what is modelled."
    );
    error_reply(surface, 501, "NotModelled", &message)
}
