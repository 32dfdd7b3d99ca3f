//! Who calls, and what they may do.
//!
//! Authentication: client certificates of the cluster's authority, and service account tokens. Authorization: RBAC
//! over the stored roles and bindings; `system:masters` may do everything. Webhooks, OpenID Connect users, and bootstrap
//! tokens are not modelled.

mod certificates;
mod impersonation;
mod rbac;
mod reviews;
mod tokens;

pub use certificates::caller_of_certificate;
pub use impersonation::impersonated;
pub use rbac::{Attributes, allows, denial, rules_for};
pub(crate) use rbac::{allows_in, role_rules_in, rules_in};
pub use reviews::review;
pub(crate) use tokens::ISSUER;
pub use tokens::{TokenAsk, TokenService};
