//! The custom objects that the installation makes.

use serde_json::{Value, json};

use super::{AgentSettings, NAMESPACE};

/// The object through which metadata reaches Azure.
pub(crate) const CLUSTER_METADATA: &str = "clustermetadata";

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let mut all = vec![cluster_metadata(settings)];
    if settings.cluster_connect {
        all.push(aad_proxy_certificate());
    }
    if settings.oidc_issuer {
        all.push(signing_key());
    }
    all
}

fn cluster_metadata(settings: &AgentSettings) -> Value {
    let id = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Kubernetes/connectedClusters/{}",
        settings.subscription, settings.resource_group, settings.name
    );
    json!({
        "apiVersion": "arc.azure.com/v1beta1",
        "kind": "ConnectedCluster",
        "metadata": { "name": CLUSTER_METADATA, "namespace": NAMESPACE, "labels": { "azuresync": "true" } },
        "spec": { "azureResourceId": id },
    })
}

/// Its reconciliation makes Secret `kube-aad-proxy-certificate`, without which the proxy's pod does not start.
fn aad_proxy_certificate() -> Value {
    json!({
        "apiVersion": "clusterconfig.azure.com/v1beta1",
        "kind": "ArcCertificate",
        "metadata": { "name": "kube-aad-proxy", "namespace": NAMESPACE },
        "spec": { "issuer": "self", "serviceName": "kube-aad-proxy" },
    })
}

/// The cluster's key for service account tokens, with the OIDC issuer only.
fn signing_key() -> Value {
    json!({
        "apiVersion": "clusterconfig.azure.com/v1beta1",
        "kind": "SigningKey",
        "metadata": { "name": "signingkey", "namespace": NAMESPACE },
        "spec": {},
    })
}
