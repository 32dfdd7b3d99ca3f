//! From what a provider answers to what goes over the wire (ARM resource provider contract).

use arm_wire::error::{ArmError, ErrorBody};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, LOCATION, PRAGMA, RETRY_AFTER};
use http::header::{STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use sim_core::clock::Clock;
use std::time::Duration;
use uuid::Uuid;

use super::address::Address;
use crate::lro::{Form, Operation, State};
use crate::profile::Style;
use crate::providers::refusal::{Cause, Kind, Refusal};
use crate::providers::seam::{Manner, Page, Reply};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const FAILURE_CAUSE: HeaderName = HeaderName::from_static("x-ms-failure-cause");
const HUB: HeaderName = HeaderName::from_static("x-ms-providerhub-traffic");
const CACHE: HeaderName = HeaderName::from_static("x-cache");
const IDENTIFIER: HeaderName = HeaderName::from_static("x-ms-operation-identifier");
const SUPPORTED: HeaderName = HeaderName::from_static("api-supported-versions");
const TIMEOUT: HeaderName = HeaderName::from_static("x-ms-async-operation-timeout");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// What rendering needs to know about the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) clock: &'a Clock,
    /// How the caller addressed us: links lead back there.
    pub(super) address: &'a Address,
    /// The request's path, for the next page.
    pub(super) path: &'a str,
    /// The request's query, for the next page.
    pub(super) query: &'a str,
    /// The version that the caller asked for: links carry it on.
    pub(super) version: &'a str,
    /// How the provider's replies look.
    pub(super) manner: Manner,
    /// The version in whose form the provider answers.
    pub(super) served: &'a str,
    /// Tenant and object id of the caller, and an id of this request: what proxied replies tell of it.
    pub(super) identifier: Option<[Uuid; 3]>,
}

/// Headers that every reply of Resource Manager has. What an edge only adds for its own use (`x-msedge-ref`) is not
/// modelled.
pub(super) fn common(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("-1"));
    headers
        .insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE, HeaderValue::from_static("CONFIG_NOCACHE"));
}

/// How many headers a reply has at most, mostly.
const HEADERS: usize = 20;

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().reserve(HEADERS);
    response
}

fn bytes(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().reserve(HEADERS);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(1024);
    // Bodies are plain data of ours: they always have a JSON form.
    let _ = serde_json::to_writer(&mut text, body);
    bytes(status, text)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What a provider answered.
pub(super) fn reply(context: &Context<'_>, reply: Reply) -> Response {
    let mut response = match reply {
        Reply::Ok(body) => json(StatusCode::OK, &body),
        Reply::Created(body) => json(StatusCode::CREATED, &body),
        Reply::Resource { body, created, etag, operation } => {
            let mut response = bytes(if created { StatusCode::CREATED } else { StatusCode::OK }, body);
            let headers = response.headers_mut();
            if context.manner == Manner::Hub {
                insert(headers, ETAG, &etag);
            }
            if let Some(operation) = operation {
                links(context, &operation, headers);
                if let Some(home) = &operation.document.home {
                    insert(headers, LOCATION, home);
                }
            }
            response
        }
        Reply::Page(page) => list(context, &page),
        Reply::Nothing => empty(StatusCode::NO_CONTENT),
        Reply::Done => empty(StatusCode::OK),
        Reply::Accepted(operation) => {
            let mut response = if context.manner == Manner::Hub {
                let mut response = bytes(StatusCode::ACCEPTED, b"null".to_vec());
                insert(response.headers_mut(), ETAG, &operation.etag);
                response
            } else {
                empty(StatusCode::ACCEPTED)
            };
            links(context, &operation, response.headers_mut());
            response
        }
        Reply::Status(operation) => status(context, &operation),
        Reply::Outcome(operation) => outcome(context, &operation),
    };
    mannerly(context, response.headers_mut());
    response
}

/// What the provider adds to each of its replies.
fn mannerly(context: &Context<'_>, headers: &mut HeaderMap) {
    match context.manner {
        Manner::Own | Manner::Proxied => {}
        Manner::Hub => {
            headers.insert(HUB, HeaderValue::from_static("True"));
        }
        Manner::Versioned => insert(headers, SUPPORTED, context.served),
        Manner::Plain => {
            if headers.contains_key(CONTENT_TYPE) {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
    }
    if let Some([tenant, object, request]) = context.identifier {
        // The region says that this is a simulation.
        insert(headers, IDENTIFIER, &format!("tenantId={tenant},objectId={object}/dryarc/{request}"));
    }
}

fn list(context: &Context<'_>, page: &Page) -> Response {
    let mut text = Vec::with_capacity(4096);
    text.extend_from_slice(b"{\"value\":[");
    for (index, item) in page.items.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(item);
    }
    text.push(b']');
    if let Some(next) = &page.next {
        let link = next_link(context, next);
        text.extend_from_slice(b",\"nextLink\":");
        let _ = serde_json::to_writer(&mut text, &link);
    } else if page.null_link {
        text.extend_from_slice(b",\"nextLink\":null");
    }
    text.push(b'}');
    bytes(StatusCode::OK, text)
}

/// The same request with another `$skiptoken`.
fn next_link(context: &Context<'_>, next: &str) -> String {
    let mut link = format!("{}{}?", context.address.base_url(), context.path);
    let is_token = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("$skiptoken") || name.eq_ignore_ascii_case("%24skiptoken")
    };
    for part in context.query.split('&').filter(|part| !part.is_empty() && !is_token(part)) {
        link.push_str(part);
        link.push('&');
    }
    link.push_str("$skiptoken=");
    link.push_str(next);
    link
}

fn status_url(context: &Context<'_>, operation: &Operation) -> String {
    let document = &operation.document;
    let path = document.link.as_deref().unwrap_or(&document.path);
    let version = document.version.as_deref().unwrap_or(context.version);
    format!("{}{path}?api-version={version}", context.address.base_url())
}

fn result_url(context: &Context<'_>, operation: &Operation) -> String {
    format!(
        "{}/subscriptions/{}/operationresults/{}?api-version={}",
        context.address.base_url(),
        operation.subscription,
        operation.id,
        context.version
    )
}

/// Says where the client can follow an operation, and when to ask.
fn links(context: &Context<'_>, operation: &Operation, headers: &mut HeaderMap) {
    match operation.style {
        Style::AsyncOperation => insert(headers, ASYNC_OPERATION, &status_url(context, operation)),
        Style::Location => insert(headers, LOCATION, &result_url(context, operation)),
        Style::Both => {
            let url = status_url(context, operation);
            insert(headers, ASYNC_OPERATION, &url);
            insert(headers, LOCATION, &url);
        }
        Style::Body | Style::Immediate => return,
    }
    if let Some(timeout) = &operation.document.timeout {
        insert(headers, TIMEOUT, timeout);
    }
    ask_again(context.clock, operation.retry_span(), headers);
}

/// `Retry-After` is wall time in whole seconds, one at least; `retry-after-ms` is precise, for clients that read it.
fn ask_again(clock: &Clock, span: Duration, headers: &mut HeaderMap) {
    headers.insert(RETRY_AFTER, HeaderValue::from(clock.retry_after(span).as_secs()));
    if let Some(wall) = clock.wall_span(span) {
        let millis = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX).max(1);
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(millis));
    }
}

