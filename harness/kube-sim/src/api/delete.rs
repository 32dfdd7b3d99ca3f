//! Delete: preconditions, finalizers, grace, propagation.

use serde_json::Value;
use sim_core::ledger::Txn;

use super::read::prefix;
use super::update::Target;
use super::{Api, Caller, DeleteOptions, Listed, Propagation, Selection, admission, convert, meta};
use crate::registry::{DEFINITIONS, Kind, Sub};
use crate::status::{Status, deleted};

/// Finalizers by which the garbage collector is told what to do with dependents.
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Whether a stored object is only waiting to be removed.
pub(super) fn is_finished(kind: &Kind, object: &Value) -> bool {
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    meta::is_deleting(object)
        && meta::finalizers(object).next().is_none()
        && grace == 0
        && !(kind.is("", "Namespace") && has_content_finalizers(object))
}

fn has_content_finalizers(namespace: &Value) -> bool {
    namespace.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

impl Api {
    /// Deletes an object, or starts to: finalizers, a namespace's content or a pod's grace keep it for a while.
    /// Returns the object as it stays, or a `Status` of success when it is gone.
    ///
    /// # Errors
    /// 404 when there is none, 409 when a precondition does not hold.
    pub fn delete(
        &self,
        caller: &Caller,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Value, Status> {
        let target = Target { caller, kind, sub: Sub::Main, namespace, name };
        if kind.is("", "Pod") && !options.dry_run {
            // Watchers see that a pod is to end before they see that it is gone, even if it has no grace.
            let stays = self.transact(kind, false, |txn| self.mark_in(txn, target, options))?;
            if !is_finished(kind, &stays) {
                return Ok(convert::from_storage(kind, stays));
            }
            let own = DeleteOptions { uid: Some(meta::uid(&stays).to_owned()), ..DeleteOptions::default() };
            return match self.transact(kind, false, |txn| self.delete_in(txn, target, &own)) {
                // Somebody else was faster.
                Err(status) if status.is_not_found() => Ok(deleted(kind, name, meta::uid(&stays))),
                ended => ended,
            };
        }
        self.transact(kind, options.dry_run, |txn| self.delete_in(txn, target, options))
    }

    /// Deletes every object that `selection` wants, each on its own, and returns them as they were.
    ///
    /// # Errors
    /// The first refusal other than 404.
    pub fn delete_collection(
        &self,
        caller: &Caller,
        kind: &Kind,
        namespace: Option<&str>,
        selection: &Selection,
        options: &DeleteOptions,
    ) -> Result<Listed, Status> {
        let listed = self.list(kind, namespace, selection)?;
        for item in &listed.items {
            match self.delete(caller, kind, meta::namespace(item), meta::name(item), options) {
                Err(status) if !status.is_not_found() => return Err(status),
                _ => {}
            }
        }
        Ok(listed)
    }

    /// Says that a pod is to end, and returns it as it stays.
    fn mark_in(
        &self,
        txn: &mut Txn<'_>,
        target: Target<'_>,
        options: &DeleteOptions,
    ) -> Result<Value, Status> {
        let live = Self::live(txn, target)?;
        let object = self.ending(target.kind, &live, options)?;
        let changed = object != live;
        Ok(if changed { Self::put(txn, target.kind, &target.key(), object) } else { live })
    }

    /// What becomes of `live` when it is deleted.
    fn ending(&self, kind: &Kind, live: &Value, options: &DeleteOptions) -> Result<Value, Status> {
        check_preconditions(kind, live, options)?;
        let mut object = live.clone();
        apply_propagation(&mut object, options.propagation);
        self.mark(kind, &mut object, options.grace);
        Ok(object)
    }

    fn delete_in(
        &self,
        txn: &mut Txn<'_>,
        target: Target<'_>,
        options: &DeleteOptions,
    ) -> Result<Value, Status> {
        let kind = target.kind;
        let live = Self::live(txn, target)?;
        if kind.is("", "Namespace") && ["default", "kube-public", "kube-system"].contains(&target.name) {
            return Err(Status::refused(kind, target.name, "this namespace may not be deleted"));
        }
        let mut object = self.ending(kind, &live, options)?;
        if kind.table() == DEFINITIONS {
            admission::on_definition_delete(self, &live, &mut object);
        }
        if is_finished(kind, &object) {
            txn.delete(kind.table(), &target.key());
            return Ok(deleted(kind, target.name, meta::uid(&object)));
        }
        if object == live {
            return Ok(convert::from_storage(kind, live));
        }
        let stored = Self::put(txn, kind, &target.key(), object);
        Ok(convert::from_storage(kind, stored))
    }

    /// Sets the deletion time; a later request can only shorten the grace.
    fn mark(&self, kind: &Kind, object: &mut Value, wanted: Option<i64>) {
        let grace = grace(kind, object, wanted);
        let now = self.now();
        let already = meta::is_deleting(object);
        let before = object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
        if already && before.is_none_or(|before| before <= grace) {
            return;
        }
        let end = now.checked_add(jiff::SignedDuration::from_secs(grace)).unwrap_or(now);
        let count = !already && kind.generation;
        let metadata = meta::metadata(object);
        metadata.insert("deletionTimestamp".into(), meta::time(end).into());
        metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
        if count && let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
            metadata.insert("generation".into(), (generation + 1).into());
        }
        if kind.is("", "Namespace") {
            metadata.shift_remove("deletionGracePeriodSeconds");
            meta::child(object, "status").insert("phase".into(), "Terminating".into());
        }
    }
}

/// Only pods end with grace, and only those that a kubelet looks after.
fn grace(kind: &Kind, object: &Value, wanted: Option<i64>) -> i64 {
    if !kind.is("", "Pod") || meta::text(object, "/spec/nodeName").is_empty() {
        return 0;
    }
    if matches!(meta::text(object, "/status/phase"), "Succeeded" | "Failed") {
        return 0;
    }
    let own = object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    wanted.or(own).unwrap_or(30).max(0)
}

fn check_preconditions(kind: &Kind, live: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let name = meta::name(live);
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != meta::uid(live)) {
        let own = meta::uid(live);
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({own}). The object might have been deleted and then recreated"
        );
        return Err(failed_precondition(kind, name, &why));
    }
    let own = meta::text(live, "/metadata/resourceVersion");
    if let Some(version) = options.resource_version.as_deref().filter(|version| *version != own) {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({own}). The object might have been modified"
        );
        return Err(failed_precondition(kind, name, &why));
    }
    Ok(())
}

/// The real server names the kind, not the resource, here.
fn failed_precondition(kind: &Kind, name: &str, why: &str) -> Status {
    let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
    let mut details = serde_json::json!({"name": name, "kind": kind.kind});
    if !kind.group.is_empty() {
        details["group"] = kind.group.clone().into();
    }
    Status::new(409, "Conflict", message).with_details(details)
}

fn apply_propagation(object: &mut Value, propagation: Option<Propagation>) {
    match propagation {
        Some(Propagation::Foreground) => {
            meta::remove_finalizer(object, ORPHAN);
            meta::add_finalizer(object, FOREGROUND);
        }
        Some(Propagation::Orphan) => {
            meta::remove_finalizer(object, FOREGROUND);
            meta::add_finalizer(object, ORPHAN);
        }
        Some(Propagation::Background) => {
            meta::remove_finalizer(object, FOREGROUND);
            meta::remove_finalizer(object, ORPHAN);
        }
        None => {}
    }
}

impl Api {
    /// How many objects of a kind live in a namespace.
    #[must_use]
    pub fn count(&self, kind: &Kind, namespace: Option<&str>) -> usize {
        let prefix = prefix(kind, namespace);
        self.ledger().read(|view| view.scan(kind.table(), &prefix).count())
    }
}
