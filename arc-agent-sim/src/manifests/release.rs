//! What marks an object as part of the agents' Helm release.

use serde_json::{Value, json};

/// Name of the agents' chart.
pub const CHART: &str = "azure-arc-k8sagents";
/// Name of the agents' release.
pub const RELEASE: &str = "azure-arc";
/// Namespace that Helm keeps the release in.
pub const RELEASE_NAMESPACE: &str = "azure-arc-release";

/// The object with the label and the annotations that Helm puts on what it owns. Without them `helm upgrade` refuses to
/// take over an object that it finds.
#[must_use]
pub fn owned(object: Value) -> Value {
    owned_by(RELEASE, object)
}

/// The same for another release in the same namespace.
#[must_use]
pub fn owned_by(release: &str, mut object: Value) -> Value {
    let metadata = &mut object["metadata"];
    for (field, entries) in [
        ("labels", json!({ "app.kubernetes.io/managed-by": "Helm" })),
        (
            "annotations",
            json!({ "meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": RELEASE_NAMESPACE }),
        ),
    ] {
        if !metadata[field].is_object() {
            metadata[field] = json!({});
        }
        if let (Some(known), Some(more)) = (metadata[field].as_object_mut(), entries.as_object()) {
            known.extend(more.clone());
        }
    }
    object
}

/// The template of the chart that an object of the agents comes from.
#[must_use]
pub fn template_of(object: &Value) -> &'static str {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let name = text("/metadata/name");
    match text("/kind") {
        "Namespace" => "namespace.yaml",
        "ConfigMap" => "configmaps.yaml",
        "Secret" => "secrets.yaml",
        "Deployment" => "deployments.yaml",
        _ if name.contains("kube-aad-proxy") => "cluster-connect.yaml",
        _ if name.starts_with("AzureArc-") => "custom-locations.yaml",
        "Service" => "services.yaml",
        "ConnectedCluster" | "SigningKey" => "custom-objects.yaml",
        _ => "rbac.yaml",
    }
}
