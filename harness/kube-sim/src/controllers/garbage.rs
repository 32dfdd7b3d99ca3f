//! The garbage collector: what becomes of objects whose owners go.
//!
//! An object all of whose owners are gone is deleted. Deleting in the foreground waits for dependents that block their
//! owner; orphaning takes the owner's references out of its dependents first. An owner of a kind that is not served
//! counts as present. Not modelled: owners in other namespaces (they count as absent, as they are invalid).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::manager::{Controller, Next};
use super::objects::{deleting, list, namespace, set, text, uid};
use super::store::Store;
use crate::api::{Propagation, Sub};
use crate::registry::Kind;
use crate::status::Status;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Splits table and key in this controller's own keys; neither contains it.
const SEPARATOR: char = '|';

/// Ledger table and key of an object.
type Place = (Arc<str>, Arc<str>);

/// The garbage collector.
#[derive(Debug)]
pub(crate) struct Garbage {
    store: Store,
    /// By the owner's uid: table and key of its dependents, some of which may be gone.
    dependents: BTreeMap<String, BTreeSet<Place>>,
}

/// What an owner reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Present,
    Absent,
    /// It waits until its dependents are gone.
    Waiting,
}

fn own_key(table: &str, key: &str) -> String {
    format!("{table}{SEPARATOR}{key}")
}

fn owners(object: &Value) -> &[Value] {
    list(object, "/metadata/ownerReferences")
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    list(object, "/metadata/finalizers").iter().any(|one| one == finalizer)
}

impl Garbage {
    /// A collector over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.named("generic-garbage-collector"), dependents: BTreeMap::new() }
    }

    fn kind_of(&self, table: &str) -> Option<Arc<Kind>> {
        let (group, plural) = table.split_once('/')?;
        let group = if group == "core" { "" } else { group };
        self.store.api().registry().by_plural(group, plural)
    }

    /// The kind and key of an owner as `object` refers to it; `None` when its kind is not served.
    fn locate(&self, object: &Value, owner: &Value) -> Option<(Arc<Kind>, String)> {
        let api_version = text(owner, "/apiVersion");
        let (group, _) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = self.store.api().registry().by_kind(group, text(owner, "/kind"))?;
        let space = Some(namespace(object)).filter(|space| !space.is_empty());
        let key = kind.key(space, text(owner, "/name"));
        Some((kind, key))
    }

    fn look_up(&self, object: &Value, owner: &Value) -> Owner {
        let Some((kind, key)) = self.locate(object, owner) else { return Owner::Present };
        match self.store.get(&kind, &key) {
            Some(found) if uid(&found) == text(owner, "/uid") => {
                if deleting(&found) && has_finalizer(&found, FOREGROUND) {
                    Owner::Waiting
                } else {
                    Owner::Present
                }
            }
            _ => Owner::Absent,
        }
    }

    /// The objects that refer to `owner`, with their kinds.
    fn dependents_of(&self, owner: &str) -> Vec<(Arc<Kind>, String, Arc<Value>)> {
        let known = self.dependents.get(owner).into_iter().flatten();
        known
            .filter_map(|(table, key)| {
                let kind = self.kind_of(table)?;
                let object = self.store.get(&kind, key)?;
                let refers = owners(&object).iter().any(|one| text(one, "/uid") == owner);
                refers.then(|| (kind, key.to_string(), object))
            })
            .collect()
    }

    fn drop_references(&self, kind: &Kind, key: &str, gone: &[String]) -> Result<(), Status> {
        let written = self.store.modify(kind, Sub::Main, key, |object| {
            let kept = owners(object).iter().filter(|one| !gone.iter().any(|uid| text(one, "/uid") == uid));
            let kept: Vec<_> = kept.cloned().collect();
            let changed = kept.len() != owners(object).len();
            set(object, &["metadata", "ownerReferences"], json!(kept));
            changed
        });
        match written {
            Err(status) if !status.is_not_found() => Err(status),
            _ => Ok(()),
        }
    }

    fn remove_finalizer(&self, kind: &Kind, key: &str, finalizer: &str) -> Result<(), Status> {
        let written = self
            .store
            .modify(kind, Sub::Main, key, |object| crate::api::meta::remove_finalizer(object, finalizer));
        match written {
            Err(status) if !status.is_not_found() => Err(status),
            _ => Ok(()),
        }
    }

    /// Goes on with the deletion of an object that waits for the collector.
    fn finish(&self, kind: &Kind, key: &str, object: &Value) -> Result<(), Status> {
        let own = uid(object).to_owned();
        if has_finalizer(object, ORPHAN) {
            for (kind, key, _) in self.dependents_of(&own) {
                self.drop_references(&kind, &key, std::slice::from_ref(&own))?;
            }
            self.remove_finalizer(kind, key, ORPHAN)?;
        }
        if has_finalizer(object, FOREGROUND) {
            let blocking = self.dependents_of(&own).into_iter().any(|(_, _, dependent)| {
                owners(&dependent)
                    .iter()
                    .any(|one| text(one, "/uid") == own && one["blockOwnerDeletion"] == json!(true))
            });
            if !blocking {
                self.remove_finalizer(kind, key, FOREGROUND)?;
            }
        }
        Ok(())
    }

    fn collect(&self, kind: &Kind, key: &str, object: &Value) -> Result<(), Status> {
        let looked_up: Vec<_> = owners(object)
            .iter()
            .map(|owner| (text(owner, "/uid").to_owned(), self.look_up(object, owner)))
            .collect();
        let of = |wanted: Owner| looked_up.iter().any(|(_, found)| *found == wanted);
        if looked_up.is_empty() || !(of(Owner::Absent) || of(Owner::Waiting)) {
            return Ok(());
        }
        if of(Owner::Present) {
            let gone: Vec<_> = looked_up
                .iter()
                .filter(|(_, found)| *found != Owner::Present)
                .map(|(uid, _)| uid.clone())
                .collect();
            return self.drop_references(kind, key, &gone);
        }
        if deleting(object) {
            return Ok(());
        }
        let has_dependents = !self.dependents_of(uid(object)).is_empty();
        let propagation = match () {
            () if of(Owner::Waiting) && has_dependents => Propagation::Foreground,
            () if has_finalizer(object, ORPHAN) => Propagation::Orphan,
            () if has_finalizer(object, FOREGROUND) => Propagation::Foreground,
            () => Propagation::Background,
        };
        self.store.delete_propagating(kind, object, propagation)
    }
}

