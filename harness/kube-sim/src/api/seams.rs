//! Where the verbs call the pure functions: schemas, defaulting, validation, patches, field ownership.

use std::sync::Arc;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::update::Target;
use super::{Api, Caller, Patch, meta, structural};
use crate::defaults;
use crate::patch::apply::{ApplyError, Manager, apply, declared, track_update};
use crate::patch::{PatchError, json_patch, merge_patch, strategic_merge};
use crate::registry::{Kind, Sub};
use crate::schema::Schemas;
use crate::status::{Cause, Status};
use crate::validate;

impl Api {
    /// The schemas of everything that is served.
    #[must_use]
    pub fn schemas(&self) -> &Schemas {
        &self.0.schemas
    }

    /// The kind whose form an object is in: its own words, which differ from `kind` in storage.
    pub(super) fn form_of(&self, kind: &Kind, object: &Value) -> Arc<Kind> {
        self.0.registry.of(object).unwrap_or_else(|| Arc::new(kind.clone()))
    }

    /// Records which manager owns which fields after a write.
    pub(super) fn own(
        &self,
        kind: &Kind,
        sub: Sub,
        manager: &str,
        before: Option<&Value>,
        after: &mut Value,
    ) {
        let form = self.form_of(kind, after);
        // What a write to the object says of its status is dropped, so that nobody owns it.
        let apart = (sub == Sub::Main && kind.has(Sub::Status)).then(|| {
            let stated = meta::as_map(after).shift_remove("status");
            let kept = match before {
                Some(before) => before.get("status").cloned(),
                None => self.0.schemas.blank(&form).get("status").cloned(),
            };
            if let Some(kept) = kept {
                meta::as_map(after).insert("status".into(), kept);
            }
            stated
        });
        let api_version = form.api_version();
        let by = Manager { name: manager, api_version: &api_version, subresource: sub.name() };
        let schemas = &self.0.schemas;
        // Only the first write is compared with a blank object.
        let blank = if before.is_none() { schemas.blank(&form) } else { Value::Null };
        track_update(&schemas.of(&form), &blank, before, after, &by, self.now());
        if let Some(stated) = apart {
            match stated {
                Some(status) => drop(meta::as_map(after).insert("status".into(), status)),
                None => drop(meta::as_map(after).shift_remove("status")),
            }
        }
    }

    /// A patched object that cannot be read.
    pub(super) fn unreadable(patched: &Value, why: &str) -> Status {
        let shown = Value::from(patched.to_string());
        let message = format!("Invalid value: {shown}: {why}");
        let cause = Cause::new("FieldValueInvalid", "patch", message.clone());
        Status::new(422, "Invalid", format!(" \"\" is invalid: patch: {message}"))
            .with_details(json!({"causes": [cause]}))
    }

    /// `before` with a patch of any kind but apply.
    pub(super) fn patched(&self, kind: &Kind, before: &Value, patch: &Patch) -> Result<Value, Status> {
        let refused = |error: PatchError| match error {
            PatchError::Malformed(message) => Status::bad_request(message),
            // The real server keeps why to itself.
            PatchError::Unprocessable(_) => {
                let message = "the server rejected our request due to an error in our request";
                Status::new(422, "Invalid", message).with_details(json!({}))
            }
        };
        match patch {
            Patch::Json(patch) => json_patch(before, patch).map_err(refused),
            Patch::Merge(patch) => Ok(merge_patch(before, patch)),
            Patch::Strategic(_) if !kind.builtin => Err(Status::unsupported_media_type(
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            )),
            Patch::Strategic(patch) => {
                let form = self.form_of(kind, before);
                strategic_merge(&self.0.schemas.of(&form), before, patch).map_err(refused)
            }
            Patch::Apply(_) => Err(Status::internal("an apply reached the wrong place")),
        }
    }

    /// What an apply makes of `before`, with the owners of its fields recorded.
    pub(super) fn applied(
        &self,
        target: Target<'_>,
        before: Option<&Value>,
        applied: &Value,
        force: bool,
    ) -> Result<Value, Status> {
        let Target { kind, sub, caller, .. } = target;
        let api_version = kind.api_version();
        let by = Manager { name: &caller.manager, api_version: &api_version, subresource: sub.name() };
        let now: Timestamp = self.now();
        apply(&self.0.schemas.of(kind), before, applied, &by, force, now).map_err(|error| match error {
            ApplyError::Malformed(message) => Status::bad_request(message),
            ApplyError::Conflicts { message, causes } => {
                Status::new(409, "Conflict", message).with_details(json!({"causes": causes}))
            }
        })
    }

    /// Refuses a configuration to be applied that is of another kind, or does not fit its type.
    ///
    /// # Errors
    /// 400 for another kind, 500 for fields that are not declared or of a wrong type, as the real server does.
    pub fn check_declared(
        &self,
        kind: &Kind,
        sub: Sub,
        namespace: Option<&str>,
        applied: &Value,
    ) -> Result<(), Status> {
        if sub == Sub::Scale {
            return Ok(());
        }
        let (version, named) = (meta::text(applied, "/apiVersion"), meta::text(applied, "/kind"));
        // The empty group stands before a slash too.
        let shown = if version.contains('/') { version.to_owned() } else { format!("/{version}") };
        if version != kind.api_version() || named != kind.kind {
            return Err(Status::bad_request(format!("invalid object type: {shown}, Kind={named}")));
        }
        let Some(why) = declared::problem(&self.0.schemas.of(kind), applied) else { return Ok(()) };
        let stated =
            meta::namespace(applied).or(namespace.filter(|_| kind.custom.is_some())).unwrap_or_default();
        let name = meta::name(applied);
        let message =
            format!("failed to create typed patch object ({stated}/{name}; {shown}, Kind={named}): {why}");
        Err(Status::new(500, "", message))
    }

