//! How long-running operations go, and how they are shown.

use serde::{Deserialize, Serialize};

/// How a long-running operation shows its state to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Style {
    /// `Azure-AsyncOperation` header: an operation status document.
    AsyncOperation,
    /// `Location` header: 202 while it runs, then the final reply.
    Location,
    /// Both headers, for the same operation.
    Both,
    /// No header: the resource's own `provisioningState`.
    Body,
    /// Done before the reply leaves; no operation at all.
    Immediate,
}

/// How an operation goes on after it was accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// It succeeds.
    #[default]
    Succeed,
    /// It fails: the status document says so inside of a 200.
    Fail,
    /// It is cancelled.
    Cancel,
    /// It never ends.
    Hang,
    /// It succeeds, but its status can never be read: 404.
    Lose,
}

/// Style and timing of one kind of operation. Fields that are left out keep the built-in values of the type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct OperationProfile {
    /// World milliseconds from the request to its end.
    pub millis: Option<u64>,
    /// World seconds that `Retry-After` speaks of.
    pub retry_after: Option<u64>,
    /// How it is shown.
    pub style: Option<Style>,
    /// How it goes on.
    pub fate: Fate,
    /// World milliseconds for which its status is not to be found yet: 404, as before a replica has caught up.
    pub not_found_millis: u64,
}
