//! What principals may do.

use serde::{Deserialize, Serialize};

/// Whether Resource Manager looks at roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Permissions {
    /// Whoever has a good token may do everything.
    #[default]
    Open,
    /// Role assignments decide.
    Evaluated,
}

/// A role that a principal has from the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RoleGrant {
    /// The role's name or id, such as `Contributor`.
    pub role: String,
    /// Where: a resource id, or empty for all subscriptions of the tenant.
    pub scope: String,
}