impl Controller for Garbage {
    fn name(&self) -> &'static str {
        "garbage"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let place = (change.table.clone(), change.key.clone());
        if let Some(row) = &change.before {
            for owner in owners(&row.value) {
                if change.after.is_none()
                    && let Some(known) = self.dependents.get_mut(text(owner, "/uid"))
                {
                    known.remove(&place);
                    if known.is_empty() {
                        self.dependents.remove(text(owner, "/uid"));
                    }
                }
                // An owner that waits for its dependents may be done now.
                if let Some((kind, key)) = self.locate(&row.value, owner) {
                    keys.push(own_key(kind.table(), &key));
                }
            }
        }
        match &change.after {
            Some(row) => {
                for owner in owners(&row.value) {
                    self.dependents.entry(text(owner, "/uid").to_owned()).or_default().insert(place.clone());
                }
                let owned = !owners(&row.value).is_empty();
                let waits = deleting(&row.value)
                    && (has_finalizer(&row.value, FOREGROUND) || has_finalizer(&row.value, ORPHAN));
                if owned || waits {
                    keys.push(own_key(&change.table, &change.key));
                }
                if waits {
                    let known = self.dependents.get(uid(&row.value)).into_iter().flatten();
                    keys.extend(known.map(|(table, key)| own_key(table, key)));
                }
            }
            None => {
                let gone = change.before.as_ref().map_or("", |row| uid(&row.value));
                let known = self.dependents.get(gone).into_iter().flatten();
                keys.extend(known.map(|(table, key)| own_key(table, key)));
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let Some((table, key)) = at.split_once(SEPARATOR) else { return Ok(Next::Done) };
        let Some(kind) = self.kind_of(table) else { return Ok(Next::Done) };
        let Some(object) = self.store.get(&kind, key) else { return Ok(Next::Done) };
        if deleting(&object) {
            self.finish(&kind, key, &object)?;
        }
        self.collect(&kind, key, &object)?;
        Ok(Next::Done)
    }
}
