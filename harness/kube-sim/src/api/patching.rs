//! Patch: read, patch, write in one transaction.

use serde_json::Value;
use sim_core::ledger::Txn;

use super::update::{Ownership, Target, check_name};
use super::{Api, Caller, Patch, PatchOptions, meta};
use crate::registry::{Kind, Sub};
use crate::status::Status;

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
        let after = self.patched(kind, &before, patch)?;
        check_kept(kind, target, &before, &after)?;
        self.replace_facet(txn, target, &live, after, Ownership::Track)
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
            return Err(Status::not_modelled("server-side apply to the scale subresource"));
        }
        super::create::fit_to_path(kind, namespace, &mut applied)?;
        check_name(kind, name, &mut applied)?;
        let live = Self::stored(txn, kind, &target.key()).cloned();
        let Some(live) = live else {
            if target.sub != Sub::Main {
                return Err(Status::not_found(kind, name));
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
        let after = self.applied(target, Some(&before), &applied, options.force)?;
        self.replace_facet(txn, target, &live, after, Ownership::Done).map(|value| (value, false))
    }
}

fn check_kept(kind: &Kind, target: Target<'_>, before: &Value, after: &Value) -> Result<(), Status> {
    if !after.is_object() {
        return Err(Status::bad_request("the patch does not result in an object"));
    }
    let stated = meta::name(after);
    if stated != target.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({stated}) does not match the name on the URL ({})",
            target.name
        )));
    }
    let (own, sent) =
        (meta::text(before, "/metadata/resourceVersion"), meta::text(after, "/metadata/resourceVersion"));
    if !sent.is_empty() && sent != own {
        return Err(Status::outdated(kind, target.name));
    }
    let (own, sent) = (meta::uid(before), meta::uid(after));
    if !sent.is_empty() && sent != own {
        let why = format!("Precondition failed: UID in precondition: {sent}, UID in object meta: {own}");
        return Err(Status::conflict(kind, target.name, &why));
    }
    Ok(())
}
