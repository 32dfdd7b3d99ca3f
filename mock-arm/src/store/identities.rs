//! How many identities a resource's name has had.
//!
//! A resource that is deleted and made again has another identity. Counting them per name, in the ledger, makes the ids
//! follow from the seed alone: neither the moment of a request nor the order of unrelated ones shows in them.

use sim_core::ledger::Txn;

use super::{IDENTITIES, Rows};

/// The number of the next identity of the resource at `key`, from 1.
pub fn next(txn: &mut Txn<'_>, key: &str) -> u64 {
    let had = txn.row(IDENTITIES, key).and_then(|row| row.value.as_u64()).unwrap_or(0);
    let number = had.saturating_add(1);
    txn.put(IDENTITIES, key, number.into());
    number
}
