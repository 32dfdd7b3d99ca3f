//! What may differ, and why.

use std::path::Path;
use std::sync::Mutex;

use serde::Deserialize;

/// One excuse: for what matches both. `*` stands for any text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Matches the title of the test.
    test: String,
    /// Matches the difference.
    difference: String,
    /// Why that is so.
    reason: String,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    used: Mutex<Vec<bool>>,
}

/// Whether `pattern`, in which `*` stands for any text, covers all of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(piece) = last.replace(piece) {
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
    }
    last.map_or(rest.is_empty(), |piece| rest.ends_with(piece))
}

impl Table {
    /// The table in this file of the fixtures.
    pub(crate) fn read(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
        let entries: Vec<Entry> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert!(entries.iter().all(|entry| entry.reason.len() > 10), "a difference needs a reason");
        let used = Mutex::new(vec![false; entries.len()]);
        Self { entries, used }
    }

    /// Whether a difference is listed.
    pub(crate) fn excuses(&self, test: &str, difference: &str) -> bool {
        let found = self
            .entries
            .iter()
            .position(|one| matches(&one.test, test) && matches(&one.difference, difference));
        if let Some(index) = found {
            self.used.lock().unwrap()[index] = true;
        }
        found.is_some()
    }

    /// Entries that excused nothing.
    pub(crate) fn idle(&self) -> Vec<String> {
        let used = self.used.lock().unwrap();
        let idle = self.entries.iter().zip(used.iter()).filter(|(_, used)| !**used);
        idle.map(|(entry, _)| format!("{} | {}", entry.test, entry.difference)).collect()
    }
}
