//! Requests about objects: from what a request asks to what a verb answers.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use serde_json::Value;

use super::negotiate::{Accepted, Form};
use super::request_info::{Query, RequestInfo};

use super::options::{FieldValidation, Verb};
use super::{Server, body, finalizers, lists, options, patches, render, show, subresources, watch};
use crate::admission;
use crate::api::{
    Caller, DeleteOptions, FieldSelector, LabelSelector, Patch, PatchOptions, Selection, Sub, WriteOptions,
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
    request.check_include()?;
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
        let messages = self.server.messages();
        body::object(messages, body::media_type(self.headers), &self.kind.kind, &self.body)
    }

    /// What the rows of a table carry of their objects.
    fn include(&self) -> IncludeObject {
        self.query.get("includeObject").and_then(IncludeObject::parse).unwrap_or_default()
    }

    /// Refuses tables whose rows are to carry something that is not known.
    fn check_include(&self) -> Result<(), Status> {
        let Some(stated) = self.query.get("includeObject").filter(|_| self.accepted.form == Form::Table)
        else {
            return Ok(());
        };
        IncludeObject::parse(stated).map(drop).ok_or_else(|| {
            Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {stated:?}: must be 'Metadata', 'Object', 'None', or empty"
            ))
        })
    }

    fn namespace(&self) -> Option<&str> {
        self.info.namespace().filter(|_| self.kind.namespaced)
    }

    fn delete_options(&self) -> Result<DeleteOptions, Status> {
        // What cannot be read is an error of the server's own, without a reason.
        let failed = |why: String| Status::new(500, "", why);
        let sent = match body::media_type(self.headers) {
            _ if self.body.is_empty() => Value::Null,
            "application/json" => body::plain_json(&self.body).map_err(failed)?,
            _ => self.object()?,
        };
        options::check_types(&sent).map_err(failed)?;
        options::delete(self.query, &sent)
    }

    /// An answer about one object in the negotiated form.
    pub(super) fn render(&self, code: StatusCode, object: Value) -> Response {
        let include = self.include();
        let shown = show::one(&self.server.api, &self.kind, object, self.accepted.form, include);
        self.rendered(code, &shown)
    }

    fn rendered(&self, code: StatusCode, shown: &Value) -> Response {
        let gzip = render::takes_gzip(self.headers);
        render::value(code, shown, self.accepted.syntax, self.server.messages(), gzip)
    }

    fn selection(&self) -> Result<Selection, Status> {
        let query = self.query;
        let labels = query.get("labelSelector").map(LabelSelector::parse).transpose()?.unwrap_or_default();
        let parse = |text| FieldSelector::parse(text, &self.kind);
        let mut fields = query.get("fieldSelector").map(parse).transpose()?.unwrap_or_default();
        if !self.info.name.is_empty() {
            fields = FieldSelector::name(&self.info.name);
        }
        // A limit below zero is none.
        let limit =
            options::number(query, "limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0);
        let resume = query.get("continue").filter(|token| !token.is_empty()).map(ToOwned::to_owned);
        Ok(Selection { labels, fields, limit, resume, at: None })
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
                let asked = options::write(self.query, Verb::Update)?;
                let object = self.object()?;
                let warnings = self.unknown_fields(sub, &object, asked.fields)?;
                let options = WriteOptions { dry_run: asked.dry_run };
                let before = self.before();
                let stored = api.update(&self.caller, kind, sub, self.namespace(), name, object, &options)?;
                let said = self.policy_warnings(&before, &stored);
                let warnings: Vec<_> = warnings.into_iter().chain(said).collect();
                Ok(self.warned(self.render(StatusCode::OK, stored), &warnings))
            }
            _ => self.patch(sub),
        }
    }

    fn patch(&self, sub: Sub) -> Result<Response, Status> {
        let (api, kind, name) = (&self.server.api, &*self.kind, self.info.name.as_str());
        let media = body::media_type(self.headers);
        patches::check_media(media, kind)?;
        let apply = media == "application/apply-patch+yaml";
        let asked = options::write(self.query, if apply { Verb::Apply } else { Verb::Patch })?;
        let patch = patches::read(media, &self.body)?;
        let mut caller = self.caller.clone();
        let mut warnings = match &patch {
            Patch::Apply(object) => {
                api.check_declared(kind, sub, self.namespace(), object)?;
                self.unknown_fields(sub, object, asked.fields)?
            }
            Patch::Merge(object) | Patch::Strategic(object) => {
                self.unknown_in_patch(sub, &patches::without_nulls(object), asked.fields)?
            }
            Patch::Json(operations) => {
                self.unknown_in_patch(sub, &patches::additions(operations), asked.fields)?
            }
        };
        if let Some(manager) = self.query.get("fieldManager") {
            manager.clone_into(&mut caller.manager);
        }
        let options = PatchOptions { dry_run: asked.dry_run, force: asked.force };
        let before = self.before();
        let (object, created) = api.patch(&caller, kind, sub, self.namespace(), name, patch, &options)?;
        warnings.extend(self.policy_warnings(&before, &object));
        let code = if created { StatusCode::CREATED } else { StatusCode::OK };
        Ok(self.warned(self.render(code, object), &warnings))
    }

    fn create(&self) -> Result<Response, Status> {
        if !self.info.name.is_empty() {
            return Err(Status::method_not_allowed());
        }
        let asked = options::write(self.query, Verb::Create)?;
        let object = self.object()?;
        let warnings = self.unknown_fields(Sub::Main, &object, asked.fields)?;
        let options = WriteOptions { dry_run: asked.dry_run };
        let api = &self.server.api;
        let created = api.create(&self.caller, &self.kind, self.namespace(), object, &options)?;
        let warnings: Vec<_> =
            warnings.into_iter().chain(self.policy_warnings(&Value::Null, &created)).collect();
        Ok(self.warned(self.render(StatusCode::CREATED, created), &warnings))
    }

    /// A custom resource that is to be written, as it is until then; null if there is none.
    fn before(&self) -> Value {
        let live = || self.server.api.get(&self.kind, self.namespace(), &self.info.name).ok();
        self.kind.custom.as_ref().and_then(|_| live()).unwrap_or_default()
    }

    /// What the namespace's policies say of an object that was written, and what is said of its new finalizers.
    fn policy_warnings(&self, before: &Value, object: &Value) -> Vec<String> {
        let mut said = finalizers::warnings(&self.kind, before, object);
        said.extend(admission::warnings(&self.server.api, &self.kind, object));
        said
    }

    fn list(&self) -> Result<Response, Status> {
        let api = &self.server.api;
        options::number(self.query, "timeoutSeconds")?;
        let wanted = options::revisions(self.query, false)?;
        options::reached(self.query, api.ledger().revision())?;
        let selection = self.selection()?;
        let selection = Selection { at: wanted, ..selection };
        if self.accepted == Accepted::JSON {
            let rows = api.rows(&self.kind, self.namespace(), &selection)?;
            return Ok(lists::json(&self.kind, rows, render::takes_gzip(self.headers)));
        }
        let listed = api.list(&self.kind, self.namespace(), &selection)?;
        let shown = show::list(api, &self.kind, listed, self.accepted.form, self.include());
        Ok(self.rendered(StatusCode::OK, &shown))
    }

    fn watch(&self) -> Result<Response, Status> {
        let seconds =
            options::number(self.query, "timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok());
        options::revisions(self.query, true)?;
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
        watch::start(self.server, ask)
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
        Ok(self.rendered(StatusCode::OK, &shown))
    }

    /// Fields that the kind does not have: refused, or warned of, as is asked for.
    fn unknown_fields(&self, sub: Sub, object: &Value, mode: FieldValidation) -> Result<Vec<String>, Status> {
        let found = self.found_unknown(sub, object, mode);
        if mode == FieldValidation::Strict && !found.is_empty() {
            let (name, version) = (&self.kind.kind, &self.kind.version);
            return Err(Status::bad_request(format!(
                "{name} in version \"{version}\" cannot be handled as a {name}: strict decoding error: {}",
                found.join(", ")
            )));
        }
        Ok(found)
    }

    /// The same of a patch, which is refused in other words.
    fn unknown_in_patch(&self, sub: Sub, set: &Value, mode: FieldValidation) -> Result<Vec<String>, Status> {
        let found = self.found_unknown(sub, set, mode);
        if mode == FieldValidation::Strict && !found.is_empty() {
            return Err(patches::unreadable(set, &format!("strict decoding error: {}", found.join(", "))));
        }
        Ok(found)
    }

    fn found_unknown(&self, sub: Sub, object: &Value, mode: FieldValidation) -> Vec<String> {
        if sub == Sub::Scale || mode == FieldValidation::Ignore {
            return Vec::new();
        }
        let mut found = validate::duplicate_fields(&self.body);
        found.extend(self.server.api.unknown_fields(&self.kind, object));
        found
    }

    fn warned(&self, mut response: Response, warnings: &[String]) -> Response {
        for warning in warnings {
            render::warn(&mut response, warning);
        }
        response
    }
}
