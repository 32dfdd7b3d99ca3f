//! One revisioned store: transaction, change feed, compaction, serialisable snapshot.
//!
//! Rows are JSON values in named tables, ordered by key. Every committed transaction takes the next revision, whatever
//! tables it touches, so that readers of different tables can be compared. Nothing awaits under the lock. A
//! transaction that fails leaves no trace.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

/// A number that grows by one with every commit. 0 means "before the first commit".
pub type Revision = u64;

/// How many changes the feed keeps before it compacts itself.
const FEED_LIMIT: usize = 50_000;

/// A stored value with the revisions that made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The value as last written.
    pub value: Arc<Value>,
    /// The revision that created the row.
    pub created: Revision,
    /// The revision that last wrote it.
    pub modified: Revision,
}

/// One row's change within a commit.
#[derive(Debug, Clone)]
pub struct Change {
    /// The commit's revision.
    pub revision: Revision,
    /// The table.
    pub table: Arc<str>,
    /// The row's key.
    pub key: Arc<str>,
    /// What was there before, if anything.
    pub before: Option<Row>,
    /// What is there now; `None` means deleted.
    pub after: Option<Row>,
}

/// The requested revision is older than what the feed still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("revision {requested} is compacted; the oldest that can be watched from is {oldest}")]
pub struct Compacted {
    /// The revision that was asked for.
    pub requested: Revision,
    /// The oldest revision from which a feed can still be read.
    pub oldest: Revision,
}

/// The whole content of a ledger, for saving and loading.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of this form.
    pub format: u32,
    /// The ledger's revision.
    pub revision: Revision,
    /// Rows by table and key.
    pub tables: BTreeMap<String, BTreeMap<String, Row>>,
}

/// The form that [`Ledger::snapshot`] writes and [`Ledger::restore`] reads.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// A snapshot of another format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("snapshot format {found} cannot be read; this version reads {SNAPSHOT_FORMAT}")]
pub struct UnknownFormat {
    /// The format found.
    pub found: u32,
}

type Table = BTreeMap<Arc<str>, Row>;

#[derive(Debug, Default)]
struct State {
    revision: Revision,
    compacted: Revision,
    tables: BTreeMap<Arc<str>, Table>,
    feed: VecDeque<Change>,
}

/// The store. Cheap to clone; clones share the content.
#[derive(Debug, Clone)]
pub struct Ledger {
    state: Arc<Mutex<State>>,
    head: Arc<watch::Sender<Revision>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { state: Arc::default(), head: Arc::new(watch::Sender::new(0)) }
    }
}

