//! The entries of `metadata.managedFields`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Manager;
use super::fields::FieldSet;

/// Fields that nobody owns.
const UNOWNED: [&[&str]; 12] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// How many managers by update are told apart; the oldest beyond that are put together.
const MOST_UPDATERS: usize = 10;

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) applied: bool,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    pub(super) set: FieldSet,
}

impl Entry {
    pub(super) fn new(by: &Manager<'_>, applied: bool) -> Self {
        Self {
            manager: if by.name.is_empty() { "unknown".into() } else { by.name.to_owned() },
            applied,
            api_version: by.api_version.to_owned(),
            subresource: by.subresource.to_owned(),
            time: None,
            set: FieldSet::default(),
        }
    }

    /// Whether both are the same manager doing the same thing. An applier is known by name and subresource alone.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.applied == other.applied
            && self.subresource == other.subresource
            && (self.applied || self.api_version == other.api_version)
    }

    fn parse(value: &Value) -> Self {
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        Self {
            manager: text("manager"),
            applied: value["operation"] == "Apply",
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: value["time"].as_str().map(ToOwned::to_owned),
            set: FieldSet::parse(&value["fieldsV1"]),
        }
    }

    fn wire(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("manager".into(), json!(self.manager));
        entry.insert("operation".into(), json!(if self.applied { "Apply" } else { "Update" }));
        entry.insert("apiVersion".into(), json!(self.api_version));
        if let Some(time) = &self.time {
            entry.insert("time".into(), json!(time));
        }
        entry.insert("fieldsType".into(), json!("FieldsV1"));
        entry.insert("fieldsV1".into(), self.set.wire());
        if !self.subresource.is_empty() {
            entry.insert("subresource".into(), json!(self.subresource));
        }
        Value::Object(entry)
    }

    /// The manager as conflict messages name it.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applied {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }

    pub(super) fn strip_unowned(&mut self) {
        self.set = std::mem::take(&mut self.set).without(&UNOWNED);
    }
}

/// Time in the form of `managedFields`: seconds, UTC.
pub(super) fn stamp(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The entries of an object.
pub(super) fn read(object: &Value) -> Vec<Entry> {
    object["metadata"]["managedFields"].as_array().into_iter().flatten().map(Entry::parse).collect()
}

/// Writes the entries into an object: appliers first, then by time, as the real server orders them.
pub(super) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.set.is_empty());
    cap(&mut entries);
    entries.sort_by(|a, b| {
        b.applied
            .cmp(&a.applied)
            .then_with(|| a.time.cmp(&b.time))
            .then_with(|| a.manager.cmp(&b.manager))
            .then_with(|| a.api_version.cmp(&b.api_version))
            .then_with(|| a.subresource.cmp(&b.subresource))
    });
    let Some(object) = object.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    let Value::Object(metadata) = metadata else { return };
    if entries.is_empty() {
        metadata.shift_remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), entries.iter().map(Entry::wire).collect());
    }
}

/// Puts the oldest updaters of one version together under `ancient-changes` when there are too many.
fn cap(entries: &mut Vec<Entry>) {
    loop {
        let updaters = || entries.iter().enumerate().filter(|(_, entry)| !entry.applied);
        if updaters().count() <= MOST_UPDATERS {
            return;
        }
        let mut oldest: Vec<(usize, Option<String>)> =
            updaters().map(|(at, it)| (at, it.time.clone())).collect();
        oldest.sort_by(|a, b| a.1.cmp(&b.1));
        let Some((first, _)) = oldest.first().cloned() else { return };
        let version = entries[first].api_version.clone();
        let second = oldest.iter().skip(1).find(|(at, _)| entries[*at].api_version == version);
        let Some((second, _)) = second.cloned() else { return };
        let union = entries[first].set.union(&entries[second].set);
        let kept = &mut entries[second];
        kept.set = union;
        kept.manager = "ancient-changes".into();
        kept.subresource = String::new();
        entries.remove(first);
    }
}
