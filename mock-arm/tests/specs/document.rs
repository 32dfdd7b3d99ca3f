//! API descriptions, and which of their operations concern what is modelled.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

/// One operation of a document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) document: Arc<Value>,
    /// The file it stands in.
    file: String,
    /// The method, in upper case.
    pub(crate) method: String,
    /// The path with its parameters, without the query.
    pub(crate) path: String,
    pub(crate) version: String,
    /// Its description.
    pub(crate) value: Value,
}

/// The files that are looked at.
const FILES: &[&str] =
    &["connectedClusters", "customLocations", "kubernetesConfiguration", "hybridCompute", "resources"];

/// Ends of the paths that are modelled; parameters are written as `{}`.
const MODELLED: &[&str] = &[
    "/Microsoft.Kubernetes/connectedClusters",
    "/Microsoft.Kubernetes/connectedClusters/{}",
    "/connectedClusters/{}/listClusterUserCredential",
    "/Microsoft.Kubernetes/operations",
    "/Microsoft.KubernetesConfiguration/extensions",
    "/Microsoft.KubernetesConfiguration/extensions/{}",
    "/extensions/{}/operations/{}",
    "/Microsoft.ExtendedLocation/customLocations",
    "/Microsoft.ExtendedLocation/customLocations/{}",
    "/Microsoft.HybridCompute/gateways",
    "/Microsoft.HybridCompute/gateways/{}",
    "/Microsoft.HybridCompute/privateLinkScopes",
    "/Microsoft.HybridCompute/privateLinkScopes/{}",
    "/Microsoft.HybridCompute/privateLinkScopes/{}/privateLinkResources",
    "/Microsoft.HybridCompute/privateLinkScopes/{}/privateLinkResources/{}",
    "/Microsoft.HybridCompute/privateLinkScopes/{}/privateEndpointConnections",
    "/Microsoft.HybridCompute/settings/{}",
    "/subscriptions/{}/resourcegroups",
    "/subscriptions/{}/resourcegroups/{}",
    "/subscriptions/{}/resources",
    "/subscriptions/{}/resourceGroups/{}/resources",
    "/subscriptions/{}/providers",
    "/subscriptions/{}/providers/{}",
    "/subscriptions/{}/providers/{}/register",
    "/subscriptions/{}/providers/{}/unregister",
    "/providers",
    "/providers/{}",
    "/{}/providers/Microsoft.Resources/tags/default",
];

/// A path with its parameters blanked.
fn blank(path: &str) -> String {
    let blanked = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(blanked).collect::<Vec<_>>().join("/")
}

fn is_modelled(path: &str) -> bool {
    let blanked = blank(path);
    let whole = |one: &str| {
        one.starts_with("/subscriptions") || one.starts_with("/{}") || one.matches('/').count() < 3
    };
    MODELLED.iter().any(|one| {
        if whole(one) && !one.contains("Microsoft.K") { blanked == *one } else { blanked.ends_with(one) }
    })
}

/// The operations of the folder's documents that concern what is modelled.
pub(crate) fn operations(folder: &Path) -> Vec<Operation> {
    let mut files: Vec<_> = folder.read_dir().unwrap().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().flat_map(|file| read(&file)).collect()
}

fn read(file: &Path) -> Vec<Operation> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    if !FILES.iter().any(|start| name.starts_with(start)) || !name.ends_with(".yaml") {
        return Vec::new();
    }
    let document: Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let document = Arc::new(document);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.trim_end_matches('/');
        let version = query.split("api-version=").nth(1).unwrap_or_default();
        for method in ["get", "head", "put", "patch", "post", "delete"] {
            if let Some(value) = item.get(method).filter(|_| is_modelled(path)) {
                found.push(Operation {
                    document: document.clone(),
                    file: name.trim_end_matches(".openapi.yaml").to_owned(),
                    method: method.to_uppercase(),
                    path: path.to_owned(),
                    version: version.to_owned(),
                    value: value.clone(),
                });
            }
        }
    }
    found
}

impl Operation {
    /// The name of the test.
    pub(crate) fn title(&self) -> String {
        format!("{} {} {}", self.file, self.method, blank(&self.path))
    }

    /// Whether the document's status codes mean something: those made from an SDK list one only.
    pub(crate) fn knows_statuses(&self) -> bool {
        !self.file.contains("sdk-derived")
    }

    /// The schema of the body that clients send.
    pub(crate) fn request(&self) -> Option<&Value> {
        let content = self.resolve(self.value.get("requestBody")?).get("content")?.as_object()?;
        content.values().next()?.get("schema")
    }

    /// The schema of the body with this status; `None` when the document does not list the status, `Some(None)` when
    /// there is no body.
    pub(crate) fn response(&self, status: &str) -> Option<Option<&Value>> {
        let response = self.resolve(self.value["responses"].get(status)?);
        let content = response.get("content").and_then(Value::as_object);
        Some(content.and_then(|content| content.values().next()?.get("schema")))
    }

    /// Follows references.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..8 {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { break };
            value = self.document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
        }
        value
    }
}
