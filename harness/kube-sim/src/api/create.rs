//! Create.

use serde_json::Value;
use sim_core::ledger::Txn;

use super::update::Ownership;
use super::{Api, Caller, WriteOptions, admission, convert, meta, seams};
use crate::admission as plugins;
use crate::registry::{Kind, Sub};
use crate::status::{Cause, Status};

/// How often a generated name is drawn again when it is taken.
const NAME_TRIES: usize = 8;

/// Kinds whose creator may write `status` too (the real server's create strategies leave it alone).
const STATUS_AT_CREATION: [&str; 3] = ["Node", "APIService", "FlowSchema"];

impl Api {
    /// Stores a new object: metadata, defaults, admission, validation, field ownership.
    ///
    /// # Errors
    /// 400 for a body that does not fit the path, 403 from admission, 404 for a missing namespace, 409 when the name
    /// is taken, 422 for wrong fields.
    pub fn create(
        &self,
        caller: &Caller,
        kind: &Kind,
        namespace: Option<&str>,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Value, Status> {
        if !kind.stored {
            return Err(Status::method_not_allowed());
        }
        let created = self.transact(kind, options.dry_run, |txn| {
            self.create_in(txn, caller, kind, namespace, object, Ownership::Track)
        })?;
        Ok(if options.dry_run { self.shown_dry(kind, namespace, created) } else { created })
    }

    pub(super) fn create_in(
        &self,
        txn: &mut Txn<'_>,
        caller: &Caller,
        kind: &Kind,
        namespace: Option<&str>,
        mut object: Value,
        ownership: Ownership,
    ) -> Result<Value, Status> {
        fit_to_path(kind, namespace, &mut object)?;
        self.decode_sent(kind, &mut object)?;
        if ownership == Ownership::Track && !meta::text(&object, "/metadata/resourceVersion").is_empty() {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Status::new(500, "", message));
        }
        convert::to_storage(kind, &mut object);
        self.drop_status(kind, &mut object);
        seams::complete(kind, &mut object);
        if ownership == Ownership::Track {
            // What admission adds belongs to nobody.
            for field in ["managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"] {
                meta::metadata(&mut object).shift_remove(field);
            }
            self.own(kind, Sub::Main, &caller.manager, None, &mut object);
        }
        let key = self.choose_name(txn, kind, namespace, &mut object)?;
        admission::namespace_open(txn, kind, namespace, meta::name(&object))?;
        self.stamp_new(kind, &mut object);
        admission::on_create(self, txn, kind, &mut object)?;
        plugins::complete(txn, kind, &mut object);
        self.check(kind, &object, None)?;
        plugins::check(txn, caller, kind, None, &object)?;
        if Self::stored(txn, kind, &key).is_some() {
            return Err(Status::already_exists(kind, meta::name(&object)));
        }
        let stored = Self::put(txn, kind, &key, object);
        Ok(convert::from_storage(kind, stored))
    }

    fn choose_name(
        &self,
        txn: &Txn<'_>,
        kind: &Kind,
        namespace: Option<&str>,
        object: &mut Value,
    ) -> Result<String, Status> {
        let prefix = meta::text(object, "/metadata/generateName").to_owned();
        if meta::name(object).is_empty() && !prefix.is_empty() {
            // The real server cuts the prefix so that five letters fit into 63.
            let prefix: String = prefix.chars().take(58).collect();
            for _ in 0..NAME_TRIES {
                let name = format!("{prefix}{}", self.name_suffix(&prefix));
                let free = Self::stored(txn, kind, &kind.key(namespace, &name)).is_none();
                meta::metadata(object).insert("name".into(), name.into());
                if free {
                    break;
                }
            }
        }
        Ok(kind.key(namespace, meta::name(object)))
    }

    fn stamp_new(&self, kind: &Kind, object: &mut Value) {
        let metadata = meta::metadata(object);
        for field in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            metadata.shift_remove(field);
        }
        metadata.insert("uid".into(), self.0.uids.uuid().to_string().into());
        metadata.insert("creationTimestamp".into(), meta::time(self.now()).into());
        if kind.generation {
            metadata.insert("generation".into(), 1.into());
        }
    }

    /// What a creator says of the status is dropped.
    fn drop_status(&self, kind: &Kind, object: &mut Value) {
        if drops_status(kind) && meta::as_map(object).shift_remove("status").is_some() {
            let form = self.form_of(kind, object);
            self.0.schemas.normalise(&form, object);
        }
    }
}

/// Whether what a creator says of the status is dropped.
fn drops_status(kind: &Kind) -> bool {
    kind.has(Sub::Status) && !STATUS_AT_CREATION.contains(&kind.kind.as_str())
}

/// Holds body and path against each other, and fills in what the body leaves to the path.
pub(super) fn fit_to_path(kind: &Kind, namespace: Option<&str>, object: &mut Value) -> Result<(), Status> {
    if !object.is_object() {
        return Err(Status::bad_request("the body of the request must be a JSON object"));
    }
    let (api_version, own) = (meta::text(object, "/apiVersion"), kind.api_version());
    let named = meta::text(object, "/kind");
    if (!api_version.is_empty() && api_version != own) || (!named.is_empty() && named != kind.kind) {
        let stated = if api_version.is_empty() { own.as_str() } else { api_version };
        let version = stated.rsplit('/').next().unwrap_or_default();
        let named = if named.is_empty() { kind.kind.as_str() } else { named };
        return Err(Status::bad_request(format!(
            "{named} in version \"{version}\" cannot be handled as a {}: no kind \"{named}\" is registered for version \"{stated}\" in scheme \"pkg/runtime/scheme.go:110\"",
            kind.kind
        )));
    }
    if object.get("metadata").is_some_and(|metadata| !metadata.is_object() && !metadata.is_null()) {
        // Of built-in kinds the decoder says so, in better words.
        return if kind.builtin { Ok(()) } else { Err(Status::bad_request("metadata must be an object")) };
    }
    let stated = meta::text(object, "/metadata/namespace").to_owned();
    match namespace {
        Some(namespace) if kind.namespaced => {
            if !stated.is_empty() && stated != namespace {
                return Err(Status::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            meta::metadata(object).insert("namespace".into(), namespace.into());
        }
        _ if kind.namespaced => {
            let cause = Cause::new("FieldValueRequired", "metadata.namespace", "Required value");
            return Err(Status::invalid(kind, meta::name(object), &[cause]));
        }
        _ if !stated.is_empty() => {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        _ => {
            meta::metadata(object).shift_remove("namespace");
        }
    }
    Ok(())
}
