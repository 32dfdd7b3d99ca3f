//! Namespace `azure-arc`.

use serde_json::{Value, json};

use super::NAMESPACE;

pub(super) fn azure_arc() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": { "admission.policy.azure.com/ignore": "true", "control-plane": "true" },
        },
    })
}
