//! How often callers may ask.

use serde::{Deserialize, Serialize};

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Bucket {
    /// How many requests it holds.
    pub size: u32,
    /// How many come back in a world second.
    pub per_second: u32,
}

/// A provider's own limit, which no header tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProviderLimit {
    /// How many requests with the same permission.
    pub requests: u32,
    /// In how many world seconds.
    pub seconds: u32,
}

/// The limits of Resource Manager, per subscription (or tenant) and principal; fifteen times as many hold for all principals
/// together (Azure documentation of 2024; the factor from recordings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Throttling {
    /// Whether who asks too often is refused; the headers count down in any case.
    pub enforced: bool,
    /// GET and HEAD.
    pub reads: Bucket,
    /// PUT, PATCH and POST.
    pub writes: Bucket,
    /// DELETE.
    pub deletes: Bucket,
    /// What resource providers allow, if they have a limit of their own.
    pub provider: Option<ProviderLimit>,
    /// Whether a refusal says when to ask again.
    pub retry_after: bool,
}

impl Default for Throttling {
    fn default() -> Self {
        Self {
            enforced: false,
            reads: Bucket { size: 250, per_second: 25 },
            writes: Bucket { size: 200, per_second: 10 },
            deletes: Bucket { size: 200, per_second: 10 },
            provider: None,
            retry_after: true,
        }
    }
}
