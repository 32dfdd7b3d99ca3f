//! What resources look like on the wire, kept while it holds, because clients that wait ask for the same one again and again.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use jiff::Timestamp;
use serde_json::Value;
use sim_core::ledger::Row;

/// How many are kept. All are forgotten when there are more, which bounds the memory and costs each one reading.
const MOST: usize = 4096;

/// Wire forms by the key of their resource: the one that was asked for last.
#[derive(Debug, Default)]
pub struct Rendered(DashMap<String, Kept>);

#[derive(Debug)]
struct Kept {
    /// The stored value that it was made of. Holding it makes sure that no other value has its place.
    made_of: Arc<Value>,
    version: String,
    holds: Range<Timestamp>,
    body: Bytes,
}

impl Rendered {
    /// What `row`, which is at `key`, looks like at `now` in the form of `version`, if that is known.
    #[must_use]
    pub fn get(&self, key: &str, row: &Row, version: &str, now: Timestamp) -> Option<Bytes> {
        let kept = self.0.get(key)?;
        let same = Arc::ptr_eq(&kept.made_of, &row.value) && kept.version == version;
        (same && kept.holds.contains(&now)).then(|| kept.body.clone())
    }

    /// Keeps what `row` looks like within the span `holds` of world time.
    pub fn keep(&self, key: &str, row: &Row, version: &str, holds: Range<Timestamp>, body: Bytes) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let kept = Kept { made_of: row.value.clone(), version: version.into(), holds, body };
        self.0.insert(key.into(), kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_form_holds_for_its_row_its_version_and_its_span_only() {
        let row = Row { value: Arc::new(json!(1)), created: 1, modified: 1 };
        let rendered = Rendered::default();
        rendered.keep("k", &row, "v1", at(5)..at(9), Bytes::from_static(b"body"));
        assert_eq!(rendered.get("k", &row, "v1", at(8)).unwrap(), "body");
        assert!(rendered.get("k", &row, "v1", at(9)).is_none());
        assert!(rendered.get("k", &row, "v1", at(4)).is_none());
        assert!(rendered.get("k", &row, "v2", at(8)).is_none());
        let equal = Row { value: Arc::new(json!(1)), created: 1, modified: 1 };
        assert!(rendered.get("k", &equal, "v1", at(8)).is_none());
    }

    #[test]
    fn no_more_are_kept_than_is_said() {
        let row = Row { value: Arc::new(json!(1)), created: 1, modified: 1 };
        let rendered = Rendered::default();
        for number in 0..=MOST {
            rendered.keep(&number.to_string(), &row, "v", at(0)..at(1), Bytes::new());
        }
        assert!(rendered.0.len() <= MOST);
    }
}
