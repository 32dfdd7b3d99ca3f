//! Requests about objects: from what a request asks to what a verb answers.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use serde_json::Value;

use super::negotiate::Accepted;
use super::request_info::{Query, RequestInfo};

use super::{Server, body, options, render, show, subresources, watch};
use crate::admission;
use crate::api::{
    Caller, DeleteOptions, FieldSelector, LabelSelector, Patch, PatchOptions, Selection, Sub, WriteOptions,
    meta,
};
use crate::auth;
use crate::registry::Kind;
use crate::status::Status;
use crate::tables::IncludeObject;
use crate::validate;

/// A request about objects, ready to be answered.
pub(super) struct Request<'a> {
    pub(super) server: &'a Server,
    pub(super) caller: Caller,
    pub(super) info: &'a RequestInfo,
    pub(super) query: &'a Query,
    pub(super) headers: &'a HeaderMap,
    pub(super) kind: Arc<Kind>,
    pub(super) accepted: Accepted,
    pub(super) body: Bytes,
    /// The connection itself, for requests that become one.
    pub(super) upgrade: Option<OnUpgrade>,
}

/// Answers a request about objects.
pub(super) async fn answer(request: Request<'_>) -> Result<Response, Status> {
    let mut response = dispatch(&request).await?;
    if let Some(warning) = request.kind.custom.as_ref().and_then(|custom| custom.warning.as_deref()) {
        render::warn(&mut response, warning);
    }
    if let Some(warning) = deprecation(&request.kind) {
        render::warn(&mut response, warning);
    }
    Ok(response)
}

/// What the real server says of built-in kinds that are on their way out.
fn deprecation(kind: &Kind) -> Option<&'static str> {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ComponentStatus") => Some("v1 ComponentStatus is deprecated in v1.19+"),
        ("", "Endpoints") => {
            Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        }
        _ => None,
    }
}

async fn dispatch(request: &Request<'_>) -> Result<Response, Status> {
    let (info, kind) = (request.info, &request.kind);
    check_scope(info, kind)?;
    let sub = match info.subresource.as_str() {
        "" => Sub::Main,
        name => Sub::named(name).filter(|sub| kind.has(*sub)).ok_or_else(Status::no_such_path)?,
    };
    if !kind.stored {
        return question(request).await;
    }
    if sub == Sub::Main && !kind.verbs().contains(&info.verb.as_str()) {
        return Err(Status::method_not_allowed());
    }
    match (info.verb.as_str(), sub) {
        ("get" | "patch" | "update", Sub::Main | Sub::Status | Sub::Scale | Sub::Approval) => {
            request.read_or_write(sub)
        }
        ("get" | "patch" | "update", Sub::EphemeralContainers | Sub::Resize) => request.read_or_write(sub),
        ("update", Sub::Finalize) => request.read_or_write(sub),
        ("list", Sub::Main) => request.list(),
        ("watch", Sub::Main) => request.watch(),
        ("create", Sub::Main) => request.create(),
        ("delete", Sub::Main) => request.delete(),
        ("deletecollection", Sub::Main) => request.delete_collection(),
        _ => subresources::answer(request, sub).await,
    }
}

fn check_scope(info: &RequestInfo, kind: &Kind) -> Result<(), Status> {
    if !kind.namespaced && info.namespace().is_some() && !kind.is("", "Namespace") {
        return Err(Status::no_such_path());
    }
    let needs = !info.name.is_empty() || info.verb == "create" || info.verb == "deletecollection";
    if kind.namespaced && info.namespace().is_none() && needs {
        return Err(Status::method_not_allowed());
    }
    Ok(())
}

/// Access and token reviews: nothing is stored.
async fn question(request: &Request<'_>) -> Result<Response, Status> {
    if request.info.verb != "create" || !request.info.name.is_empty() {
        return Err(Status::method_not_allowed());
    }
    let Server { api, tokens, .. } = request.server;
    let object = request.object()?;
    let namespace = request.info.namespace();
    let answer = auth::review(api, tokens, &request.caller, &request.kind, namespace, object).await?;
    Ok(request.render(StatusCode::CREATED, answer))
}