/// The status document: reading it succeeds even when the operation failed.
fn status(context: &Context<'_>, operation: &Operation) -> Response {
    let mut response = json(StatusCode::OK, &operation.status());
    if operation.document.form == Form::Full {
        insert(response.headers_mut(), ETAG, &operation.etag);
        response.headers_mut().insert(IDENTIFIER, HeaderValue::from_static(""));
    }
    if operation.is_running() {
        ask_again(context.clock, operation.retry_span(), response.headers_mut());
    }
    response
}

/// What a `Location` answers: 202 while the operation runs, then what a synchronous call would have answered.
fn outcome(context: &Context<'_>, operation: &Operation) -> Response {
    match &operation.state {
        State::Running => {
            let mut response = empty(StatusCode::ACCEPTED);
            insert(response.headers_mut(), LOCATION, &result_url(context, operation));
            ask_again(context.clock, operation.retry_span(), response.headers_mut());
            response
        }
        State::Succeeded => empty(StatusCode::OK),
        State::Failed { error } => body(StatusCode::CONFLICT, error),
        State::Canceled => {
            let text = format!("The operation '{}' was canceled.", operation.id);
            body(StatusCode::CONFLICT, &ArmError::new("OperationCanceled", text))
        }
    }
}

fn body(status: StatusCode, error: &ArmError) -> Response {
    json(status, &ErrorBody { error: error.clone() })
}

fn code_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Precondition => StatusCode::PRECONDITION_FAILED,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::NotModelled => StatusCode::NOT_IMPLEMENTED,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A refusal; `head` says that the method is HEAD, whose replies have no body.
pub(super) fn refusal(refusal: &Refusal, clock: &Clock, head: bool) -> Response {
    let status = code_of(refusal.kind);
    let cause = match refusal.cause {
        Cause::Gateway => Some("gateway"),
        Cause::Service => Some("service"),
        Cause::Unsaid { .. } => None,
    };
    let extras = refusal.cause == Cause::Unsaid { extras: true };
    let mut response = match (head, extras) {
        (true, _) => empty(status),
        (false, false) => body(status, &refusal.error),
        (false, true) => {
            let ArmError { code, message, .. } = &*refusal.error;
            json(status, &json!({ "error": { "code": code, "message": message, "additionalInfo": [] } }))
        }
    };
    if let Some(cause) = cause {
        response.headers_mut().insert(FAILURE_CAUSE, HeaderValue::from_static(cause));
    }
    if let Kind::Throttled { after: Some(seconds) } = refusal.kind {
        ask_again(clock, Duration::from_secs(seconds), response.headers_mut());
    }
    response
}

/// Adds what a provider adds, to a refusal that comes from it.
pub(super) fn refused(context: &Context<'_>, response: &mut Response) {
    mannerly(context, response.headers_mut());
}

/// Whether a reply tells of what is left of the caller's quota: what the gateway itself refuses does not, but for HEAD.
pub(super) fn tells_quota(response: &Response, head: bool) -> bool {
    head || response.headers().get(FAILURE_CAUSE).is_none_or(|cause| cause != "gateway")
}

/// A refusal of a caller whose token is not good.
pub(super) fn challenge(response: &mut Response, challenge: &str) {
    insert(response.headers_mut(), WWW_AUTHENTICATE, challenge);
}

/// What an injected fault answers.
pub(super) fn fault(status: StatusCode, code: &str, message: &str, retry_after: Option<u64>) -> Response {
    let mut response = body(status, &ArmError::new(code.to_owned(), message));
    response.headers_mut().insert(FAILURE_CAUSE, HeaderValue::from_static("gateway"));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
