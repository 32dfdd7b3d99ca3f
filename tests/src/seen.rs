//! What real clients were seen to do: read from the journals of the suites' worlds, kept under `fixtures/seen`, a file a test, and put
//! together to a table, `fixtures/seen/TABLE.md`.
//!
//! A test that ends well holds its file against what its world saw; `UPDATE_GOLDEN=1` rewrites the file. Only requests that
//! succeeded count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mock_arm::providers::catalog;
use serde_json::Value;

use crate::command::Sandbox;
use crate::repository;
use crate::transcript::held_against;

/// The clients, in the order of the table's columns: a name, and what their user agent begins with or has in it.
const CLIENTS: &[(&str, &[&str])] = &[
    ("Python SDK", &["^azsdk-python"]),
    ("JavaScript SDK", &["azsdk-js"]),
    ("Java SDK", &["azsdk-java"]),
    // The raw requests of the Azure CLI, which are those of `az rest`; its SDK calls begin with its own name.
    ("az rest", &["^python/"]),
    ("az", &["^AZURECLI/"]),
    ("Terraform", &["^Go-http-client", "HashiCorp"]),
];

/// One thing that was seen: client, operation, API version.
type Seen = (String, String, String);

fn client(agent: &str) -> Option<&'static str> {
    let is = |mark: &&str| match mark.strip_prefix('^') {
        Some(start) => agent.starts_with(start),
        None => agent.contains(*mark),
    };
    CLIENTS.iter().find(|(_, marks)| marks.iter().any(is)).map(|(name, _)| *name)
}

/// A type's name in the casing of the catalogue.
fn official(namespace: &str, kind: &str) -> (String, String) {
    let known = catalog::find(namespace);
    let name = known.map_or(namespace, |namespace| namespace.name);
    let find = |kind: &str| {
        known.and_then(|known| known.types.iter().find(|entry| entry.name.eq_ignore_ascii_case(kind)))
    };
    let action = || {
        let (kind, action) = kind.rsplit_once('/')?;
        Some(format!("{}/{action}", find(kind)?.name))
    };
    let kind =
        find(kind).map(|entry| entry.name.to_owned()).or_else(action).unwrap_or_else(|| kind.to_owned());
    (name.to_owned(), kind)
}

/// A request without names and ids: `GET Microsoft.Kubernetes/connectedClusters`, a list with `s` of it: `LIST …`, an action with
/// its name behind the type.
fn operation(method: &str, path: &str) -> String {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let providers = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    let below = providers.map(|at| &segments[at + 1..]);
    let (name, whole) = match below {
        Some([namespace, path @ ..]) if !path.is_empty() => {
            let kind = path.iter().step_by(2).copied().collect::<Vec<_>>().join("/");
            let (namespace, kind) = official(namespace, &kind);
            (format!("{namespace}/{kind}"), path.len().is_multiple_of(2))
        }
        Some([namespace]) => {
            let (namespace, _) = official(namespace, "");
            (format!("providers ({namespace})"), true)
        }
        Some(_) => ("providers".to_owned(), false),
        None => {
            let kind = segments.iter().step_by(2).map(|kind| match kind.to_ascii_lowercase().as_str() {
                "resourcegroups" => "resourceGroups",
                _ => kind,
            });
            (kind.collect::<Vec<_>>().join("/"), segments.len().is_multiple_of(2))
        }
    };
    let method = if method == "GET" && !whole { "LIST" } else { method };
    format!("{method} {name}")
}

/// What a journal (`dryarc journal --output json`) tells of real clients.
fn of(journal: &[Value]) -> BTreeSet<Seen> {
    let one = |entry: &Value| {
        let facts = entry.get("facts").filter(|_| entry["actor"] == "arm" && entry["kind"] == "request")?;
        let text = |key: &str| facts.get(key).and_then(Value::as_str).unwrap_or_default();
        let good = facts["status"].as_u64().is_some_and(|status| (200..300).contains(&status));
        let ours = matches!(text("surface"), "arm" | "metadata");
        let client = client(text("userAgent")).filter(|_| good && ours)?;
        // The one raw request that `az connectedk8s` itself makes of Resource Manager.
        let own = client == "az rest" && text("path").to_ascii_lowercase().ends_with("/settings/default");
        let client = if own { "az" } else { client };
        Some((client.to_owned(), operation(text("method"), text("path")), text("apiVersion").to_owned()))
    };
    journal.iter().filter_map(one).collect()
}

fn folder() -> PathBuf {
    repository::root().join("fixtures/seen")
}

