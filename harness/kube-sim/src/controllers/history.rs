//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, which `kubectl rollout history` and `undo`
//! read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::deployment::template_hash;
use super::objects::{
    canonical, controlled_by, deleting, join, key, list, name, namespace, number, owner_reference, set,
};
use super::store::Store;
use crate::api::Sub;
use crate::registry::Kind;
use crate::status::Status;

/// The label of revisions with the hash of their template.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The revisions of one owner, oldest first.
#[derive(Debug)]
pub(super) struct History {
    revisions: Vec<Arc<Value>>,
}

/// The template as a revision holds it: a patch that puts it back.
fn data(owner: &Value) -> Value {
    let mut template = owner["spec"]["template"].clone();
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}

/// The number of a revision.
fn number_of(revision: &Value) -> i64 {
    number(revision, "/revision").unwrap_or_default()
}

impl History {
    /// The revisions of `owner`, with one for its present template, which is the newest then.
    pub(super) fn of(store: &Store, kind: &Kind, owner: &Value) -> Result<Self, Status> {
        let revisions = store.kinds().controller_revisions.clone();
        let mut own = store.list(&revisions, namespace(owner));
        own.retain(|revision| controlled_by(revision, owner) && !deleting(revision));
        own.sort_by_key(|revision| (number_of(revision), name(revision).to_owned()));
        let wanted = canonical(&data(owner));
        let next = own.last().map_or(0, |last| number_of(last)) + 1;
        match own.iter().position(|revision| canonical(&revision["data"]) == wanted) {
            Some(at) if at + 1 == own.len() => {}
            Some(at) => {
                // A template that was left comes back: its revision becomes the newest.
                let revision = own.remove(at);
                let renewed = store.modify(&revisions, Sub::Main, &key(&revision), |revision| {
                    revision["revision"] = json!(next);
                    true
                })?;
                own.push(Arc::new(renewed));
            }
            None => own.push(Arc::new(create(store, kind, owner, next)?)),
        }
        Ok(Self { revisions: own })
    }

    /// The name of the revision of the present template.
    pub(super) fn newest(&self) -> &str {
        self.revisions.last().map_or("", |revision| name(revision))
    }

    /// The hash of the present template.
    pub(super) fn hash(&self) -> &str {
        let newest = self.revisions.last();
        newest.and_then(|revision| super::objects::label(revision, HASH_LABEL)).unwrap_or_default()
    }

    /// The template of a revision.
    pub(super) fn template(&self, revision: &str) -> Option<Value> {
        let found = self.revisions.iter().find(|one| name(one) == revision)?;
        let mut template = found.pointer("/data/spec/template")?.clone();
        if let Some(map) = template.as_object_mut() {
            map.shift_remove("$patch");
        }
        Some(template)
    }

    /// Deletes the oldest revisions beyond the owner's limit that `used` does not name, by hash or name.
    pub(super) fn truncate(&self, store: &Store, owner: &Value, used: &[&str]) -> Result<(), Status> {
        let limit = number(owner, "/spec/revisionHistoryLimit").unwrap_or(10);
        let limit = usize::try_from(limit).unwrap_or_default();
        let of = |revision: &Value| {
            let hash = super::objects::label(revision, HASH_LABEL).unwrap_or_default().to_owned();
            (name(revision).to_owned(), hash)
        };
        let idle: Vec<_> = self.revisions.iter().rev().skip(1).rev().collect();
        let idle = idle.into_iter().filter(|revision| {
            let (name, hash) = of(revision);
            !used.contains(&name.as_str()) && !used.contains(&hash.as_str())
        });
        let idle: Vec<_> = idle.collect();
        for revision in idle.iter().take(idle.len().saturating_sub(limit)) {
            store.delete(&store.kinds().controller_revisions.clone(), revision)?;
        }
        Ok(())
    }
}

fn create(store: &Store, kind: &Kind, owner: &Value, revision: i64) -> Result<Value, Status> {
    let revisions = store.kinds().controller_revisions.clone();
    let mut collisions = 0;
    let hash = loop {
        let hash = template_hash(&owner["spec"]["template"], collisions);
        if store.get(&revisions, &join(namespace(owner), &format!("{}-{hash}", name(owner)))).is_none() {
            break hash;
        }
        collisions += 1;
    };
    let mut made = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {"name": format!("{}-{hash}", name(owner)), "namespace": namespace(owner),
            "ownerReferences": [owner_reference(kind, owner)]},
        "data": data(owner), "revision": revision,
    });
    let labels = owner.pointer("/spec/template/metadata/labels").cloned();
    made["metadata"]["labels"] = labels.filter(Value::is_object).unwrap_or_else(|| json!({}));
    set(&mut made, &["metadata", "labels", HASH_LABEL], json!(hash));
    if let Some(annotations) = owner.pointer("/metadata/annotations").filter(|map| map.is_object()) {
        made["metadata"]["annotations"] = annotations.clone();
        if let Some(map) = made.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            map.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    store.create(&revisions, namespace(owner), made)
}

/// Whether a pod mounts a claim of this name.
pub(super) fn uses_claim(pod: &Value, claim: &str) -> bool {
    list(pod, "/spec/volumes")
        .iter()
        .any(|volume| volume["persistentVolumeClaim"]["claimName"] == json!(claim))
}
