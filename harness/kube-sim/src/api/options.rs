//! What may be asked for beside the object.

use std::sync::Arc;

use serde_json::Value;

use super::selector::{FieldSelector, LabelSelector};

/// Which objects a list wants. The default wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// By labels.
    pub labels: LabelSelector,
    /// By fields.
    pub fields: FieldSelector,
    /// At most so many; 0 means all.
    pub limit: usize,
    /// The `continue` of the page before.
    pub resume: Option<String>,
    /// As they were at this revision; none for the present.
    pub at: Option<u64>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The objects, in key order.
    pub items: Vec<Value>,
    /// The revision that the list shows: what to watch from.
    pub revision: u64,
    /// What asks for the next page, if there is one.
    pub resume: Option<String>,
    /// How many follow, if known.
    pub remaining: Option<u64>,
}

/// One page of a list, as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// The objects, in key order and in storage form.
    pub(crate) items: Vec<Arc<Value>>,
    /// See [`Listed`].
    pub(crate) revision: u64,
    /// See [`Listed`].
    pub(crate) resume: Option<String>,
    /// See [`Listed`].
    pub(crate) remaining: Option<u64>,
}

/// How to write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Do everything but commit.
    pub dry_run: bool,
}

/// How to patch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PatchOptions {
    /// Do everything but commit.
    pub dry_run: bool,
    /// Take over fields that others own (apply only).
    pub force: bool,
}

/// A change to an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7396.
    Merge(Value),
    /// Strategic merge; built-in kinds only.
    Strategic(Value),
    /// Server-side apply.
    Apply(Value),
}

/// What becomes of dependents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Do everything but commit.
    pub dry_run: bool,
    /// Seconds between asking and ending, for pods; `None`: what the object says.
    pub grace: Option<i64>,
    /// What becomes of dependents; `None`: the kind's default, background.
    pub propagation: Option<Propagation>,
    /// Only if the object still has this uid.
    pub uid: Option<String>,
    /// Only if the object is still at this resource version.
    pub resource_version: Option<String>,
}

impl DeleteOptions {
    /// At once: how the kubelet ends a pod for good.
    #[must_use]
    pub fn now() -> Self {
        Self { grace: Some(0), ..Self::default() }
    }
}