/// Holds what the world in this sandbox saw against what is kept for the test `name`. Of a test that never ran where the files were
/// made nothing is kept, and nothing is held: the table has no mark by it.
///
/// # Errors
/// A readable difference, or why there is no journal.
pub fn hold(name: &str, sandbox: &Sandbox) -> Result<(), String> {
    let file = folder().join(format!("{}.txt", name.replace("::", ".")));
    if !file.exists() && std::env::var_os("UPDATE_GOLDEN").is_none() {
        return Ok(());
    }
    let ran = sandbox.run(["journal", "--output", "json"]).map_err(|error| error.to_string())?;
    let journal: Vec<Value> =
        serde_json::from_str(&ran.stdout).map_err(|error| format!("{error}: {}", ran.stderr))?;
    let lines = of(&journal).into_iter().map(|(client, operation, version)| {
        let version = if version.is_empty() { "-".into() } else { version };
        format!("{client} | {operation} | {version}\n")
    });
    held_against(&file, &lines.collect::<String>())
}

/// Operation and API version, each with the clients that were seen with it.
type Rows = BTreeMap<(String, String), BTreeSet<String>>;

fn rows() -> Result<Rows, String> {
    let told = |error: std::io::Error| format!("fixtures/seen: {error}");
    let mut rows = Rows::new();
    for entry in folder().read_dir().map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        for line in std::fs::read_to_string(&path).map_err(told)?.lines() {
            let [client, operation, version] = line.split(" | ").collect::<Vec<_>>()[..] else {
                return Err(format!("{}: '{line}' is not CLIENT | OPERATION | VERSION", path.display()));
            };
            let (method, name) = operation.split_once(' ').unwrap_or(("", operation));
            let key = (format!("{name} {method}"), version.to_owned());
            rows.entry(key).or_default().insert(client.to_owned());
        }
    }
    Ok(rows)
}

/// The table that the kept files make.
///
/// # Errors
/// A file that cannot be read.
pub fn table() -> Result<String, String> {
    let names: Vec<&str> = CLIENTS.iter().map(|(name, _)| *name).collect();
    let mut text = format!(
        "# Seen working\n\n\
         Operation × API version × client: what succeeded in the worlds of the suites `clients` and `sdks`. Made from the files beside this one,\n\
         each of which a test writes from the journal of its world; written anew by `UPDATE_GOLDEN=1 cargo test -p e2e-tests`. A client whose suite\n\
         never ran to its end where this was written has no marks.\n\n\
         | operation | API version | {} |\n|---|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for ((operation, version), clients) in rows()? {
        let (name, method) = operation.rsplit_once(' ').unwrap_or((&operation, ""));
        let marks = names.iter().map(|name| if clients.contains(*name) { "yes" } else { "" });
        text.push_str(&format!(
            "| {method} {name} | {version} | {} |\n",
            marks.collect::<Vec<_>>().join(" | ")
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_told_without_names_and_in_the_official_casing() {
        let clusters = "/subscriptions/s/resourcegroups/g/providers/microsoft.kubernetes/ConnectedClusters";
        for (method, path, expected) in [
            ("PUT", "/subscriptions/s/resourcegroups/g".to_owned(), "PUT subscriptions/resourceGroups"),
            ("GET", "/subscriptions/s/resourceGroups".to_owned(), "LIST subscriptions/resourceGroups"),
            ("GET", clusters.to_owned(), "LIST Microsoft.Kubernetes/connectedClusters"),
            ("GET", format!("{clusters}/c"), "GET Microsoft.Kubernetes/connectedClusters"),
            (
                "POST",
                format!("{clusters}/c/listClusterUserCredential"),
                "POST Microsoft.Kubernetes/connectedClusters/listClusterUserCredential",
            ),
            ("GET", "/subscriptions/s/providers".to_owned(), "LIST providers"),
            ("GET", "/subscriptions/s/providers/X.Y".to_owned(), "GET providers (X.Y)"),
        ] {
            assert_eq!(operation(method, &path), expected);
        }
    }

    #[test]
    fn only_successes_of_known_clients_are_seen() {
        let entry = |agent: &str, status: u64| {
            json!({"actor": "arm", "kind": "request", "facts": {
                "surface": "arm", "method": "GET", "path": "/subscriptions/s", "status": status,
                "apiVersion": "2022-12-01", "userAgent": agent,
            }})
        };
        let journal = [
            entry("AZURECLI/2.91.0 azsdk-python-core/1.39.0", 200),
            entry("python/3.11.7 AZURECLI/2.91.0", 404),
            entry("azsdk-python-azure-mgmt-resource/1 Python/3.11", 200),
            entry("curl/8", 200),
        ];
        let clients: Vec<String> = of(&journal).into_iter().map(|(client, ..)| client).collect();
        assert_eq!(clients, ["Python SDK", "az"]);
    }
}
