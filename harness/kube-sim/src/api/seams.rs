//! Where the verbs call the pure functions: schemas, defaulting, validation, patches, field ownership.

use std::sync::Arc;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::update::Target;
use super::{Api, Patch, meta, structural};
use crate::defaults;
use crate::patch::apply::{ApplyError, Manager, apply, track_update};
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
    fn form_of(&self, kind: &Kind, object: &Value) -> Arc<Kind> {
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
        let api_version = form.api_version();
        let by = Manager { name: manager, api_version: &api_version, subresource: sub.name() };
        track_update(&self.0.schemas.of(&form), before, after, &by, self.now());
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
        let Target { kind, sub, caller, name, .. } = target;
        let api_version = kind.api_version();
        let by = Manager { name: &caller.manager, api_version: &api_version, subresource: sub.name() };
        let now: Timestamp = self.now();
        apply(&self.0.schemas.of(kind), before, applied, &by, force, now).map_err(|error| match error {
            ApplyError::Malformed(message) => Status::bad_request(message),
            ApplyError::Conflicts { message, causes } => {
                let details =
                    json!({"name": name, "group": kind.group, "kind": kind.plural, "causes": causes});
                Status::new(409, "Conflict", message).with_details(details)
            }
        })
    }

    /// Fields of `object` that its kind does not have, each worded as the real server's decoder does.
    #[must_use]
    pub fn unknown_fields(&self, kind: &Kind, object: &Value) -> Vec<String> {
        validate::unknown_fields(&self.0.schemas.of(kind), object)
    }

    /// Refuses an object with fields of a wrong type or with wrong values.
    pub(super) fn check(&self, kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), Status> {
        let form = self.form_of(kind, object);
        let causes = match custom_schema(kind) {
            Some(schema) => structural::check(schema, object),
            None => {
                if let Some(message) = validate::type_error(&self.0.schemas.of(&form), &form, object) {
                    return Err(Status::bad_request(message));
                }
                if kind.is("", "Secret") {
                    check_base64(object)?;
                }
                Vec::new()
            }
        };
        let wrong = validate::validate(&form.group, &form.kind, object, old);
        let causes: Vec<Cause> = causes.into_iter().chain(wrong).collect();
        if causes.is_empty() {
            return Ok(());
        }
        Err(Status::invalid(kind, meta::name(object), &causes))
    }
}

fn check_base64(secret: &Value) -> Result<(), Status> {
    let texts = secret.get("data").and_then(Value::as_object).into_iter().flat_map(|data| data.values());
    for text in texts.filter_map(Value::as_str) {
        if let Err(error) = STANDARD.decode(text) {
            let at = match error {
                DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
                DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
            };
            return Err(Status::bad_request(format!(
                "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte {at}"
            )));
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
            // Events are stored in the core form, whatever group they came through.
            let group = if kind.is("events.k8s.io", "Event") { "" } else { &kind.group };
            defaults::apply(group, &kind.kind, object);
        }
        None => {}
    }
}
