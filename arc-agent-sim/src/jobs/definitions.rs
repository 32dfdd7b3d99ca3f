//! Whether the agents' definitions are owned by another Helm release.

use kube::Client;
use serde_json::Value;

use crate::manifests;

/// A line for each definition of the agents that another release than theirs owns; installing the agents over it would
/// fail.
pub(super) async fn foreign(kube: &Client) -> Vec<String> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let Ok(request) = http::Request::get(path).body(Vec::new()) else { return Vec::new() };
    let Ok(list) = kube.request::<Value>(request).await else { return Vec::new() };
    let known: Vec<String> = manifests::custom_resource_definitions().iter().map(name).collect();
    let items = list.get("items").and_then(Value::as_array);
    items.into_iter().flatten().filter(|item| known.contains(&name(item))).filter_map(complaint).collect()
}

fn name(object: &Value) -> String {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn complaint(definition: &Value) -> Option<String> {
    let annotation = |key: &str| definition.pointer("/metadata/annotations")?.get(key)?.as_str();
    let release = annotation("meta.helm.sh/release-name")?;
    let namespace = annotation("meta.helm.sh/release-namespace").unwrap_or_default();
    let own = release == manifests::RELEASE && namespace == manifests::RELEASE_NAMESPACE;
    let name = name(definition);
    (!own).then(|| {
        format!("Check Failed: CRD {name} is owned by Helm release {release} in namespace {namespace}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn definitions_of_other_releases_are_told() {
        let of = |release: &str| {
            complaint(&json!({"metadata": {
                "name": "gitconfigs.clusterconfig.azure.com",
                "annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": "azure-arc-release"},
            }}))
        };
        assert_eq!(of("azure-arc"), None);
        assert!(of("other").unwrap().starts_with("Check Failed: CRD gitconfigs.clusterconfig.azure.com"));
        assert_eq!(complaint(&json!({"metadata": {"name": "x"}})), None);
    }
}