    /// Fields of `object` that its kind does not have, each worded as the real server's decoder does.
    #[must_use]
    pub fn unknown_fields(&self, kind: &Kind, object: &Value) -> Vec<String> {
        let mut found = validate::unknown_fields(&self.0.schemas.of(kind), object);
        if kind.custom.is_some() {
            found.sort();
        }
        found
    }

    /// Reads an object, in the form of `kind`, as its typed form would be read: fields of a wrong type are refused, unknown
    /// ones go, and those that are always written appear. Why it cannot be read is left to the caller to word.
    pub(super) fn decode(&self, kind: &Kind, object: &mut Value) -> Result<(), String> {
        let schemas = &self.0.schemas;
        if kind.custom.is_none() {
            if let Some(why) = validate::type_error(&schemas.of(kind), kind, object) {
                return Err(why);
            }
            if kind.is("", "Secret") {
                check_base64(object)?;
            }
        }
        schemas.normalise(kind, object);
        Ok(())
    }

    /// Reads a question as its typed form would be read, and records who asks it.
    pub(crate) fn decode_question(
        &self,
        caller: &Caller,
        kind: &Kind,
        object: &mut Value,
    ) -> Result<(), Status> {
        meta::as_map(object).entry("apiVersion").or_insert_with(|| kind.api_version().into());
        meta::as_map(object).entry("kind").or_insert_with(|| kind.kind.clone().into());
        self.decode_sent(kind, object)?;
        meta::as_map(object).shift_remove("status");
        meta::metadata(object).shift_remove("managedFields");
        self.own(kind, Sub::Main, &caller.manager, None, object);
        Ok(())
    }

    /// The same, for bodies that clients send.
    pub(super) fn decode_sent(&self, kind: &Kind, object: &mut Value) -> Result<(), Status> {
        self.decode(kind, object).map_err(|why| {
            let (name, version) = (&kind.kind, &kind.version);
            Status::bad_request(format!(
                "{name} in version \"{version}\" cannot be handled as a {name}: {why}"
            ))
        })
    }

    /// Refuses an object with wrong values.
    pub(super) fn check(&self, kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), Status> {
        let form = self.form_of(kind, object);
        let mut causes =
            custom_schema(kind).map(|schema| structural::check(schema, object)).unwrap_or_default();
        let scale = kind.custom.as_ref().and_then(|custom| custom.scale.as_ref());
        causes.extend(scale.and_then(|paths| structural::check_scale(paths, object)));
        if let Some(custom) = &kind.custom
            && let Some(schema) = &custom.schema
        {
            causes.extend(custom.rules.check(schema, object, old, &causes));
        }
        let wrong = validate::validate(&form.group, &form.kind, object, old);
        let mut causes: Vec<Cause> = wrong.into_iter().chain(causes).collect();
        let new_event = kind.is("events.k8s.io", "Event") && old.is_none();
        if new_event {
            causes.extend(validate::new_event(object));
        }
        if causes.is_empty() {
            return Ok(());
        }
        // Events are told of in the name of the core group.
        let kind = if new_event { &*form } else { kind };
        Err(Status::invalid(kind, meta::name(object), &causes))
    }
}

fn check_base64(secret: &Value) -> Result<(), String> {
    let texts = secret.get("data").and_then(Value::as_object).into_iter().flat_map(|data| data.values());
    for text in texts.filter_map(Value::as_str) {
        if let Err(error) = STANDARD.decode(text) {
            let at = match error {
                DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
                DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
            };
            return Err(format!("illegal base64 data at input byte {at}"));
        }
    }
    Ok(())
}

fn custom_schema(kind: &Kind) -> Option<&Value> {
    kind.custom.as_ref().and_then(|custom| custom.schema.as_ref())
}

/// Fills in what the object leaves out; for custom resources also drops what the schema does not know.
pub(super) fn complete(kind: &Kind, object: &mut Value) {
    match custom_schema(kind) {
        Some(schema) => structural::complete(schema, object),
        None if kind.builtin => {
            if kind.is("", "Namespace") {
                label_with_name(object);
            }
            // Events are stored in the core form, whatever group they came through.
            let group = if kind.is("events.k8s.io", "Event") { "" } else { &kind.group };
            defaults::apply(group, &kind.kind, object);
        }
        None => {}
    }
}

/// Namespaces carry their name as a label.
fn label_with_name(namespace: &mut Value) {
    let name = meta::name(namespace).to_owned();
    let labels = meta::metadata(namespace).entry("labels").or_insert(Value::Null);
    meta::as_map(labels).insert("kubernetes.io/metadata.name".into(), name.into());
}
