//! The scope of a target: the id by which locks and roles are inherited.

use super::Target;

impl Target<'_> {
    /// The id of what a request works on, in the casing of the path: a resource, a group, a subscription, or empty for the
    /// tenant. A list works on what it lists in, an action on its resource.
    #[must_use]
    pub fn scope(&self) -> String {
        let subscription = |id: &str| format!("/subscriptions/{id}");
        match self {
            Self::Group { subscription: id, group } | Self::GroupAction { subscription: id, group, .. } => {
                format!("{}/resourceGroups/{group}", subscription(id))
            }
            Self::Resources { subscription: id, group: Some(group) } => {
                format!("{}/resourceGroups/{group}", subscription(id))
            }
            Self::Resource(typed) | Self::Action(typed) => typed.id(),
            Self::Collection(typed) if typed.path.len() > 1 => typed.id(),
            Self::Collection(typed) => match &typed.host {
                Some(host) => host.id(),
                None => typed.container(),
            },
            other => other.subscription().map(subscription).unwrap_or_default(),
        }
    }
}

/// Whether `scope` is `outer`, or lies within it; ids compare without case.
#[must_use]
pub fn within(scope: &str, outer: &str) -> bool {
    let outer = outer.trim_end_matches('/');
    let start = scope.get(..outer.len()).is_some_and(|start| start.eq_ignore_ascii_case(outer));
    start && scope.get(outer.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_lies_within_itself_and_whatever_holds_it() {
        let group = "/subscriptions/s/resourceGroups/G";
        assert!(within("/subscriptions/S/resourcegroups/g", group));
        assert!(within(&format!("{group}/providers/N/t/x"), group));
        assert!(within(group, "/"));
        assert!(!within("/subscriptions/s/resourceGroups/G2", group));
        assert!(!within("/subscriptions/s", group));
    }

    #[test]
    fn requests_work_on_what_they_name_or_list_in() {
        let scope = |path: &str, action| Target::parse(path, action).scope();
        let cluster = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c";
        assert_eq!(scope(cluster, false), cluster);
        assert_eq!(scope(&format!("{cluster}/listClusterUserCredential"), true), cluster);
        let extensions = format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions");
        assert_eq!(scope(&extensions, false), cluster);
        assert_eq!(scope(&format!("{extensions}/x"), false), format!("{extensions}/x"));
        assert_eq!(
            scope("/subscriptions/s/resourcegroups/g/resources", false),
            "/subscriptions/s/resourceGroups/g"
        );
        assert_eq!(
            scope("/subscriptions/s/providers/Microsoft.Kubernetes/register", true),
            "/subscriptions/s"
        );
        assert_eq!(scope("/tenants", false), "");
    }
}