impl Ledger {
    /// An empty ledger at revision 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a consistent view. Do not block in `read`.
    pub fn read<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        read(&View { state: &self.lock() })
    }

    /// Runs one transaction. `Ok` commits everything that was written at one revision; `Err` undoes it. A transaction
    /// that writes nothing takes no revision.
    ///
    /// # Errors
    /// Whatever `write` returns.
    pub fn write<T, E>(&self, write: impl FnOnce(&mut Txn<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.lock();
        let mut txn = Txn { revision: state.revision + 1, state: &mut state, changes: Vec::new() };
        match write(&mut txn) {
            Ok(value) => {
                let changes = std::mem::take(&mut txn.changes);
                drop(txn);
                if !changes.is_empty() {
                    state.revision += 1;
                    state.feed.extend(changes);
                    let excess = state.feed.len().saturating_sub(FEED_LIMIT);
                    if excess > 0 {
                        state.compact_front(excess);
                    }
                    let revision = state.revision;
                    drop(state);
                    self.head.send_replace(revision);
                }
                Ok(value)
            }
            Err(error) => {
                txn.undo();
                Err(error)
            }
        }
    }

    /// The latest committed revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.lock().revision
    }

    /// Changes of `table` under `prefix` that come after `from`.
    ///
    /// # Errors
    /// [`Compacted`] when the feed no longer reaches back to `from`.
    pub fn watch(&self, table: &str, prefix: &str, from: Revision) -> Result<Watch, Compacted> {
        self.lock().check_feed(from)?;
        Ok(Watch {
            ledger: self.clone(),
            head: self.head.subscribe(),
            table: Some(table.into()),
            prefix: prefix.into(),
            seen: from,
        })
    }

    /// Changes of every table that come after `from`.
    ///
    /// # Errors
    /// [`Compacted`] when the feed no longer reaches back to `from`.
    pub fn watch_all(&self, from: Revision) -> Result<Watch, Compacted> {
        self.lock().check_feed(from)?;
        let head = self.head.subscribe();
        Ok(Watch { ledger: self.clone(), head, table: None, prefix: "".into(), seen: from })
    }

    /// Forgets changes up to and including `revision`; the rows stay.
    pub fn compact(&self, revision: Revision) {
        let mut state = self.lock();
        let count = state.feed.partition_point(|change| change.revision <= revision);
        state.compact_front(count);
    }

    /// Everything that is stored. The change feed is not part of it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let rows = |table: &Table| table.iter().map(|(k, row)| (k.to_string(), row.clone())).collect();
        let tables = state.tables.iter().map(|(name, table)| (name.to_string(), rows(table))).collect();
        Snapshot { format: SNAPSHOT_FORMAT, revision: state.revision, tables }
    }

    /// Replaces the content by a snapshot. Revisions only grow, so that a watcher from before sees itself compacted.
    ///
    /// # Errors
    /// [`UnknownFormat`] for a snapshot of another format; nothing is changed then.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), UnknownFormat> {
        if snapshot.format != SNAPSHOT_FORMAT {
            return Err(UnknownFormat { found: snapshot.format });
        }
        let mut state = self.lock();
        let revision = state.revision.max(snapshot.revision) + 1;
        let rows = |table: &BTreeMap<String, Row>| {
            table.iter().map(|(key, row)| (Arc::from(key.as_str()), row.clone())).collect::<Table>()
        };
        state.tables =
            snapshot.tables.iter().map(|(name, table)| (Arc::from(name.as_str()), rows(table))).collect();
        state.feed.clear();
        state.revision = revision;
        state.compacted = revision;
        drop(state);
        self.head.send_replace(revision);
        Ok(())
    }
}

impl State {
    fn compact_front(&mut self, count: usize) {
        let last = self.feed.drain(..count.min(self.feed.len())).next_back();
        if let Some(last) = last {
            // A commit is forgotten whole: half of it would look like the whole to a watcher.
            self.compacted = last.revision;
            while self.feed.front().is_some_and(|change| change.revision == last.revision) {
                self.feed.pop_front();
            }
        }
    }

    fn check_feed(&self, from: Revision) -> Result<(), Compacted> {
        if from < self.compacted {
            return Err(Compacted { requested: from, oldest: self.compacted });
        }
        Ok(())
    }

    fn get(&self, table: &str, key: &str) -> Option<&Row> {
        self.tables.get(table)?.get(key)
    }

    fn scan<'a>(
        &'a self,
        table: &str,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a Row)> {
        let start = match after {
            Some(key) if key >= prefix => Bound::Excluded(key),
            _ => Bound::Included(prefix),
        };
        self.tables
            .get(table)
            .into_iter()
            .flat_map(move |rows| rows.range::<str, _>((start, Bound::Unbounded)))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, row)| (key.as_ref(), row))
    }
}

/// A consistent view of the ledger, held for the duration of one read.
#[derive(Debug)]
pub struct View<'a> {
    state: &'a State,
}

impl View<'_> {
    /// The latest committed revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.state.revision
    }

    /// The row at `key`.
    #[must_use]
    pub fn get(&self, table: &str, key: &str) -> Option<&Row> {
        self.state.get(table, key)
    }

    /// Rows whose key starts with `prefix`, in key order.
    pub fn scan<'a>(&'a self, table: &str, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Row)> {
        self.state.scan(table, prefix, None)
    }

    /// As [`View::scan`], starting behind the key `after`: the way to page.
    pub fn scan_after<'a>(
        &'a self,
        table: &str,
        prefix: &'a str,
        after: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Row)> {
        self.state.scan(table, prefix, Some(after))
    }
}

/// A transaction in progress. It sees its own writes.
#[derive(Debug)]
pub struct Txn<'a> {
    state: &'a mut State,
    revision: Revision,
    changes: Vec<Change>,
}

