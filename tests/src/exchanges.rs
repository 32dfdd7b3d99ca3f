//! Exchanges of `az connectedk8s`, recorded from the journal of a run of the real extension, a file a verb, and what can be held
//! against them: the simulated cloud, a fresh run of the extension, the native driver.

use std::collections::BTreeMap;
use std::path::PathBuf;

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::repository;

/// One request, and what the client reads from its reply.
#[derive(Debug, Clone)]
pub struct Exchange(Value);

impl Exchange {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn list(&self, key: &str) -> Vec<&str> {
        let items = self.0.get(key).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.text("method")
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text("host")
    }

    /// The path, with names in braces for what differs between runs.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text("path")
    }

    /// The query's parameters.
    pub fn query(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.0.get("query").and_then(Value::as_object);
        query.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// The body; a text in braces stands for something that came before.
    #[must_use]
    pub fn body(&self) -> Option<&Value> {
        self.0.get("body")
    }

    /// The audience of the token, or none without one.
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        if self.0.get("anonymous").is_some() {
            return None;
        }
        Some(self.0.get("audience").and_then(Value::as_str).unwrap_or("https://management.core.windows.net/"))
    }

    /// The status of the reply.
    #[must_use]
    pub fn status(&self) -> u64 {
        self.0.get("status").and_then(Value::as_u64).unwrap_or_default()
    }

    /// JSON pointers of what the client reads; a key with dots is one step.
    #[must_use]
    pub fn reads(&self) -> Vec<&str> {
        self.list("reads")
    }

    /// Headers that the client reads.
    #[must_use]
    pub fn headers(&self) -> Vec<&str> {
        self.list("headers")
    }

    /// Where the reply says how far it is, and what it says at the end.
    #[must_use]
    pub fn until(&self) -> Option<(&str, &str)> {
        match self.list("until")[..] {
            [pointer, value] => Some((pointer, value)),
            _ => None,
        }
    }

    /// Why the native driver does not send it, if it does not.
    #[must_use]
    pub fn not_native(&self) -> Option<&str> {
        self.0.get("native").and_then(Value::as_str)
    }

    /// Method, host and path: what runs are compared by.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}{}", self.method(), self.host(), self.path())
    }
}

/// The verbs that are recorded, in the order in which they were performed on one cluster, with their options.
pub const VERBS: &[(&str, &[&str])] = &[
    ("connect", &[]),
    ("show", &[]),
    ("list", &[]),
    ("update", &["--tags", "team=a", "--auto-upgrade", "false"]),
    ("upgrade", &[]),
    ("enable-features", &["--features", "azure-rbac"]),
    ("disable-features", &["--features", "azure-rbac", "--yes"]),
    ("delete", &["--yes"]),
];

/// The recorded exchanges of a verb.
///
/// # Errors
/// A file that is not there or no JSON.
pub fn recorded(verb: &str) -> Result<Vec<Exchange>, String> {
    let file: PathBuf = repository::root().join(format!("fixtures/exchanges/connectedk8s-{verb}.json"));
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(&file).map_err(|error| told(&error))?;
    let all: Vec<Value> = serde_json::from_str(&text).map_err(|error| told(&error))?;
    Ok(all.into_iter().map(Exchange).collect())
}

/// What differs between runs, and its name in the recording.
const RULES: &[(&str, &str)] = &[
    (r"^/subscriptions/[^/]+", "/subscriptions/{sub}"),
    (r"/resourcegroups/[^/]+", "/resourcegroups/{group}"),
    (r"/resourceGroups/[^/]+", "/resourceGroups/{group}"),
    (r"/connectedClusters/[^/]+$", "/connectedClusters/{cluster}"),
    (r"/locations/[^/]+/operationStatuses/[^/]+$", "/locations/{LOCATION}/operationStatuses/{operation}"),
    (r"/sha256:[0-9a-f]+$", "/{digest}"),
];

/// The requests of onboarding in a journal (`dryarc journal --output json`), one line each: without logins, without what
/// agents and checks in the cluster send, without the data hosts that blobs are on, and repetitions only once.
#[must_use]
pub fn requests(journal: &[Value]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for entry in journal {
        let facts: &Map<String, Value> = match entry.get("facts").and_then(Value::as_object) {
            Some(facts) if entry["actor"] == "arm" && entry["kind"] == "request" => facts,
            _ => continue,
        };
        let text = |key: &str| facts.get(key).and_then(Value::as_str).unwrap_or_default();
        let (surface, path) = (text("surface"), text("path"));
        let of_agents = surface == "agents" && !path.starts_with("/azure-arc-k8sagents");
        if of_agents
            || ["identity", "relay"].contains(&surface)
            || path == "/"
            || text("host").contains(".data.")
        {
            continue;
        }
        let mut path = path.to_owned();
        for (pattern, name) in RULES {
            if let Ok(rule) = Regex::new(pattern) {
                path = rule.replace_all(&path, *name).into_owned();
            }
        }
        let line = format!("{} {}{path}", text("method"), text("host"));
        if all.last() != Some(&line) {
            all.push(line);
        }
    }
    all
}

/// The values behind the names in braces.
#[derive(Debug, Default, Clone)]
pub struct Names(BTreeMap<String, Value>);

impl Names {
    /// Gives a name a value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(format!("{{{name}}}"), value.into());
    }

    /// A text with every name replaced.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| match value.as_str() {
            Some(value) => text.replace(name, value),
            None => text,
        })
    }

    /// A body with every name replaced, by a whole value where a text is nothing but a name.
    #[must_use]
    pub fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                self.0.get(text).cloned().unwrap_or_else(|| Value::String(self.fill(text)))
            }
            Value::Object(map) => {
                map.iter().map(|(key, value)| (key.clone(), self.fill_value(value))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.fill_value(item)).collect(),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_journal_becomes_lines_without_what_differs() {
        let entry = |surface: &str, host: &str, path: &str| json!({"actor": "arm", "kind": "request", "facts": {"method": "GET", "host": host, "path": path, "surface": surface}});
        let group = "/subscriptions/1/resourceGroups/g";
        let journal = [
            entry(
                "arm",
                "management.azure.com",
                &format!("{group}/providers/Microsoft.Kubernetes/connectedClusters/c"),
            ),
            entry(
                "arm",
                "management.azure.com",
                &format!("{group}/providers/Microsoft.Kubernetes/connectedClusters/c"),
            ),
            entry("agents", "gbl.his.arc.azure.com", "/discovery"),
            entry("relay", "azgnrelay-ph0-l1.servicebus.windows.net", "/$hc/c"),
            entry("registry", "mcr.microsoft.com", "/v2/a/blobs/sha256:00"),
            entry("registry", "eastus.data.mcr.microsoft.com", "/v2/a/blobs/sha256:00"),
        ];
        assert_eq!(
            requests(&journal),
            [
                "GET management.azure.com/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{cluster}",
                "GET mcr.microsoft.com/v2/a/blobs/{digest}",
            ]
        );
    }
}
