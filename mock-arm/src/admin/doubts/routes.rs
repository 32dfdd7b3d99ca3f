//! Whether a path, a route or an operation is one of the simulated Resource Manager, and takes a method.

use std::collections::BTreeSet;

use sim_core::faults::text_matches;

use super::super::nearest::{nearer, nearest};
use super::METHODS;
use crate::providers::catalog;
use crate::providers::registry::Registry;
use crate::providers::seam::{TypeSpec, Verb};
use crate::surfaces::Surface;

/// Segments of paths differ in a letter or two when they are misspelled; names of users' things may look like anything.
const ALIKE: f64 = 0.85;
/// Segments that are no type.
const WORDS: [&str; 9] = [
    "subscriptions",
    "resourceGroups",
    "providers",
    "locations",
    "register",
    "metadata",
    "endpoints",
    "GetHelmSettings",
    "healthCheck",
];
/// Everything is below these.
const ROOTS: [&str; 2] = ["resourceGroups", "subscriptions"];

/// What there is.
#[derive(Debug)]
pub(super) struct Routes {
    registry: Registry,
    /// The last part of each type's name, and [`WORDS`].
    segments: BTreeSet<&'static str>,
}

impl Default for Routes {
    fn default() -> Self {
        let registry = Registry::default();
        let listed = catalog::namespaces().flat_map(|one| one.types).map(|kind| kind.name);
        let types = registry.specs().map(|(_, spec)| spec.name).chain(listed);
        let segments = types.flat_map(|name| name.split('/')).chain(WORDS).collect();
        Self { registry, segments }
    }
}

impl Routes {
    /// Namespace and type of everything that is listed or modelled.
    fn types(&self) -> BTreeSet<String> {
        let listed = catalog::namespaces().flat_map(|one| one.types.iter().map(|kind| (one.name, kind.name)));
        let modelled = self.registry.specs().map(|(namespace, spec)| (namespace, spec.name));
        listed.chain(modelled).map(|(namespace, kind)| format!("{namespace}/{kind}")).collect()
    }

    pub(super) fn unknown_route(&self, text: &str) -> Option<String> {
        let types = self.types();
        let mut known = types.iter().map(String::as_str).chain(Surface::ALL.map(Surface::name));
        if known.any(|route| text_matches(text, route)) {
            return None;
        }
        let all = types.iter().map(String::as_str);
        Some(format!(
            "the simulated cloud has no route '{text}'{}",
            meant(nearest(text.trim_matches('*'), all))
        ))
    }

    pub(super) fn unknown_operation(&self, text: &str) -> Option<String> {
        let mut known = vec!["Microsoft.Resources/subscriptions/resourceGroups/delete".to_owned()];
        for (namespace, spec) in self.registry.specs() {
            known.extend(["write", "delete"].map(|verb| format!("{namespace}/{}/{verb}", spec.name)));
        }
        let actions = ["register", "unregister"];
        known.extend(
            catalog::namespaces()
                .flat_map(|one| actions.map(|action| format!("{}/{action}/action", one.name))),
        );
        if known.iter().any(|operation| text_matches(text, operation)) {
            return None;
        }
        let near = nearest(text.trim_matches('*'), known.iter().map(String::as_str));
        Some(format!("no operation of the simulated cloud is '{text}'{}", meant(near)))
    }

    pub(super) fn unknown_path(&self, text: &str) -> Option<String> {
        let segments = whole_segments(text);
        let at = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
        if let Some((namespace, rest)) = at.and_then(|at| segments.get(at + 1..)?.split_first())
            && !namespace.contains('*')
            && namespace.contains('.')
        {
            return typed_doubt(namespace, &rest.iter().step_by(2).copied().collect::<Vec<_>>());
        }
        segments.into_iter().find_map(|segment| {
            let known = self.segments.iter().any(|known| known.eq_ignore_ascii_case(segment));
            let near = nearer(segment, self.segments.iter().copied(), ALIKE).filter(|_| !known)?;
            Some(format!("no path of the simulated cloud has '{segment}' in it: did you mean '{near}'?"))
        })
    }

