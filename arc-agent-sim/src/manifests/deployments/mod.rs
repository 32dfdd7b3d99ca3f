//! The ten Deployments of the quickstart page.

mod pod;
mod table;

use serde_json::{Value, json};

use super::{APP, AgentSettings, COMPONENT, NAMESPACE};
use crate::role::Role;

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let deployed = |role: &Role| {
        settings.cluster_connect || !matches!(role, Role::ClusterConnectAgent | Role::KubeAadProxy)
    };
    Role::all().filter(deployed).map(|role| deployment(settings, role)).collect()
}

fn deployment(settings: &AgentSettings, role: Role) -> Value {
    let labels = json!({ (APP.0): APP.1, (COMPONENT): role.name() });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": role.name(), "namespace": NAMESPACE, "labels": labels },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": { "prometheus.io/scrape": "true", "prometheus.io/port": "8080" },
                },
                "spec": pod::spec(settings, role),
            },
        },
    })
}
