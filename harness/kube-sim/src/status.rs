//! The errors that a Kubernetes API server answers: `meta/v1 Status`.
//!
//! Codes, reasons and message texts are those of the real server (apimachinery's error constructors), because clients
//! match on them.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::registry::Kind;

/// One field that is wrong, or one further reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Machine-readable: `FieldValueRequired`, `FieldValueInvalid`, …
    pub reason: String,
    /// What is wrong, for people.
    pub message: String,
    /// Path of the field, `spec.replicas`; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Cause {
    /// A cause at `field`.
    pub fn new(reason: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), field: field.into() }
    }
}

/// A refusal, as Kubernetes words it.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// HTTP status code, 4xx or 5xx.
    pub code: u16,
    /// Machine-readable reason: `NotFound`, `AlreadyExists`, …; empty when the real server states none.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// `name`, `group`, `kind`, `uid`, `causes`, `retryAfterSeconds`.
    pub details: Option<Value>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

/// `deployments.apps`, or `pods` for the core group.
fn qualified(kind: &Kind) -> String {
    if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) }
}

fn about(kind: &Kind, name: &str) -> Value {
    let mut details = json!({});
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    details["kind"] = json!(kind.plural);
    details
}

impl Status {
    /// A refusal without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// Adds details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// 404 for an object.
    #[must_use]
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", qualified(kind)))
            .with_details(about(kind, name))
    }

    /// 404 for a path that is not served.
    #[must_use]
    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details(json!({}))
    }

    /// 409 for an object that is already there.
    #[must_use]
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", qualified(kind)))
            .with_details(about(kind, name))
    }

    /// 409 for a write that lost a race, or a precondition that does not hold.
    #[must_use]
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(kind));
        Self::new(409, "Conflict", message).with_details(about(kind, name))
    }

    /// 409 with the text that an outdated `resourceVersion` gets.
    #[must_use]
    pub fn outdated(kind: &Kind, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// 403 from admission or a rule of the kind, not from authorization.
    #[must_use]
    pub fn refused(kind: &Kind, name: &str, why: &str) -> Self {
        Self::new(403, "Forbidden", format!("{} \"{name}\" is forbidden: {why}", qualified(kind)))
            .with_details(about(kind, name))
    }

    /// 403 from authorization, already worded.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "Forbidden", message)
    }

    /// 401.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 422 with the fields that are wrong.
    #[must_use]
    pub fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let one = |cause: &Cause| match cause.field.as_str() {
            "" => cause.message.clone(),
            field => format!("{field}: {}", cause.message),
        };
        let texts: Vec<String> = causes.iter().map(one).collect();
        let problem = match texts.as_slice() {
            [only] => only.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let scope =
            if kind.group.is_empty() { kind.kind.clone() } else { format!("{}.{}", kind.kind, kind.group) };
        let mut details = about(kind, name);
        details["kind"] = json!(kind.kind);
        details["causes"] = json!(causes);
        Self::new(422, "Invalid", format!("{scope} \"{name}\" is invalid: {problem}")).with_details(details)
    }

    /// 410 for a revision that the feed no longer holds.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with_details(json!({}))
    }

    /// 406.
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::new(406, "NotAcceptable", message)
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 413.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 429 with a wait.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u64) -> Self {
        Self::new(429, "TooManyRequests", message)
            .with_details(json!({"retryAfterSeconds": retry_after_seconds}))
    }

    /// 503: the server is not ready for this.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 500.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// 501 for what this cluster does not model; `what` names it and completes "... is not modelled".
    #[must_use]
    pub fn not_modelled(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("{what} is not modelled by kube-sim"))
    }

    /// Whether this is a 404.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Whether this is a 409 because of a lost race.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// The body on the wire.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": self.message,
        });
        if !self.reason.is_empty() {
            body["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            body["details"] = details.clone();
        }
        body["code"] = json!(self.code);
        body
    }
}

/// The body that says that a deletion is done.
#[must_use]
pub fn deleted(kind: &Kind, name: &str, uid: &str) -> Value {
    let mut details = about(kind, name);
    details["uid"] = json!(uid);
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn texts_are_those_that_clients_match_on() {
        let registry = Registry::builtin();
        let kind = registry.find("apps", "v1", "deployments").unwrap();
        let status = Status::not_found(&kind, "web");
        assert_eq!(status.to_string(), "deployments.apps \"web\" not found");
        let body = status.to_value();
        assert_eq!(body["details"], json!({"name": "web", "group": "apps", "kind": "deployments"}));
        let cause = Cause::new("FieldValueRequired", "spec.selector", "Required value");
        let invalid = Status::invalid(&kind, "web", &[cause]);
        assert_eq!(invalid.message, "Deployment.apps \"web\" is invalid: spec.selector: Required value");
    }
}
