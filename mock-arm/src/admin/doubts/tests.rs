use sim_core::faults::Rule;

use super::doubts;

fn of(hook: &str, facts: &str) -> String {
    let effect = if hook == "settle" || hook == "kubelet" { "stuck" } else { "reset" };
    let text = format!(r#"{{"hook":"{hook}","match":{{"facts":{facts}}},"effect":"{effect}"}}"#);
    let rule: Rule = serde_json::from_str(&text).unwrap();
    doubts(&rule).join("; ")
}

#[test]
fn a_rule_on_what_there_is_raises_no_doubt() {
    for (hook, facts) in [
        ("wire", r#"{"host":"management.azure.com","method":"CONNECT"}"#),
        ("wire", r#"{"host":"*.servicebus.windows.net","hop":"cluster-proxy"}"#),
        ("wire", r#"{"host":"example.com","route":"allowed"}"#),
        ("wire", r#"{"host":"eastus.dp.kubernetesconfiguration.azure.com"}"#),
        ("before", r#"{"method":"PUT","path":"*/connectedClusters/*"}"#),
        ("before", r#"{"method":"P*","path":"*/providers/Microsoft.Kubernetes/connectedClusters/edge-1"}"#),
        ("before", r#"{"method":"POST","path":"*/listClusterUserCredential"}"#),
        ("before", r#"{"method":"HEAD","path":"*/resourcegroups/my-group"}"#),
        ("before", r#"{"path":"*/resourceGroups/rg-1/providers/*"}"#),
        ("before", r#"{"host":"127.0.0.1","path":"/metadata/endpoints"}"#),
        ("before", r#"{"route":"Microsoft.Kubernetes/connectedClusters","method":"DELETE"}"#),
        ("before", r#"{"route":"identity","surface":"identity","method":"POST"}"#),
        ("after", r#"{"route":"Microsoft.Resources/*","status":"2*"}"#),
        ("settle", r#"{"operation":"*/resourceGroups/delete"}"#),
        ("settle", r#"{"operation":"Microsoft.Kubernetes/register/action"}"#),
        ("settle", r#"{"operation":"microsoft.kubernetes/connectedclusters/write"}"#),
        ("kubelet", r#"{"action":"start","container":"anything"}"#),
        ("kubelet", r#"{"action":"heartbeat","node":"node-1"}"#),
    ] {
        assert_eq!(of(hook, facts), "", "{hook} {facts}");
    }
}

#[test]
fn a_rule_on_what_there_is_not_names_what_is_near() {
    for (hook, facts, said) in [
        ("wire", r#"{"host":"managment.azure.com"}"#, "did you mean 'management.azure.com'?"),
        (
            "wire",
            r#"{"host":"eastus.dp.kubernetesconfigration.azure.com"}"#,
            "did you mean '*.dp.kubernetesconfiguration.azure.com'?",
        ),
        ("wire", r#"{"host":"*.servicebus.window.net"}"#, "did you mean"),
        ("wire", r#"{"hop":"cluster_proxy"}"#, "did you mean 'cluster-proxy'?"),
        ("wire", r#"{"method":"CONECT"}"#, "did you mean 'CONNECT'?"),
        ("wire", r#"{"route":"open"}"#, "it is one of routed, allowed"),
        ("before", r#"{"host":"example.com"}"#, "does not serve 'example.com'"),
        ("before", r#"{"method":"CONNECT"}"#, "it is one of GET"),
        ("before", r#"{"path":"*/connectedCluster/*"}"#, "did you mean 'connectedClusters'?"),
        ("before", r#"{"path":"*/resourceGroup/x"}"#, "did you mean 'resourceGroups'?"),
        (
            "before",
            r#"{"path":"*/providers/Microsoft.Kubernets/connectedClusters/*"}"#,
            "Microsoft.Kubernetes'?",
        ),
        (
            "before",
            r#"{"path":"*/providers/Microsoft.Kubernetes/connectedCluster/*"}"#,
            "did you mean 'connectedClusters'?",
        ),
        (
            "before",
            r#"{"route":"Microsoft.Kubernetes/connectedCluster"}"#,
            "did you mean 'Microsoft.Kubernetes/connectedClusters'?",
        ),
        (
            "before",
            r#"{"method":"POST","path":"*/connectedClusters/edge-1"}"#,
            "does not take POST, but GET, PUT, PATCH, DELETE",
        ),
        ("before", r#"{"method":"PUT","path":"*/connectedClusters"}"#, "does not take PUT, but GET"),
        (
            "after",
            r#"{"method":"POST","route":"Microsoft.ExtendedLocation/customLocations"}"#,
            "Microsoft.ExtendedLocation/customLocations does not take POST",
        ),
        ("before", r#"{"surface":"entra"}"#, "it is one of arm"),
        ("after", r#"{"status":"4299"}"#, "three digits"),
        (
            "settle",
            r#"{"operation":"Microsoft.Kubernetes/connectedCluster/write"}"#,
            "connectedClusters/write'?",
        ),
        ("kubelet", r#"{"action":"pull"}"#, "it is one of start, heartbeat"),
        ("kubelet", r#"{"action":"heartbeat","pod":"x"}"#, "a node's heartbeat has no 'pod'"),
    ] {
        let told = of(hook, facts);
        assert!(told.contains(said), "{hook} {facts}: {told}");
    }
}