impl Txn<'_> {
    /// The revision that this transaction's writes will carry.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The row at `key`.
    #[must_use]
    pub fn get(&self, table: &str, key: &str) -> Option<&Row> {
        self.state.get(table, key)
    }

    /// Rows whose key starts with `prefix`, in key order.
    pub fn scan<'a>(&'a self, table: &str, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Row)> {
        self.state.scan(table, prefix, None)
    }

    /// Writes a row, creating it when absent.
    pub fn put(&mut self, table: &str, key: &str, value: Value) {
        let before = self.get(table, key).cloned();
        let created = before.as_ref().map_or(self.revision, |row| row.created);
        let after = Row { value: Arc::new(value), created, modified: self.revision };
        self.apply(table, key, before, Some(after));
    }

    /// Removes a row and returns it. Nothing happens when it is absent.
    pub fn delete(&mut self, table: &str, key: &str) -> Option<Row> {
        let before = self.get(table, key).cloned()?;
        self.apply(table, key, Some(before.clone()), None);
        Some(before)
    }

    fn apply(&mut self, table: &str, key: &str, before: Option<Row>, after: Option<Row>) {
        let table: Arc<str> = table.into();
        let key: Arc<str> = key.into();
        self.store(&table, &key, after.clone());
        self.changes.push(Change { revision: self.revision, table, key, before, after });
    }

    fn store(&mut self, table: &Arc<str>, key: &Arc<str>, row: Option<Row>) {
        match row {
            Some(row) => {
                self.state.tables.entry(table.clone()).or_default().insert(key.clone(), row);
            }
            None => {
                if let Some(rows) = self.state.tables.get_mut(table) {
                    rows.remove(key);
                }
            }
        }
    }

    fn undo(mut self) {
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            self.store(&change.table, &change.key, change.before);
        }
    }
}

/// A reader of the change feed that misses nothing.
#[derive(Debug)]
pub struct Watch {
    ledger: Ledger,
    head: watch::Receiver<Revision>,
    table: Option<Arc<str>>,
    prefix: Arc<str>,
    seen: Revision,
}

impl Watch {
    /// The revision up to which everything has been delivered: what a bookmark says.
    #[must_use]
    pub fn seen(&self) -> Revision {
        self.seen
    }

    /// What has been committed since the last call; empty when nothing was.
    ///
    /// # Errors
    /// [`Compacted`] when this watcher fell behind the feed.
    pub fn take(&mut self) -> Result<Vec<Change>, Compacted> {
        self.take_up_to(usize::MAX)
    }

    /// As [`Watch::take`], but stops behind the commit that brings the number of changes to `most`.
    fn take_up_to(&mut self, most: usize) -> Result<Vec<Change>, Compacted> {
        let state = self.ledger.lock();
        state.check_feed(self.seen)?;
        let start = state.feed.partition_point(|change| change.revision <= self.seen);
        let wanted = |change: &&Change| {
            self.table.as_ref().is_none_or(|table| change.table == *table)
                && change.key.starts_with(&*self.prefix)
        };
        let mut changes: Vec<Change> = Vec::new();
        for change in state.feed.range(start..).filter(wanted) {
            if changes.len() >= most && changes.last().is_some_and(|last| last.revision < change.revision) {
                self.seen = change.revision - 1;
                return Ok(changes);
            }
            changes.push(change.clone());
        }
        self.seen = state.revision;
        Ok(changes)
    }

    /// Waits until something matching is committed and returns it, in order, never empty. Cancelling loses nothing.
    ///
    /// # Errors
    /// [`Compacted`] when this watcher fell behind the feed.
    pub async fn next(&mut self) -> Result<Vec<Change>, Compacted> {
        self.next_up_to(usize::MAX).await
    }

    /// As [`Watch::next`], but returns at most about `most` changes, so that a reader that lags holds little: whole commits, as
    /// many as it takes to reach that number.
    ///
    /// # Errors
    /// [`Compacted`] when this watcher fell behind the feed.
    pub async fn next_up_to(&mut self, most: usize) -> Result<Vec<Change>, Compacted> {
        loop {
            self.head.borrow_and_update();
            let changes = self.take_up_to(most)?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            // The sender lives in the ledger that this watch holds.
            let _ = self.head.changed().await;
        }
    }
}

#[cfg(test)]
mod tests;
