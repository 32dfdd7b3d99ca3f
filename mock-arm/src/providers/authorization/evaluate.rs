//! Who may do what, where the profile has roles looked at.

use std::time::Duration;

use jiff::Timestamp;
use sim_core::clock::later;
use sim_core::ledger::Txn;
use uuid::Uuid;

use super::super::refusal::Refusal;
use super::super::seam::{Call, Verb};
use super::super::target::Target;
use super::super::target::scope::within;
use super::{assignments, definitions};
use crate::profile::Permissions;
use crate::store::{ROLE_ASSIGNMENTS, Rows};

/// The permission that a request needs, such as `Microsoft.Kubernetes/connectedClusters/write`.
fn action(call: &Call<'_>) -> String {
    let verb = match call.verb {
        Verb::Get | Verb::Head => "read",
        Verb::Put | Verb::Patch => "write",
        Verb::Delete => "delete",
        Verb::Post => "action",
    };
    match call.target {
        Target::NamespaceAction { namespace, action, .. } => format!("{namespace}/{action}/action"),
        Target::GroupAction { action, .. } => {
            format!("Microsoft.Resources/subscriptions/resourceGroups/{action}/action")
        }
        Target::Groups { .. } | Target::Group { .. } => {
            format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}")
        }
        Target::Features { action: Some(action), .. } => {
            format!("Microsoft.Features/providers/features/{action}/action")
        }
        Target::Features { .. } => "Microsoft.Features/features/read".into(),
        // The last member of the type is the action's name.
        target => format!("{}/{}/{verb}", target.namespace(), target.type_name()),
    }
}

/// Whether `action` is one of those that `pattern` stands for: `*` covers any text, case does not count.
fn covers(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == action,
        Some((start, end)) => {
            action.len() >= start.len() + end.len() && action.starts_with(start) && action.ends_with(end)
        }
    }
}

fn allows(role: &str, action: &str) -> bool {
    definitions::find(role).is_some_and(|role| {
        role.actions.iter().any(|pattern| covers(pattern, action))
            && !role.except.iter().any(|pattern| covers(pattern, action))
    })
}

/// The caller's object id: that of the principal, for an application of the profile.
fn object_id(call: &Call<'_>) -> Uuid {
    call.profile.member(call.actor.id).map_or(call.actor.id, |(object, _)| object)
}

fn may(call: &Call<'_>, action: &str, scope: &str, txn: &Txn<'_>) -> bool {
    let granted = call.profile.member(call.actor.id).is_some_and(|(_, roles)| {
        roles.iter().any(|grant| within(scope, &grant.scope) && allows(&grant.role, action))
    });
    let object = object_id(call).to_string();
    let delay = Duration::from_secs(call.profile.permission_delay_seconds);
    granted
        || txn.rows(ROLE_ASSIGNMENTS, "").any(|(_, row)| {
            let member = |name| assignments::member(&row.value, name);
            let since: Option<Timestamp> = member("createdOn").parse().ok();
            member("principalId").eq_ignore_ascii_case(&object)
                && since.is_some_and(|since| later(since, delay) <= call.now)
                && within(scope, member("scope"))
                && allows(member("roleDefinitionId"), action)
        })
}

/// The refusal of a caller who may not do `action` over `scope`.
pub(in super::super) fn refusal(call: &Call<'_>, action: &str, scope: &str) -> Refusal {
    Refusal::forbidden(&call.actor.id.to_string(), &object_id(call).to_string(), action, scope)
}

/// Refuses a caller whose roles do not allow the request. What lies outside of subscriptions is open to everybody.
pub(in super::super) fn check(call: &Call<'_>, txn: &Txn<'_>) -> Result<(), Refusal> {
    if call.profile.permissions == Permissions::Open || call.target.subscription().is_none() {
        return Ok(());
    }
    let (action, scope) = (action(call), call.target.scope());
    if may(call, &action, &scope, txn) { Ok(()) } else { Err(refusal(call, &action, &scope)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_actions_without_case() {
        assert!(covers("*", "Microsoft.Kubernetes/register/action"));
        assert!(covers("*/read", "Microsoft.Kubernetes/connectedClusters/Read"));
        assert!(covers("Microsoft.Authorization/*/Write", "microsoft.authorization/roleAssignments/write"));
        assert!(!covers("Microsoft.Authorization/*", "Microsoft.Kubernetes/connectedClusters/read"));
        assert!(allows("Contributor", "Microsoft.Kubernetes/connectedClusters/delete"));
        assert!(!allows("Contributor", "Microsoft.Authorization/roleAssignments/write"));
        assert!(!allows("Kubernetes Cluster - Azure Arc Onboarding", "Microsoft.Kubernetes/register/action"));
        assert!(!allows("No such role", "x/read"));
    }
}
