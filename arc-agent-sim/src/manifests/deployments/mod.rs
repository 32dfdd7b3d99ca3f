//! The agents' Deployments: the ten of the quickstart page, and those that switches add.

mod pod;
mod table;

use serde_json::{Value, json};

use super::{APP, AgentSettings, COMPONENT, NAMESPACE, config_map};
use table::Agent;

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let checksum = config_map::checksum(settings);
    table::agents(settings).iter().map(|agent| deployment(settings, agent, &checksum)).collect()
}

fn deployment(settings: &AgentSettings, agent: &Agent, checksum: &str) -> Value {
    let labels = json!({ (APP.0): APP.1, (COMPONENT): agent.name });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": agent.name, "namespace": NAMESPACE, "labels": labels },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        "checksum/configuration": checksum,
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": "8080",
                    },
                },
                "spec": pod::spec(settings, agent),
            },
        },
    })
}