impl Request<'_> {
    pub(super) fn object(&self) -> Result<Value, Status> {
        body::object(self.server.messages(), body::media_type(self.headers), &self.body)
    }

    /// What the rows of a table carry of their objects; something else than the known words means metadata.
    fn include(&self) -> IncludeObject {
        self.query.get("includeObject").and_then(IncludeObject::parse).unwrap_or_default()
    }

    fn namespace(&self) -> Option<&str> {
        self.info.namespace().filter(|_| self.kind.namespaced)
    }

    pub(super) fn write_options(&self) -> Result<WriteOptions, Status> {
        Ok(WriteOptions { dry_run: options::dry_run(self.query)? })
    }

    fn delete_options(&self) -> Result<DeleteOptions, Status> {
        let sent = if self.body.is_empty() { Value::Null } else { self.object()? };
        options::delete(self.query, &sent)
    }

    /// An answer about one object in the negotiated form.
    pub(super) fn render(&self, code: StatusCode, object: Value) -> Response {
        let include = self.include();
        let shown = show::one(&self.server.api, &self.kind, object, self.accepted.form, include);
        render::value(code, &shown, self.accepted.syntax, render::takes_gzip(self.headers))
    }

    fn selection(&self) -> Result<Selection, Status> {
        let query = self.query;
        let labels = query.get("labelSelector").map(LabelSelector::parse).transpose()?.unwrap_or_default();
        let parse = |text| FieldSelector::parse(text, &self.kind);
        let mut fields = query.get("fieldSelector").map(parse).transpose()?.unwrap_or_default();
        if !self.info.name.is_empty() {
            fields = FieldSelector::name(&self.info.name);
        }
        let limit = query.get("limit").filter(|text| !text.is_empty()).map_or(Ok(0), str::parse);
        let limit = limit.map_err(|_| Status::bad_request("limit must be a whole number"))?;
        let resume = query.get("continue").filter(|token| !token.is_empty()).map(ToOwned::to_owned);
        Ok(Selection { labels, fields, limit, resume })
    }

    fn read_or_write(&self, sub: Sub) -> Result<Response, Status> {
        let (api, kind, name) = (&self.server.api, &*self.kind, self.info.name.as_str());
        if name.is_empty() {
            return Err(Status::method_not_allowed());
        }
        match self.info.verb.as_str() {
            "get" => {
                options::reached(self.query, api.ledger().revision())?;
                Ok(self.render(StatusCode::OK, api.get_sub(kind, sub, self.namespace(), name)?))
            }
            "update" => {
                let object = self.object()?;
                let warnings = self.unknown_fields(sub, &object)?;
                let options = self.write_options()?;
                let stored = api.update(&self.caller, kind, sub, self.namespace(), name, object, &options)?;
                let warnings: Vec<_> = warnings.into_iter().chain(self.policy_warnings(&stored)).collect();
                Ok(self.warned(self.render(StatusCode::OK, stored), &warnings))
            }
            _ => self.patch(sub),
        }
    }

    fn patch(&self, sub: Sub) -> Result<Response, Status> {
        let (api, kind, name) = (&self.server.api, &*self.kind, self.info.name.as_str());
        let patch = read_patch(body::media_type(self.headers), &self.body)?;
        let mut warnings = Vec::new();
        let mut caller = self.caller.clone();
        match &patch {
            Patch::Apply(object) => {
                if self.query.get("fieldManager").is_none_or(str::is_empty) {
                    return Err(Status::bad_request(
                        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
                    ));
                }
                warnings = self.unknown_fields(sub, object)?;
            }
            Patch::Merge(object) | Patch::Strategic(object) => {
                warnings = self.unknown_fields(sub, &without_nulls(object))?;
            }
            Patch::Json(_) => {}
        }
        if let Some(manager) = self.query.get("fieldManager") {
            manager.clone_into(&mut caller.manager);
        }
        let options =
            PatchOptions { dry_run: options::dry_run(self.query)?, force: self.query.flag("force") };
        let (object, created) = api.patch(&caller, kind, sub, self.namespace(), name, patch, &options)?;
        warnings.extend(self.policy_warnings(&object));
        let code = if created { StatusCode::CREATED } else { StatusCode::OK };
        Ok(self.warned(self.render(code, object), &warnings))
    }

    fn create(&self) -> Result<Response, Status> {
        if !self.info.name.is_empty() {
            return Err(Status::method_not_allowed());
        }
        let object = self.object()?;
        let warnings = self.unknown_fields(Sub::Main, &object)?;
        let options = self.write_options()?;
        let api = &self.server.api;
        let created = api.create(&self.caller, &self.kind, self.namespace(), object, &options)?;
        let warnings: Vec<_> = warnings.into_iter().chain(self.policy_warnings(&created)).collect();
        Ok(self.warned(self.render(StatusCode::CREATED, created), &warnings))
    }

    /// What the namespace's policies say of an object that was written.
    fn policy_warnings(&self, object: &Value) -> Vec<String> {
        admission::warnings(&self.server.api, &self.kind, object)
    }

    fn list(&self) -> Result<Response, Status> {
        let api = &self.server.api;
        options::reached(self.query, api.ledger().revision())?;
        let listed = api.list(&self.kind, self.namespace(), &self.selection()?)?;
        let shown = show::list(api, &self.kind, listed, self.accepted.form, self.include());
        Ok(render::value(StatusCode::OK, &shown, self.accepted.syntax, render::takes_gzip(self.headers)))
    }

    fn watch(&self) -> Result<Response, Status> {
        let seconds = self.query.get("timeoutSeconds").and_then(|text| text.parse().ok());
        let ask = watch::Ask {
            kind: Arc::clone(&self.kind),
            namespace: self.namespace().map(ToOwned::to_owned),
            selection: self.selection()?,
            form: self.accepted.form,
            include: self.include(),
            from: self.query.get("resourceVersion").map(ToOwned::to_owned),
            lifetime: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
            bookmarks: self.query.flag("allowWatchBookmarks"),
            initial: self.query.flag("sendInitialEvents"),
        };
        watch::start(&self.server.api, ask, self.server.stop.clone())
    }

    fn delete(&self) -> Result<Response, Status> {
        let options = self.delete_options()?;
        let name = self.info.name.as_str();
        let answer = self.server.api.delete(&self.caller, &self.kind, self.namespace(), name, &options)?;
        Ok(self.render(StatusCode::OK, answer))
    }

    fn delete_collection(&self) -> Result<Response, Status> {
        let options = self.delete_options()?;
        let (api, selection) = (&self.server.api, self.selection()?);
        let listed =
            api.delete_collection(&self.caller, &self.kind, self.namespace(), &selection, &options)?;
        let shown = show::list(api, &self.kind, listed, self.accepted.form, self.include());
        Ok(render::value(StatusCode::OK, &shown, self.accepted.syntax, render::takes_gzip(self.headers)))
    }

    /// Fields that the kind does not have: refused, or warned of, as `fieldValidation` says.
    fn unknown_fields(&self, sub: Sub, object: &Value) -> Result<Vec<String>, Status> {
        let mode = match self.query.get("fieldValidation") {
            Some("Ignore") => return Ok(Vec::new()),
            Some("Strict") => "Strict",
            Some("Warn" | "") | None => "Warn",
            Some(other) => {
                return Err(Status::bad_request(format!("fieldValidation: Unsupported value: \"{other}\"")));
            }
        };
        if sub == Sub::Scale {
            return Ok(Vec::new());
        }
        let mut unknown = self.server.api.unknown_fields(&self.kind, object);
        unknown.extend(validate::duplicate_fields(&self.body));
        if mode == "Strict" && !unknown.is_empty() {
            let name = meta::name(object);
            return Err(Status::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
                self.kind.kind,
                self.kind.version,
                self.kind.kind,
                unknown.join(", ")
            ))
            .with_details(serde_json::json!({"name": name})));
        }
        Ok(unknown)
    }

    fn warned(&self, mut response: Response, warnings: &[String]) -> Response {
        for warning in warnings {
            render::warn(&mut response, warning);
        }
        response
    }
}

fn read_patch(media: &str, bytes: &[u8]) -> Result<Patch, Status> {
    Ok(match media {
        "application/json-patch+json" => Patch::Json(body::json(bytes)?),
        "application/merge-patch+json" => Patch::Merge(body::json(bytes)?),
        "application/strategic-merge-patch+json" => Patch::Strategic(body::json(bytes)?),
        "application/apply-patch+yaml" => Patch::Apply(body::yaml(bytes)?),
        other => {
            return Err(Status::unsupported_media_type(format!(
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml (got {other})"
            )));
        }
    })
}

/// What a merge patch sets; what it removes may well be unknown.
fn without_nulls(patch: &Value) -> Value {
    match patch {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(field, value)| (field.clone(), without_nulls(value))).collect()
        }
        other => other.clone(),
    }
}
