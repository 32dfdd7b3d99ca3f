//! Long-running operations as rows.
//!
//! [`begin`] writes an operation and its moment; whoever drives the clock asks [`due`] and ends it with [`finish`].
//! Nothing here is a closure or a task, so that a snapshot is complete and an operation can be hurried, failed or
//! cancelled from outside.

pub mod control;
#[cfg(test)]
mod law_tests;
pub mod operation;

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use sim_core::clock::later;
use sim_core::ledger::Txn;

pub use operation::{Document, Draft, Form, Operation, State};

use crate::profile::Fate;
use crate::store::{DUE, ENDED, OPERATIONS, Rows, etag};

/// Begins an operation: it comes due after the draft's span, unless its fate is to hang.
pub fn begin(txn: &mut Txn<'_>, draft: Draft, now: Timestamp) -> Operation {
    let (span, fate) = (draft.span, draft.fate);
    let mut operation = Operation::new(draft, now);
    if fate == Fate::Hang {
        park(txn, &mut operation);
    } else {
        schedule(txn, &mut operation, later(now, span));
    }
    operation
}

/// Forgets operations that ended more than `retention` ago, a few at a time, so that no write pays for many.
pub fn forget(txn: &mut Txn<'_>, now: Timestamp, retention: Duration) {
    let end = due_key(now, "\u{10ffff}");
    let candidates: Vec<(String, String)> = txn
        .rows(ENDED, "")
        .take_while(|(key, _)| *key <= end.as_str())
        .filter_map(|(key, row)| Some((key.to_owned(), row.value.as_str()?.to_owned())))
        .take(4)
        .collect();
    for (key, id) in candidates {
        match get(txn, &id) {
            Some(operation) if !operation.is_forgotten(now, retention) => break,
            Some(operation) if operation.is_running() => {}
            _ => {
                txn.delete(OPERATIONS, &id);
            }
        }
        txn.delete(ENDED, &key);
    }
}

/// Sets the moment at which a running operation comes due, and writes it.
pub fn schedule(txn: &mut Txn<'_>, operation: &mut Operation, at: Timestamp) {
    unschedule(txn, operation);
    operation.due = Some(at);
    txn.put(DUE, &due_key(at, &operation.id), json!(operation.id));
    store(txn, operation);
}

/// Takes a running operation off the list of due work: it stays as it is until somebody ends it.
pub fn park(txn: &mut Txn<'_>, operation: &mut Operation) {
    unschedule(txn, operation);
    store(txn, operation);
}

/// Decides beforehand how an operation ends when it comes due.
pub fn decide(txn: &mut Txn<'_>, operation: &mut Operation, verdict: State) {
    operation.verdict = Some(verdict);
    store(txn, operation);
}

/// Ends an operation.
pub fn finish(txn: &mut Txn<'_>, operation: &mut Operation, state: State, now: Timestamp) {
    unschedule(txn, operation);
    operation.state = state;
    operation.ended = Some(now);
    txn.put(ENDED, &due_key(now, &operation.id), json!(operation.id));
    store(txn, operation);
}

fn unschedule(txn: &mut Txn<'_>, operation: &mut Operation) {
    if let Some(due) = operation.due.take() {
        txn.delete(DUE, &due_key(due, &operation.id));
    }
}

fn store(txn: &mut Txn<'_>, operation: &Operation) {
    // An operation is plain data: it always has a JSON form.
    if let Ok(value) = serde_json::to_value(operation) {
        txn.put(OPERATIONS, &operation.id, value);
    }
}

/// Sorts by moment, then by id.
fn due_key(at: Timestamp, id: &str) -> String {
    format!("{:020}/{id}", at.as_nanosecond().max(0))
}

/// The moment of the operation that comes due next.
pub fn next_due(rows: &impl Rows) -> Option<Timestamp> {
    let (key, _) = rows.rows(DUE, "").next()?;
    key.split('/').next()?.parse().ok().and_then(|nanos: i128| Timestamp::from_nanosecond(nanos).ok())
}

/// Ids of the operations that are due by `now`, in order.
pub fn due(rows: &impl Rows, now: Timestamp) -> Vec<String> {
    let end = due_key(now, "\u{10ffff}");
    rows.rows(DUE, "")
        .take_while(|(key, _)| *key <= end.as_str())
        .filter_map(|(_, row)| row.value.as_str().map(str::to_owned))
        .collect()
}

/// The operation with this id.
pub fn get(rows: &impl Rows, id: &str) -> Option<Operation> {
    let row = rows.row(OPERATIONS, id)?;
    let mut operation = Operation::deserialize(&*row.value).ok()?;
    operation.etag = etag(row);
    Some(operation)
}

/// All operations, in the order of their ids.
pub fn list(rows: &impl Rows) -> Vec<Operation> {
    rows.rows(OPERATIONS, "").filter_map(|(_, row)| Operation::deserialize(&*row.value).ok()).collect()
}

/// Seconds of world time as a span.
#[must_use]
pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Style;
    use sim_core::ledger::Ledger;

    fn draft(id: &str, secs: u64) -> Draft {
        Draft {
            id: id.into(),
            name: "N/t/write".into(),
            namespace: "N".into(),
            subscription: "s".into(),
            subject: "/x".into(),
            key: "x".into(),
            location: "eastus".into(),
            style: Style::Both,
            retry_after: 10,
            span: seconds(secs),
            document: Document::default(),
            fate: Fate::Succeed,
            hidden: Duration::ZERO,
        }
    }

    #[test]
    fn operations_come_due_in_the_order_of_their_moments() {
        let ledger = Ledger::new();
        let now = Timestamp::UNIX_EPOCH;
        let done: Result<(), ()> = ledger.write(|txn| {
            begin(txn, draft("b", 5), now);
            begin(txn, draft("a", 50), now);
            begin(txn, draft("c", 5), now);
            Ok(())
        });
        done.unwrap();
        let at = later(now, seconds(5));
        ledger.read(|view| {
            assert_eq!(next_due(view), Some(at));
            assert_eq!(due(view, later(now, seconds(4))), Vec::<String>::new());
            assert_eq!(due(view, at), ["b", "c"]);
        });
        let done: Result<(), ()> = ledger.write(|txn| {
            let mut operation = get(txn, "b").unwrap();
            finish(txn, &mut operation, State::Succeeded, at);
            let mut operation = get(txn, "c").unwrap();
            park(txn, &mut operation);
            Ok(())
        });
        done.unwrap();
        ledger.read(|view| {
            assert_eq!(due(view, later(now, seconds(60))), ["a"]);
            assert_eq!(get(view, "b").unwrap().state, State::Succeeded);
            assert_eq!(get(view, "c").unwrap().state, State::Running);
        });
    }
}
