//! From a path to a target.

use percent_encoding::percent_decode_str;

use super::{Name, Target, Typed};

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
            [word, group, name] if action && is(word, "resourceGroups") => {
                Self::GroupAction { subscription, group: decode(group), action: name }
            }
            [word, group] if is(word, "resourceGroups") => Self::Group { subscription, group: decode(group) },
            [word, group, last] if is(word, "resourceGroups") && is(last, "resources") => {
                Self::Resources { subscription, group: Some(decode(group)) }
            }
            [word, group, deployments, ..]
                if is(word, "resourceGroups") && is(deployments, "deployments") && rest.len() > 2 =>
            {
                // Tools leave the namespace out in some requests.
                let mut path = vec![super::super::resources::NAMESPACE];
                path.extend_from_slice(rest.get(2..).unwrap_or_default());
                Self::providers(Some(subscription), Some(decode(group)), &path, action)
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
                if is(locations, "locations")
                    && ["operationStatuses", "operationStatus", "operationsstatus"]
                        .iter()
                        .any(|known| is(statuses, known)) =>
            {
                let kind = format!("locations/{statuses}").into();
                Self::OperationStatus { subscription, namespace, kind, id: decode(id) }
            }
            (Some(subscription), None, [namespace, path @ ..])
                if is(namespace, super::super::features::NAMESPACE) && !path.is_empty() =>
            {
                Self::features(subscription, path)
            }
            (_, _, [namespace, path @ ..]) if !path.is_empty() => Self::typed(
                Typed { subscription, group, host: None, namespace, path: Vec::new() },
                path,
                action,
            ),
            _ => Self::Other { subscription },
        }
    }

    fn features(subscription: &'a str, path: &[&'a str]) -> Self {
        let (of, feature, action) = match path {
            [features] if is(features, "features") => (None, None, None),
            [providers, of, features, rest @ ..]
                if is(providers, "providers") && is(features, "features") =>
            {
                match rest {
                    [] => (Some(*of), None, None),
                    [feature] => (Some(*of), Some(*feature), None),
                    [feature, action] => (Some(*of), Some(*feature), Some(*action)),
                    _ => return Self::Other { subscription: Some(subscription) },
                }
            }
            _ => return Self::Other { subscription: Some(subscription) },
        };
        Self::Features { subscription, of, feature, action }
    }

    /// Each further `/providers/` makes what stands before it the host of what follows.
    fn typed(mut typed: Typed<'a>, mut path: &[&'a str], action: bool) -> Self {
        while let Some(position) = path.iter().step_by(2).position(|part| is(part, "providers")) {
            match (path.get(..position * 2), path.get(position * 2 + 1..)) {
                (Some(before), Some([namespace, rest @ ..])) if !before.is_empty() && !rest.is_empty() => {
                    typed.path = before.iter().map(|part| decode(part)).collect();
                    typed = Typed {
                        subscription: typed.subscription,
                        group: typed.group.clone(),
                        namespace,
                        path: Vec::new(),
                        host: Some(Box::new(typed)),
                    };
                    path = rest;
                }
                _ => return Self::Other { subscription: typed.subscription },
            }
        }
        typed.path = path.iter().map(|part| decode(part)).collect();
        if let [kind, _, operations, id] = typed.path.as_slice()
            && ((typed.host.is_some() && is(operations, "operations")) || is(operations, "operationStatuses"))
        {
            return Self::OperationStatus {
                subscription: typed.subscription,
                namespace: typed.namespace,
                kind: kind.clone(),
                id: id.clone(),
            };
        }
        match (typed.path.len().is_multiple_of(2), action) {
            (true, _) => Self::Resource(typed),
            (false, true) if typed.path.len() > 1 => Self::Action(typed),
            (false, _) => Self::Collection(typed),
        }
    }
}
