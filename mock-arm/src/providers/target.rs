//! What a path of Resource Manager addresses.
//!
//! ARM paths are of variable depth and compare without case, so they are parsed into an enum whose variants carry
//! exactly what they need. Parsing never fails: what is no known form is [`Target::Other`].

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

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
    /// `[/subscriptions/{s}]/providers/{ns}/locations/{l}/operationStatuses/{id}`
    OperationStatus {
        /// The subscription id, if any.
        subscription: Option<&'a str>,
        /// The namespace.
        namespace: &'a str,
        /// The operation's id.
        id: Name<'a>,
    },
    /// `/subscriptions/{s}[/resourceGroups/{g}]/providers/{ns}/{type}[/{name}/{type}]`
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

/// A path below `/providers/{ns}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed<'a> {
    /// The subscription id, if any.
    pub subscription: Option<&'a str>,
    /// The group's name, if any.
    pub group: Option<Name<'a>>,
    /// Whether it is an extension of another resource (a second `/providers/`).
    pub extension: bool,
    /// The namespace.
    pub namespace: &'a str,
    /// Types and names in turn.
    pub path: Vec<Name<'a>>,
}

impl Typed<'_> {
    /// The type without the namespace, such as `connectedClusters` or `connectedClusters/extensions`.
    #[must_use]
    pub fn type_name(&self) -> Cow<'_, str> {
        match self.path.as_slice() {
            [only] | [only, _] => Cow::Borrowed(only),
            path => {
                let types: Vec<&str> = path.iter().step_by(2).map(AsRef::as_ref).collect();
                Cow::Owned(types.join("/"))
            }
        }
    }

    /// The innermost name; empty for a collection.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.path.len().is_multiple_of(2) { self.path.last().map_or("", AsRef::as_ref) } else { "" }
    }
}

/// How many members a path may have; nothing in ARM is deeper.
const DEEPEST: usize = 32;

fn decode(part: &str) -> Name<'_> {
    percent_decode_str(part).decode_utf8_lossy()
}

fn is(part: &str, word: &str) -> bool {
    part.eq_ignore_ascii_case(word)
}

impl<'a> Target<'a> {
    /// What `path` addresses; repeated and trailing slashes count as one. `action` says that the method is POST.
    #[must_use]
    pub fn parse(path: &'a str, action: bool) -> Self {
        let mut parts = [""; DEEPEST];
        let mut count = 0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Some(slot) = parts.get_mut(count) else { return Self::Other { subscription: None } };
            *slot = part;
            count += 1;
        }
        match parts.get(..count).unwrap_or_default() {
            [tenants] if is(tenants, "tenants") => Self::Tenants,
            [subscriptions] if is(subscriptions, "subscriptions") => Self::Subscriptions,
            [subscriptions, subscription, rest @ ..] if is(subscriptions, "subscriptions") => {
                Self::in_subscription(subscription, rest, action)
            }
            [providers, rest @ ..] if is(providers, "providers") => Self::providers(None, None, rest, action),
            _ => Self::Other { subscription: None },
        }
    }

    fn in_subscription(subscription: &'a str, rest: &[&'a str], action: bool) -> Self {
        match rest {
            [] => Self::Subscription { subscription },
            [word] if is(word, "locations") => Self::Locations { subscription },
            [word] if is(word, "resourceGroups") => Self::Groups { subscription },
            [word] if is(word, "resources") => Self::Resources { subscription, group: None },
            [word, id] if is(word, "operationresults") => {
                Self::OperationResult { subscription, id: decode(id) }
            }
            [word, group] if is(word, "resourceGroups") => Self::Group { subscription, group: decode(group) },
            [word, group, last] if is(word, "resourceGroups") && is(last, "resources") => {
                Self::Resources { subscription, group: Some(decode(group)) }
            }
            [word, group, providers, rest @ ..]
                if is(word, "resourceGroups") && is(providers, "providers") =>
            {
                Self::providers(Some(subscription), Some(decode(group)), rest, action)
            }
            [word, rest @ ..] if is(word, "providers") => {
                Self::providers(Some(subscription), None, rest, action)
            }
            _ => Self::Other { subscription: Some(subscription) },
        }
    }

    fn providers(
        subscription: Option<&'a str>,
        group: Option<Name<'a>>,
        rest: &[&'a str],
        action: bool,
    ) -> Self {
        match (subscription, &group, rest) {
            (_, None, []) => Self::Namespaces { subscription },
            (_, None, [namespace]) => Self::Namespace { subscription, namespace },
            (Some(subscription), None, [namespace, word])
                if action && (is(word, "register") || is(word, "unregister")) =>
            {
                Self::NamespaceAction { subscription, namespace, action: word }
            }
            (_, None, [namespace, locations, _, statuses, id])
                if is(locations, "locations") && is(statuses, "operationStatuses") =>
            {
                Self::OperationStatus { subscription, namespace, id: decode(id) }
            }
            (_, _, [namespace, path @ ..]) if !path.is_empty() => Self::typed(
                Typed { subscription, group, extension: false, namespace, path: Vec::new() },
                path,
                action,
            ),
            _ => Self::Other { subscription },
        }
    }

    /// Of an extension resource, only the innermost `/providers/…` counts.
    fn typed(mut typed: Typed<'a>, mut path: &[&'a str], action: bool) -> Self {
        while let Some(position) = path.iter().step_by(2).position(|part| is(part, "providers")) {
            match path.get(position * 2 + 1..) {
                Some([namespace, rest @ ..]) if !rest.is_empty() => {
                    typed.namespace = namespace;
                    typed.extension = true;
                    path = rest;
                }
                _ => return Self::Other { subscription: typed.subscription },
            }
        }
        typed.path = path.iter().map(|part| decode(part)).collect();
        match (typed.path.len().is_multiple_of(2), action) {
            (true, _) => Self::Resource(typed),
            (false, true) if typed.path.len() > 1 => Self::Action(typed),
            (false, _) => Self::Collection(typed),
        }
    }

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
            Self::Groups { .. } | Self::Group { .. } => "resourceGroups".into(),
            Self::Resources { .. } => "resources".into(),
            Self::OperationResult { .. } => "subscriptions/operationresults".into(),
            Self::OperationStatus { .. } => "locations/operationStatuses".into(),
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
                id: "a*B".into()
            }
        );
    }

    #[test]
    fn types_and_names_alternate_and_the_innermost_namespace_counts() {
        let base = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Kubernetes/connectedClusters";
        assert!(matches!(Target::parse(base, false), Target::Collection(_)));
        let one = format!("{base}/c");
        let Target::Resource(typed) = Target::parse(&one, false) else { panic!() };
        assert_eq!(
            (typed.type_name().as_ref(), typed.name(), typed.extension),
            ("connectedClusters", "c", false)
        );
        let action = format!("{base}/c/listClusterUserCredential");
        assert!(matches!(Target::parse(&action, true), Target::Action(_)));
        let extension = format!("{base}/c/providers/Microsoft.KubernetesConfiguration/extensions/x");
        let Target::Resource(typed) = Target::parse(&extension, false) else { panic!() };
        assert_eq!(
            (typed.namespace, typed.name(), typed.extension),
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
