//! Requests that nobody answered as meant, each with the nearest that somebody would, and what differs.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim_core::journal::{Event, Filter};

use super::journal::follow_journal;
use super::nearest::nearest;
use super::problem::Problem;
use crate::providers::catalog;
use crate::surfaces;
use crate::world::World;

/// Codes of refusals that say that there is no such thing here.
const CODES: [&str; 6] = [
    "NotModelled",
    "InvalidResourceNamespace",
    "InvalidResourceType",
    "NoRegisteredProviderFound",
    "MissingApiVersionParameter",
    "InvalidApiVersionParameter",
];

/// An event, and what it came near.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unmatched {
    #[serde(flatten)]
    event: Event,
    /// The nearest host, type or versions that are there.
    nearest: Option<String>,
    /// In what the request differs from it.
    differs: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    follow: bool,
}

pub(super) async fn list(State(world): State<World>, uri: Uri) -> Result<Response, Problem> {
    let Query(wanted) = Query::<Wanted>::try_from_uri(&uri).map_err(|error| {
        let query = uri.query().unwrap_or_default();
        Problem::invalid(format!("the query '{query}' cannot be used: {error}"), "use follow=true or none")
    })?;
    if wanted.follow {
        let form = |event: Event| serde_json::to_vec(&Some(event).filter(is_unmatched).map(explained)?).ok();
        return Ok(follow_journal(world.journal.clone(), Filter::default(), form));
    }
    let events = world.journal.read(&Filter::default()).into_iter();
    Ok(Json(events.filter(is_unmatched).map(explained).collect::<Vec<_>>()).into_response())
}

fn text<'a>(event: &'a Event, name: &str) -> &'a str {
    event.facts.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_unmatched(event: &Event) -> bool {
    let status = event.facts.get("status").and_then(Value::as_u64);
    event.kind == "unrouted" || status == Some(501) || CODES.contains(&text(event, "code"))
}

fn explained(event: Event) -> Unmatched {
    let found = if event.kind == "unrouted" { host(text(&event, "host")) } else { route(&event) };
    let (nearest, differs) = found.unzip();
    Unmatched { event, nearest, differs }
}

fn host(host: &str) -> Option<(String, String)> {
    let known = nearest(host, surfaces::hosts().filter(|known| !known.starts_with('.')))?;
    Some((known.into(), format!("the host is '{host}', not '{known}'")))
}

/// What the last `providers` segment of a path names: namespace, then types.
fn typed(path: &str) -> Option<(&str, Vec<&str>)> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let at = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"))?;
    let (namespace, rest) = segments.get(at + 1..)?.split_first()?;
    Some((namespace, rest.iter().step_by(2).copied().collect()))
}

fn route(event: &Event) -> Option<(String, String)> {
    let (given, types) = typed(text(event, "path"))?;
    let namespace = catalog::find(given).or_else(|| {
        let name = nearest(given, catalog::namespaces().map(|known| known.name))?;
        catalog::find(name)
    })?;
    if !namespace.name.eq_ignore_ascii_case(given) {
        let differs = format!("the namespace is '{given}', not '{}'", namespace.name);
        return Some((namespace.name.into(), differs));
    }
    let kind = types.join("/");
    let known = match namespace.find(&kind) {
        Some(known) => known,
        None => {
            let name = nearest(&kind, namespace.types.iter().map(|known| known.name))?;
            let nearest = format!("{}/{name}", namespace.name);
            return Some((nearest, format!("the type is '{kind}', not '{name}'")));
        }
    };
    let nearest = format!("{}/{}", namespace.name, known.name);
    let version = text(event, "apiVersion");
    let listed = known.versions.iter().any(|one| one.eq_ignore_ascii_case(version));
    let differs = if listed {
        format!("{} of it is not modelled", text(event, "method"))
    } else {
        format!("the api-version is '{version}', not one of {}", known.versions.join(", "))
    };
    Some((nearest, differs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str, version: &str, code: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "seq": 1, "time": "2026-01-01T00:00:00Z", "actor": "arm", "actorSeq": 1, "kind": "request",
            "facts": {"method": method, "path": path, "apiVersion": version, "code": code, "status": 404},
        }))
        .unwrap()
    }

    #[test]
    fn what_nobody_answers_is_told_with_the_nearest_and_what_differs() {
        let of = |path: &str, version: &str| {
            let unmatched = explained(asked("GET", path, version, "InvalidResourceType"));
            (unmatched.nearest.unwrap_or_default(), unmatched.differs.unwrap_or_default())
        };
        let base = "/subscriptions/s/resourceGroups/g/providers";
        let (nearest, differs) = of(&format!("{base}/Microsoft.Kubernetes/connectedCluster/c"), "2024-01-01");
        assert_eq!(nearest, "Microsoft.Kubernetes/connectedClusters");
        assert_eq!(differs, "the type is 'connectedCluster', not 'connectedClusters'");
        let (nearest, _) = of(&format!("{base}/Microsoft.Kubernets/connectedClusters/c"), "2024-01-01");
        assert_eq!(nearest, "Microsoft.Kubernetes");
        let (_, differs) = of(&format!("{base}/Microsoft.Kubernetes/connectedClusters/c"), "2024-01-02");
        assert!(differs.starts_with("the api-version is '2024-01-02', not one of 2"), "{differs}");
        assert_eq!(of(&format!("{base}/Contoso.Coffee/machines/c"), "2024-01-01").0, "");
        assert_eq!(host("managment.azure.com").unwrap().0, "management.azure.com");
        assert!(host("example.com").is_none());
        assert!(is_unmatched(&asked("GET", base, "", "NotModelled")));
        assert!(!is_unmatched(&asked("GET", base, "", "ResourceNotFound")));
    }
}
