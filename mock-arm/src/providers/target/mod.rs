//! What a path of Resource Manager addresses.
//!
//! ARM paths are of variable depth and compare without case, so they are parsed into an enum whose variants carry
//! exactly what they need. Parsing never fails: what is no known form is [`Target::Other`].

mod parse;
pub mod scope;
mod typed;

use std::borrow::Cow;

pub use typed::Typed;

/// A decoded name.
pub type Name<'a> = Cow<'a, str>;

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// `/tenants`
    Tenants,
    /// `/subscriptions`
    Subscriptions,
    /// `/subscriptions/{s}`
    Subscription {
        /// The subscription id.
        subscription: &'a str,
    },
    /// `/subscriptions/{s}/locations`
    Locations {
        /// The subscription id.
        subscription: &'a str,
    },
    /// `[/subscriptions/{s}]/providers`
    Namespaces {
        /// The subscription id, if any.
        subscription: Option<&'a str>,
    },
    /// `[/subscriptions/{s}]/providers/{ns}`
    Namespace {
        /// The subscription id, if any.
        subscription: Option<&'a str>,
        /// The namespace.
        namespace: &'a str,
    },
    /// POST `/subscriptions/{s}/providers/{ns}/{register|unregister}`
    NamespaceAction {
        /// The subscription id.
        subscription: &'a str,
        /// The namespace.
        namespace: &'a str,
        /// Which action.
        action: &'a str,
    },
    /// `/subscriptions/{s}/resourceGroups`
    Groups {
        /// The subscription id.
        subscription: &'a str,
    },
    /// `/subscriptions/{s}/resourceGroups/{g}`
    Group {
        /// The subscription id.
        subscription: &'a str,
        /// The group's name.
        group: Name<'a>,
    },
    /// `/subscriptions/{s}[/resourceGroups/{g}]/resources`
    Resources {
        /// The subscription id.
        subscription: &'a str,
        /// The group's name, if any.
        group: Option<Name<'a>>,
    },
    /// `/subscriptions/{s}/operationresults/{id}`
    OperationResult {
        /// The subscription id.
        subscription: &'a str,
        /// The operation's id.
        id: Name<'a>,
    },
    /// POST `/subscriptions/{s}/resourceGroups/{g}/{action}`
    GroupAction {
        /// The subscription id.
        subscription: &'a str,
        /// The group's name.
        group: Name<'a>,
        /// Which action.
        action: &'a str,
    },
    /// `/subscriptions/{s}/providers/Microsoft.Features[/providers/{ns}]/features[/{f}][/{action}]`
    Features {
        /// The subscription id.
        subscription: &'a str,
        /// The namespace whose features are meant, if it is only one.
        of: Option<&'a str>,
        /// The feature's name, if it is only one.
        feature: Option<&'a str>,
        /// What to do with it; `None` is to read it.
        action: Option<&'a str>,
    },
    /// `[/subscriptions/{s}]/providers/{ns}/locations/{l}/operationStatuses/{id}`, or `…/operations/{id}` below an
    /// extension resource.
    OperationStatus {
        /// The subscription id, if any.
        subscription: Option<&'a str>,
        /// The namespace.
        namespace: &'a str,
        /// The type whose operations these are, as the namespace lists it.
        kind: Cow<'a, str>,
        /// The operation's id.
        id: Name<'a>,
    },
    /// `/subscriptions/{s}[/resourceGroups/{g}]/providers/{ns}/{type}[/{name}/{type}]`; also below a resource
    Collection(Typed<'a>),
    /// `/subscriptions/{s}/resourceGroups/{g}/providers/{ns}/{type}/{name}…`
    Resource(Typed<'a>),
    /// POST on a resource's action: the last member of the path is the action.
    Action(Typed<'a>),
    /// Something that has no form of its own here.
    Other {
        /// The subscription id, if any.
        subscription: Option<&'a str>,
    },
}

impl<'a> Target<'a> {
    /// The subscription it lies in.
    #[must_use]
    pub fn subscription(&self) -> Option<&'a str> {
        match self {
            Self::Tenants | Self::Subscriptions => None,
            Self::Subscription { subscription }
            | Self::Locations { subscription }
            | Self::NamespaceAction { subscription, .. }
            | Self::Groups { subscription }
            | Self::Group { subscription, .. }
            | Self::GroupAction { subscription, .. }
            | Self::Features { subscription, .. }
            | Self::Resources { subscription, .. }
            | Self::OperationResult { subscription, .. } => Some(subscription),
            Self::Namespaces { subscription }
            | Self::Namespace { subscription, .. }
            | Self::OperationStatus { subscription, .. }
            | Self::Other { subscription } => *subscription,
            Self::Collection(typed) | Self::Resource(typed) | Self::Action(typed) => typed.subscription,
        }
    }

    /// The namespace that answers.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match self {
            Self::Collection(typed) | Self::Resource(typed) | Self::Action(typed) => typed.namespace,
            Self::OperationStatus { namespace, .. } => namespace,
            Self::Features { .. } => super::features::NAMESPACE,
            _ => super::resources::NAMESPACE,
        }
    }

    /// The type within the namespace.
    #[must_use]
    pub fn type_name(&self) -> Cow<'_, str> {
        match self {
            Self::Tenants => "tenants".into(),
            Self::Subscriptions | Self::Subscription { .. } => "subscriptions".into(),
            Self::Locations { .. } => "subscriptions/locations".into(),
            Self::Namespaces { .. } | Self::Namespace { .. } | Self::NamespaceAction { .. } => {
                "providers".into()
            }
            Self::Groups { .. } | Self::Group { .. } | Self::GroupAction { .. } => "resourceGroups".into(),
            Self::Features { .. } => "features".into(),
            Self::Resources { .. } => "resources".into(),
            Self::OperationResult { .. } => "subscriptions/operationresults".into(),
            Self::OperationStatus { kind, .. } => kind.as_ref().into(),
            Self::Collection(typed) | Self::Resource(typed) | Self::Action(typed) => typed.type_name(),
            Self::Other { .. } => "".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_without_case_and_with_repeated_slashes() {
        assert_eq!(
            Target::parse("//subscriptions/S/resourcegroups/My%20G/", false),
            Target::Group { subscription: "S", group: "My G".into() }
        );
        assert_eq!(
            Target::parse("/SUBSCRIPTIONS/S/providers/microsoft.kubernetes/register", true),
            Target::NamespaceAction {
                subscription: "S",
                namespace: "microsoft.kubernetes",
                action: "register"
            }
        );
        let path = "/providers/Microsoft.Kubernetes/locations/EASTUS/operationStatuses/a*B";
        assert_eq!(
            Target::parse(path, false),
            Target::OperationStatus {
                subscription: None,
                namespace: "Microsoft.Kubernetes",
                kind: "locations/operationStatuses".into(),
                id: "a*B".into()
            }
        );
        let path = "/subscriptions/S/providers/Microsoft.HybridCompute/locations/eastus/operationStatus/a";
        assert!(matches!(Target::parse(path, false), Target::OperationStatus { .. }));
    }

    #[test]
    fn types_and_names_alternate_and_the_innermost_namespace_counts() {
        let base = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Kubernetes/connectedClusters";
        assert!(matches!(Target::parse(base, false), Target::Collection(_)));
        let one = format!("{base}/c");
        let Target::Resource(typed) = Target::parse(&one, false) else { panic!() };
        assert_eq!(
            (typed.type_name().as_ref(), typed.name(), typed.host.is_some()),
            ("connectedClusters", "c", false)
        );
        let action = format!("{base}/c/listClusterUserCredential");
        assert!(matches!(Target::parse(&action, true), Target::Action(_)));
        let extension = format!("{base}/c/providers/Microsoft.KubernetesConfiguration/extensions/x");
        let Target::Resource(typed) = Target::parse(&extension, false) else { panic!() };
        assert_eq!(
            (typed.namespace, typed.name(), typed.host.is_some()),
            ("Microsoft.KubernetesConfiguration", "x", true)
        );
    }

    #[test]
    fn what_has_no_form_is_other() {
        let deep = "/a".repeat(100);
        for path in ["", "/", "/favicon.ico", "/subscriptions/S/tagNames", deep.as_str()] {
            assert!(matches!(Target::parse(path, false), Target::Other { .. }), "{path}");
        }
    }
}
