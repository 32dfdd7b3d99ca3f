//! Rows of Resource Manager in the ledger: which tables there are, and how keys are made.
//!
//! Keys are lower case, because ARM compares names without case; the rows keep the casing the caller last used. Every
//! row is JSON that a snapshot can hold.

pub mod buckets;
pub mod groups;
pub mod identities;
pub mod registrations;
pub mod rendered;
pub mod resources;
pub mod time;

use sim_core::ledger::{Row, Txn, View};

/// Resource groups; the value is the group's wire form.
pub const GROUPS: &str = "arm/groups";
/// Resources; see [`resources`].
pub const RESOURCES: &str = "arm/resources";
/// How many identities a name has had; see [`identities`].
pub const IDENTITIES: &str = "arm/identities";
/// Registration states of namespaces; see [`registrations`].
pub const REGISTRATIONS: &str = "arm/registrations";
/// How namespaces register where that was changed at run time; see [`registrations`].
pub const REGISTRATION_PLANS: &str = "arm/registration-plans";
/// Long-running operations; see [`crate::lro`].
pub const OPERATIONS: &str = "arm/operations";
/// Operations that wait for their moment, by that moment.
pub const DUE: &str = "arm/due";

/// Operations that have ended, by that moment.
pub const ENDED: &str = "arm/ended";
/// Deployments; see [`crate::providers::deployments`].
pub const DEPLOYMENTS: &str = "arm/deployments";
/// Tags of subscriptions.
pub const SUBSCRIPTION_TAGS: &str = "arm/subscription-tags";
/// Management locks; see [`crate::providers::authorization`].
pub const LOCKS: &str = "arm/locks";
/// Role assignments; see [`crate::providers::authorization`].
pub const ROLE_ASSIGNMENTS: &str = "arm/role-assignments";
/// Custom role definitions; see [`crate::providers::authorization`].
pub const ROLE_DEFINITIONS: &str = "arm/role-definitions";
/// Registration states of features; see [`crate::providers::features`].
pub const FEATURES: &str = "arm/features";

/// The entity tag of a row, in the form the Arc service uses: a quoted identifier that changes with every write.
#[must_use]
pub fn etag(row: &Row) -> String {
    format!("\"{:08x}-0000-0100-0000-{:012x}\"", row.created & 0xffff_ffff, row.modified)
}

/// What can be read from: a view or a transaction.
pub trait Rows {
    /// The row at `key`.
    fn row(&self, table: &str, key: &str) -> Option<&Row>;
    /// Rows whose key starts with `prefix`, in key order.
    fn rows<'a>(
        &'a self,
        table: &'a str,
        prefix: &'a str,
    ) -> Box<dyn Iterator<Item = (&'a str, &'a Row)> + 'a>;
}

impl Rows for View<'_> {
    fn row(&self, table: &str, key: &str) -> Option<&Row> {
        self.get(table, key)
    }

    fn rows<'a>(
        &'a self,
        table: &'a str,
        prefix: &'a str,
    ) -> Box<dyn Iterator<Item = (&'a str, &'a Row)> + 'a> {
        Box::new(self.scan(table, prefix))
    }
}

impl Rows for Txn<'_> {
    fn row(&self, table: &str, key: &str) -> Option<&Row> {
        self.get(table, key)
    }

    fn rows<'a>(
        &'a self,
        table: &'a str,
        prefix: &'a str,
    ) -> Box<dyn Iterator<Item = (&'a str, &'a Row)> + 'a> {
        Box::new(self.scan(table, prefix))
    }
}

/// A key of `parts`, in lower case, separated by slashes.
#[must_use]
pub fn key(parts: &[&str]) -> String {
    let mut key = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for part in parts {
        if !key.is_empty() {
            key.push('/');
        }
        key.push_str(part);
    }
    key.make_ascii_lowercase();
    key
}
