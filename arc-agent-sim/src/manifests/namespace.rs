//! Namespace `azure-arc`.

use serde_json::{Value, json};

use super::NAMESPACE;

/// The namespace, stamped as Helm's: from agent 1.35.3 the CLI makes it before the release is installed, so that the
/// onboarding key goes into a Secret and never through Helm values.
pub(super) fn azure_arc() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {
                "admission.policy.azure.com/ignore": "true",
                "app.kubernetes.io/managed-by": "Helm",
                "control-plane": "true",
            },
            "annotations": {
                "meta.helm.sh/release-name": "azure-arc",
                "meta.helm.sh/release-namespace": "azure-arc-release",
            },
        },
    })
}