    /// A doubt about a method where the type is known to be a certain one.
    pub(super) fn foreign_method(
        &self,
        method: &str,
        route: Option<&str>,
        path: Option<&str>,
    ) -> Option<String> {
        let of_route = route.and_then(|text| {
            let mut all = self.registry.specs();
            all.find(|(namespace, spec)| format!("{namespace}/{}", spec.name).eq_ignore_ascii_case(text))
        });
        let (namespace, spec, form) = match (of_route, path.and_then(|text| self.of_path(text))) {
            (Some((namespace, spec)), _) => (namespace, spec, Form::Route),
            (None, Some(found)) => found,
            (None, None) => return None,
        };
        let takes = form.takes(spec);
        if takes.iter().any(|taken| text_matches(method, taken)) {
            return None;
        }
        let what = form.of(&format!("{namespace}/{}", spec.name));
        Some(format!("{what} does not take {method}, but {}", takes.join(", ")))
    }

    /// The type that a path ends in, if only one comes into question, and what of it is meant.
    fn of_path(&self, text: &str) -> Option<(&'static str, &'static TypeSpec, Form)> {
        let segments = whole_segments(text);
        let is = |segment: &str, spec: &TypeSpec| {
            spec.name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(segment))
        };
        let known = |segment: &&str| self.registry.specs().any(|(_, spec)| is(segment, spec));
        let at = segments.iter().rposition(known)?;
        let mut found = self.registry.specs().filter(|(_, spec)| is(segments[at], spec));
        let (Some((namespace, spec)), None) = (found.next(), found.next()) else { return None };
        if ROOTS.contains(&spec.name) {
            return None;
        }
        let form = match (segments.len() - at - 1, text.ends_with('*')) {
            (0, false) => Form::List,
            (1, false) => Form::One,
            _ => Form::Any,
        };
        Some((namespace, spec, form))
    }
}

/// What of a type is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    List,
    One,
    /// One of them, the list, or what is below them.
    Any,
    /// One of them, the list, or an action.
    Route,
}

impl Form {
    fn of(self, what: &str) -> String {
        match self {
            Self::List => format!("the list of {what}"),
            Self::One => format!("one of {what}"),
            Self::Any | Self::Route => what.to_owned(),
        }
    }

    fn takes(self, spec: &TypeSpec) -> Vec<&'static str> {
        let every = matches!(self, Self::Any | Self::Route);
        // Extensions of a resource are below it, and take what it may not take itself.
        let below = self == Self::Any && spec.verbs.contains(&Verb::Put);
        let takes = |name: &&str| match *name {
            "GET" => spec.verbs.contains(&Verb::Get) || every && spec.list,
            "HEAD" => spec.verbs.contains(&Verb::Head),
            "PUT" => spec.verbs.contains(&Verb::Put),
            "PATCH" => spec.verbs.contains(&Verb::Patch) || below,
            "POST" => spec.verbs.contains(&Verb::Post) || every && !spec.actions.is_empty(),
            "DELETE" => spec.verbs.contains(&Verb::Delete) || below,
            _ => false,
        };
        match self {
            Self::List if spec.list => vec!["GET"],
            Self::List => Vec::new(),
            _ => METHODS.into_iter().filter(takes).collect(),
        }
    }
}

/// The segments of a path that stand in it as a whole: not those that a `*` cuts.
fn whole_segments(text: &str) -> Vec<&str> {
    let mut segments: Vec<&str> = text.split('/').collect();
    let cut = |segment: Option<&&str>| segment.is_some_and(|segment| segment.contains('*'));
    if cut(segments.first()) {
        segments.remove(0);
    }
    if cut(segments.last()) {
        segments.pop();
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

fn typed_doubt(namespace: &str, types: &[&str]) -> Option<String> {
    let Some(known) = catalog::find(namespace) else {
        let near = nearest(namespace, catalog::namespaces().map(|known| known.name));
        return Some(format!("the simulated cloud has no namespace '{namespace}'{}", meant(near)));
    };
    let kind = types.join("/");
    if kind.is_empty() || known.find(&kind).is_some() {
        return None;
    }
    let begins = |name: &str| {
        name.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(&kind))
            && name[kind.len()..].starts_with('/')
    };
    if known.types.iter().any(|one| begins(one.name)) {
        return None;
    }
    let near = nearest(&kind, known.types.iter().map(|known| known.name));
    Some(format!("{} has no type '{kind}'{}", known.name, meant(near)))
}

fn meant(near: Option<&str>) -> String {
    near.map(|near| format!(": did you mean '{near}'?")).unwrap_or_default()
}
