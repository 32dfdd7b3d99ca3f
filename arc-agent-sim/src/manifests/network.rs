//! Services and the network policy.

use serde_json::{Value, json};

use super::{APP, AgentSettings, COMPONENT, NAMESPACE};

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let mut all = vec![service("flux-logs-agent", &[("http", 80, 8082)])];
    if settings.cluster_connect {
        all.push(service("kube-aad-proxy", &[("https", 443, 8443), ("http", 8080, 8080)]));
        all.push(aad_proxy_policy());
    }
    all
}

/// A Service in front of the agent of the same name; ports are name, port, target.
fn service(agent: &str, ports: &[(&str, u16, u16)]) -> Value {
    let ports: Vec<Value> = ports
        .iter()
        .map(|(name, port, target)| json!({ "name": name, "port": port, "protocol": "TCP", "targetPort": target }))
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": agent, "namespace": NAMESPACE },
        "spec": { "type": "ClusterIP", "selector": { (APP.0): APP.1, (COMPONENT): agent }, "ports": ports },
    })
}

/// Only pods of the namespace may talk to the proxy.
fn aad_proxy_policy() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": "kube-aad-proxy-network-policy", "namespace": NAMESPACE },
        "spec": {
            "podSelector": { "matchLabels": { (COMPONENT): "kube-aad-proxy" } },
            "policyTypes": ["Ingress"],
            "ingress": [{ "from": [{ "podSelector": {} }] }],
        },
    })
}
