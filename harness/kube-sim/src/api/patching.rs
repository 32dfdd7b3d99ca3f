//! Patch: read, patch, write in one transaction.

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use super::update::{Ownership, Target, check_name};
use super::{Api, Caller, Patch, PatchOptions, meta};
use crate::registry::{Kind, Sub};
use crate::status::{Cause, Status};

impl Api {
    /// Changes an object, or the part of it that `sub` names. Says whether it was created, which only apply does.
    ///
    /// # Errors
    /// 400 or 422 for a patch that cannot be read or applied, 404 when there is no object, 409 for an apply that
    /// conflicts with another owner or a patch with an outdated `resourceVersion`, 415 for strategic merge of a
    /// custom resource.
    #[expect(clippy::too_many_arguments, reason = "a write is about this many things")]
    pub fn patch(
        &self,
        caller: &Caller,
        kind: &Kind,
        sub: Sub,
        namespace: Option<&str>,
        name: &str,
        patch: Patch,
        options: &PatchOptions,
    ) -> Result<(Value, bool), Status> {
        let target = Target { caller, kind, sub, namespace, name };
        let (patched, created) = self.transact(kind, options.dry_run, |txn| match &patch {
            Patch::Apply(applied) => self.apply_in(txn, target, applied, options),
            patch => self.patch_in(txn, target, patch).map(|value| (value, false)),
        })?;
        let dry = options.dry_run;
        Ok((if dry { self.shown_dry(kind, namespace, patched) } else { patched }, created))
    }

    fn patch_in(&self, txn: &mut Txn<'_>, target: Target<'_>, patch: &Patch) -> Result<Value, Status> {
        let kind = target.kind;
        let live = Self::live(txn, target)?;
        let before = Self::facet(kind, target.sub, &live)?;
        let mut after = self.patched(kind, &before, patch)?;
        if !after.is_object() {
            let message = "the server rejected our request due to an error in our request";
            return Err(Status::new(422, "Invalid", message).with_details(json!({})));
        }
        self.check_kind(kind, target.sub, &after)?;
        if target.sub != Sub::Scale {
            let patched = after.clone();
            self.decode(kind, &mut after).map_err(|why| Self::unreadable(&patched, &why))?;
        }
        check_kept(kind, target, &before, &after)?;
        self.replace_facet(txn, target, &live, after, Ownership::Track)
    }

    /// A patch may not make another kind of an object.
    fn check_kind(&self, kind: &Kind, sub: Sub, after: &Value) -> Result<(), Status> {
        let (version, named) = (meta::text(after, "/apiVersion"), meta::text(after, "/kind"));
        if !after.is_object() || sub == Sub::Scale || (version == kind.api_version() && named == kind.kind) {
            return Ok(());
        }
        let known = self.registry().of(after).is_some();
        let why = if known {
            format!("no kind \"{named}\" is registered for this path")
        } else {
            format!(
                "no kind \"{named}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:110\""
            )
        };
        Err(Self::unreadable(after, &why))
    }

    fn apply_in(
        &self,
        txn: &mut Txn<'_>,
        target: Target<'_>,
        applied: &Value,
        options: &PatchOptions,
    ) -> Result<(Value, bool), Status> {
        let Target { kind, namespace, name, .. } = target;
        let mut applied = applied.clone();
        if target.sub == Sub::Scale {
            return self.apply_scale(txn, target, &applied, options).map(|scale| (scale, false));
        }
        super::create::fit_to_path(kind, namespace, &mut applied)?;
        let live = Self::stored(txn, kind, &target.key()).cloned();
        // What is there has its name, whether it is applied or not.
        if live.is_none() || !meta::name(&applied).is_empty() {
            check_name(name, &applied)?;
        }
        let Some(live) = live else {
            if target.sub != Sub::Main {
                return Err(Status::not_found(kind, name));
            }
            let uid = meta::uid(&applied);
            if !uid.is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                return Err(Status::conflict(kind, name, &why));
            }
            let object = self.applied(target, None, &applied, options.force)?;
            let created = self.create_in(txn, target.caller, kind, namespace, object, Ownership::Done)?;
            return Ok((created, true));
        };
        let version = meta::text(&applied, "/metadata/resourceVersion");
        if !version.is_empty() && version != meta::text(&live, "/metadata/resourceVersion") {
            return Err(Status::outdated(kind, name));
        }
        let before = Self::facet(kind, target.sub, &live)?;
        let mut after = self.applied(target, Some(&before), &applied, options.force)?;
        self.decode_sent(kind, &mut after)?;
        self.replace_facet(txn, target, &live, after, Ownership::Done).map(|value| (value, false))
    }
}

impl Api {
    /// An apply to the scale is an apply of the count to the object itself, by an owner who is told apart by the subresource.
    fn apply_scale(
        &self,
        txn: &mut Txn<'_>,
        target: Target<'_>,
        applied: &Value,
        options: &PatchOptions,
    ) -> Result<Value, Status> {
        let Target { kind, namespace, name, .. } = target;
        check_name(name, applied)?;
        let live = Self::live(txn, target)?;
        let before = Self::facet(kind, Sub::Main, &live)?;
        let mut own =
            json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": name}});
        if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
            own["metadata"]["namespace"] = json!(namespace);
        }
        let own = super::scale::with_scale(kind, &own, applied)?;
        let mut after = self.applied(target, Some(&before), &own, options.force)?;
        self.decode_sent(kind, &mut after)?;
        super::convert::to_storage(kind, &mut after);
        let stored = self.replace(txn, target, &live, after, Ownership::Done)?;
        super::scale::of(kind, &stored)
    }
}

fn check_kept(kind: &Kind, target: Target<'_>, before: &Value, after: &Value) -> Result<(), Status> {
    check_name(target.name, after)?;
    if target.namespace.is_some() && kind.namespaced && meta::namespace(after) != target.namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Status::bad_request(message));
    }
    let (own, sent) =
        (meta::text(before, "/metadata/resourceVersion"), meta::text(after, "/metadata/resourceVersion"));
    if !sent.is_empty() && sent != own {
        return Err(Status::outdated(kind, target.name));
    }
    let sent = meta::uid(after);
    if !sent.is_empty() && sent != meta::uid(before) {
        let message = format!("Invalid value: {sent:?}: field is immutable");
        let cause = Cause::new("FieldValueInvalid", "metadata.uid", message);
        return Err(Status::invalid(kind, target.name, &[cause]));
    }
    Ok(())
}
