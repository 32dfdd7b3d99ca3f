//! Where the verbs call the pure functions: defaulting, validation, field ownership.

use jiff::Timestamp;
use serde_json::Value;

use super::update::Target;
use super::{Patch, structural};
use crate::registry::{Kind, Sub};
use crate::status::{Cause, Status};

/// Fills in what the object leaves out; for custom resources also drops what the schema does not know.
pub(super) fn complete(kind: &Kind, object: &mut Value) {
    match kind.custom.as_ref().and_then(|custom| custom.schema.as_ref()) {
        Some(schema) => structural::complete(schema, object),
        None => {}
    }
}

/// Refuses an object with wrong fields.
pub(super) fn check(kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), Status> {
    let causes: Vec<Cause> = match kind.custom.as_ref().and_then(|custom| custom.schema.as_ref()) {
        Some(schema) => structural::check(schema, object),
        None => {
            let _ = old;
            Vec::new()
        }
    };
    if causes.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(kind, super::meta::name(object), &causes))
}

/// Records which manager owns which fields after a write.
pub(super) fn own(
    _kind: &Kind,
    _sub: Sub,
    _manager: &str,
    _before: Option<&Value>,
    _after: &mut Value,
    _now: Timestamp,
) {
}

/// `before` with a patch of any kind but apply.
pub(super) fn patched(kind: &Kind, before: &Value, patch: &Patch) -> Result<Value, Status> {
    let _ = (kind, before, patch);
    Err(Status::not_modelled("patching"))
}

/// What an apply makes of `before`, with the owners of its fields recorded.
pub(super) fn applied(
    target: Target<'_>,
    before: Option<&Value>,
    applied: &Value,
    force: bool,
    now: Timestamp,
) -> Result<Value, Status> {
    let _ = (target, before, applied, force, now);
    Err(Status::not_modelled("server-side apply"))
}
