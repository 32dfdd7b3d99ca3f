//! The API as one controller uses it: reads straight from the ledger, writes under its own name.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sim_core::clock::Clock;

use super::kinds::Kinds;
use super::objects::{join, split, uid};
use crate::api::{Api, Caller, DeleteOptions, Propagation, Sub, WriteOptions};
use crate::registry::Kind;
use crate::status::Status;

/// Access to the cluster for one controller. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    api: Api,
    caller: Caller,
    kinds: Arc<Kinds>,
}

impl Store {
    /// Access under the name of `controller`.
    pub(crate) fn new(api: Api, kinds: Arc<Kinds>, controller: &str) -> Self {
        Self { api, caller: Caller::controller(controller), kinds }
    }

    /// The same access under another name.
    pub(crate) fn named(&self, controller: &str) -> Self {
        Self::new(self.api.clone(), self.kinds.clone(), controller)
    }

    /// The API behind.
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// The kinds that controllers know.
    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The world's clock.
    pub(crate) fn clock(&self) -> &Clock {
        self.api.clock()
    }

    /// World time.
    pub(crate) fn now(&self) -> Timestamp {
        self.api.now()
    }

    /// An object, as stored.
    pub(crate) fn get(&self, kind: &Kind, key: &str) -> Option<Arc<Value>> {
        self.api.ledger().read(|view| view.get(kind.table(), key).map(|row| row.value.clone()))
    }

    /// The objects of a kind in a namespace (empty: in all), in key order.
    pub(crate) fn list(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Value>> {
        let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        self.api
            .ledger()
            .read(|view| view.scan(kind.table(), &prefix).map(|(_, row)| row.value.clone()).collect())
    }

    /// Creates an object in a namespace (empty: cluster-wide).
    pub(crate) fn create(&self, kind: &Kind, namespace: &str, object: Value) -> Result<Value, Status> {
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        self.api.create(&self.caller, kind, namespace, object, &WriteOptions::default())
    }

    /// Changes an object in one transaction; `change` says whether it changed anything.
    pub(crate) fn modify(
        &self,
        kind: &Kind,
        sub: Sub,
        key: &str,
        change: impl FnOnce(&mut Value) -> bool,
    ) -> Result<Value, Status> {
        let (namespace, name) = split(key);
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        self.api.modify(&self.caller, kind, sub, namespace, name, change)
    }

    /// Replaces the status of an object unless it is the same already.
    pub(crate) fn set_status(&self, kind: &Kind, key: &str, status: Value) -> Result<(), Status> {
        if self.get(kind, key).is_none_or(|object| object.get("status") == Some(&status)) {
            return Ok(());
        }
        self.modify(kind, Sub::Status, key, |object| {
            object["status"] = status;
            true
        })
        .map(drop)
    }

    /// Deletes exactly this object, gracefully if its kind does that.
    pub(crate) fn delete(&self, kind: &Kind, object: &Value) -> Result<(), Status> {
        self.delete_with(kind, object, DeleteOptions::default())
    }

    /// Deletes exactly this object at once.
    pub(crate) fn delete_now(&self, kind: &Kind, object: &Value) -> Result<(), Status> {
        self.delete_with(kind, object, DeleteOptions { grace: Some(0), ..DeleteOptions::default() })
    }

    /// Deletes exactly this object; what it owns goes as `propagation` says.
    pub(crate) fn delete_propagating(
        &self,
        kind: &Kind,
        object: &Value,
        propagation: Propagation,
    ) -> Result<(), Status> {
        let propagation = Some(propagation);
        self.delete_with(kind, object, DeleteOptions { propagation, ..DeleteOptions::default() })
    }

    fn delete_with(&self, kind: &Kind, object: &Value, options: DeleteOptions) -> Result<(), Status> {
        let key = super::objects::key(object);
        let (namespace, name) = split(&key);
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        let options = DeleteOptions { uid: Some(uid(object).to_owned()), ..options };
        match self.api.delete(&self.caller, kind, namespace, name, &options) {
            Ok(_) => Ok(()),
            // Somebody else was faster, or the name belongs to a new object.
            Err(status) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(status) => Err(status),
        }
    }
}

/// `{kind, namespace, name, uid, apiVersion, resourceVersion}` of an object, for events and bindings.
pub(crate) fn reference(kind: &Kind, object: &Value) -> Value {
    let mut reference = json!({"kind": kind.kind});
    let namespace = super::objects::namespace(object);
    if !namespace.is_empty() {
        reference["namespace"] = json!(namespace);
    }
    reference["name"] = json!(super::objects::name(object));
    reference["uid"] = json!(uid(object));
    reference["apiVersion"] = json!(kind.api_version());
    reference["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
    reference
}

/// The key of an event or another object beside `object`.
pub(crate) fn beside(object: &Value, name: &str) -> String {
    join(super::objects::namespace(object), name)
}
