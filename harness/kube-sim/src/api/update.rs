//! Update and read-modify-write.

use std::num::IntErrorKind;

use serde_json::Value;
use sim_core::ledger::Txn;

use super::create::fit_to_path;
use super::{Api, Caller, WriteOptions, admission, convert, delete, meta, meta_update, scale, seams};
use crate::admission as plugins;
use crate::registry::{Kind, Sub};
use crate::status::{Cause, Status};

/// What a write is about.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) caller: &'a Caller,
    pub(super) kind: &'a Kind,
    pub(super) sub: Sub,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
}

/// Who records the owners of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ownership {
    /// The write does, by comparing before and after.
    Track,
    /// Nobody any more: an apply has done it.
    Done,
}

impl Target<'_> {
    pub(super) fn key(&self) -> String {
        self.kind.key(self.namespace, self.name)
    }
}

impl Api {
    /// Replaces an object, or the part of it that `sub` names.
    ///
    /// # Errors
    /// 404 when there is none, 409 when its `resourceVersion` or `uid` is not the one sent, 422 for wrong fields.
    #[expect(clippy::too_many_arguments, reason = "a write is about this many things")]
    pub fn update(
        &self,
        caller: &Caller,
        kind: &Kind,
        sub: Sub,
        namespace: Option<&str>,
        name: &str,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Value, Status> {
        let target = Target { caller, kind, sub, namespace, name };
        if sub == Sub::Scale {
            check_name(name, &object)?;
        }
        let updated = self.transact(kind, options.dry_run, |txn| {
            let live = Self::live(txn, target)?;
            if sub == Sub::Scale {
                let wanted = scale::with_scale(kind, &live, &object)?;
                let stored = self.replace(txn, target, &live, wanted, Ownership::Track)?;
                return scale::of(kind, &stored);
            }
            let mut after = object;
            fit_to_path(kind, namespace, &mut after)?;
            self.decode_sent(kind, &mut after)?;
            check_name(name, &after)?;
            check_versions(kind, &live, &after)?;
            convert::to_storage(kind, &mut after);
            self.replace(txn, target, &live, after, Ownership::Track)
                .map(|stored| convert::from_storage(kind, stored))
        })?;
        Ok(if options.dry_run { self.shown_dry(kind, namespace, updated) } else { updated })
    }

    /// Reads an object, lets `change` alter it, and writes it, all in one transaction. Nothing is written when `change`
    /// returns false. `change` sees the form of `kind`, or the `Scale` of it; it must not call this API.
    ///
    /// # Errors
    /// 404 when there is none, 422 for wrong fields.
    pub fn modify(
        &self,
        caller: &Caller,
        kind: &Kind,
        sub: Sub,
        namespace: Option<&str>,
        name: &str,
        change: impl FnOnce(&mut Value) -> bool,
    ) -> Result<Value, Status> {
        let target = Target { caller, kind, sub, namespace, name };
        self.transact(kind, false, |txn| {
            let live = Self::live(txn, target)?;
            let mut facet = Self::facet(kind, sub, &live)?;
            if !change(&mut facet) {
                return Ok(facet);
            }
            self.replace_facet(txn, target, &live, facet, Ownership::Track)
        })
    }

    pub(super) fn live(txn: &Txn<'_>, target: Target<'_>) -> Result<Value, Status> {
        let found = Self::stored(txn, target.kind, &target.key()).cloned();
        found.ok_or_else(|| Status::not_found(target.kind, target.name))
    }

    /// What `sub` shows of a stored object.
    pub(super) fn facet(kind: &Kind, sub: Sub, live: &Value) -> Result<Value, Status> {
        if sub == Sub::Scale {
            return scale::of(kind, live);
        }
        Ok(convert::from_storage(kind, live.clone()))
    }

    /// Writes what `sub` shows back, and returns what it shows afterwards.
    pub(super) fn replace_facet(
        &self,
        txn: &mut Txn<'_>,
        target: Target<'_>,
        live: &Value,
        mut facet: Value,
        ownership: Ownership,
    ) -> Result<Value, Status> {
        let kind = target.kind;
        if target.sub == Sub::Scale {
            facet = scale::with_scale(kind, live, &facet)?;
        } else {
            convert::to_storage(kind, &mut facet);
        }
        let stored = self.replace(txn, target, live, facet, ownership)?;
        Self::facet(kind, target.sub, &stored)
    }

    /// Puts `after`, in storage form, in the place of `live`. An object whose last finalizer goes while it is being
    /// deleted goes too.
    pub(super) fn replace(
        &self,
        txn: &mut Txn<'_>,
        target: Target<'_>,
        live: &Value,
        mut after: Value,
        ownership: Ownership,
    ) -> Result<Value, Status> {
        let Target { caller, kind, sub, .. } = target;
        meta_update::hold_fixed(kind, sub, live, &mut after);
        seams::complete(kind, &mut after);
        if ownership == Ownership::Track {
            // What admission adds belongs to nobody.
            self.own(kind, sub, &caller.manager, Some(live), &mut after);
        }
        admission::on_update(kind, live, &mut after)?;
        self.check(kind, &after, Some(live))?;
        if sub == Sub::Main {
            plugins::check(txn, caller, kind, Some(live), &after)?;
        }
        if meta_update::same(live, &after) && meta_update::same_owners(live, &after) && sub != Sub::Finalize {
            return Ok(live.clone());
        }
        meta_update::count_generation(kind, live, &mut after);
        self.settle(txn, target, after)
    }

    /// Stores `after`, or removes the object when it was only waiting for this.
    pub(super) fn settle(
        &self,
        txn: &mut Txn<'_>,
        target: Target<'_>,
        after: Value,
    ) -> Result<Value, Status> {
        let key = target.key();
        if delete::is_finished(target.kind, &after) {
            txn.delete(target.kind.table(), &key);
            return Ok(after);
        }
        Ok(Self::put(txn, target.kind, &key, after))
    }
}

/// Holds the name in the body against the one in the path.
pub(super) fn check_name(name: &str, object: &Value) -> Result<(), Status> {
    match meta::name(object) {
        "" => Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        stated if stated != name => Err(Status::bad_request(format!(
            "the name of the object ({stated}) does not match the name on the URL ({name})"
        ))),
        _ => Ok(()),
    }
}

/// What Go says of a text that is no number.
pub(crate) fn go_number_error(parser: &str, text: &str, kind: &IntErrorKind) -> String {
    let why = match kind {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!("strconv.{parser}: parsing {text:?}: {why}")
}

/// Refuses a body that is about another object of the same name.
fn check_uid(kind: &Kind, live: &Value, sent: &Value) -> Result<(), Status> {
    let (own, stated, name) = (meta::uid(live), meta::uid(sent), meta::name(live));
    if stated.is_empty() || stated == own {
        return Ok(());
    }
    let group = if kind.group.is_empty() { String::new() } else { format!("{}/", kind.group) };
    let key = kind.key(meta::namespace(live), name);
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{key}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {stated}, UID in object meta: {own}",
        kind.plural
    );
    Err(Status::conflict(kind, name, &why))
}

fn check_versions(kind: &Kind, live: &Value, sent: &Value) -> Result<(), Status> {
    let name = meta::name(live);
    let version = meta::text(sent, "/metadata/resourceVersion");
    if version.is_empty() && !kind.builtin {
        let message = "Invalid value: 0: must be specified for an update";
        let cause = Cause::new("FieldValueInvalid", "metadata.resourceVersion", message);
        return Err(Status::invalid(kind, name, &[cause]));
    }
    if !version.is_empty()
        && let Err(error) = version.parse::<u64>()
    {
        let why = go_number_error("ParseUint", version, error.kind());
        return Err(Status::new(500, "", why));
    }
    check_uid(kind, live, sent)?;
    if !version.is_empty() && version != meta::text(live, "/metadata/resourceVersion") {
        return Err(Status::outdated(kind, name));
    }
    Ok(())
}

impl Api {
    /// Binds a pod to a node: what the scheduler does.
    ///
    /// # Errors
    /// 404 when there is no such pod, 409 when it is bound or going.
    pub fn bind(
        &self,
        caller: &Caller,
        namespace: Option<&str>,
        name: &str,
        node: &str,
    ) -> Result<Value, Status> {
        let kind = self.kind("", "Pod")?;
        let target = Target { caller, kind: &kind, sub: Sub::Binding, namespace, name };
        self.transact(&kind, false, |txn| {
            let live = Self::live(txn, target)?;
            let bound = meta::text(&live, "/spec/nodeName");
            if !bound.is_empty() {
                let why = format!("pod {name} is already assigned to node \"{bound}\"");
                return Err(Status::conflict(&kind, name, &why));
            }
            if meta::is_deleting(&live) {
                let why = format!("pod {name} is being deleted, cannot be assigned to a host");
                return Err(Status::conflict(&kind, name, &why));
            }
            let mut after = live.clone();
            meta::child(&mut after, "spec").insert("nodeName".into(), node.into());
            let condition = serde_json::json!({
                "type": "PodScheduled", "status": "True", "observedGeneration": live["metadata"]["generation"],
                "lastProbeTime": null, "lastTransitionTime": meta::time(self.now()),
            });
            let conditions = meta::child(&mut after, "status").entry("conditions").or_insert(Value::Null);
            let mut all = conditions.as_array().cloned().unwrap_or_default();
            all.retain(|one| one["type"] != "PodScheduled");
            all.push(condition);
            *conditions = Value::Array(all);
            self.settle(txn, target, after)
        })
    }
}
