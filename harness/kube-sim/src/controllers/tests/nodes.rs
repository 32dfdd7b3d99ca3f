//! Nodes that differ, nodes that go down, and budgets.

use serde_json::json;
use sim_core::faults::Rule;

use crate::controllers::objects::is_true;
use crate::controllers::testing::{TestCluster, deployment, shell_pod};
use crate::kubelet::{NodeSpec, nodes, parse_nodes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_go_where_the_profiles_of_nodes_let_them() {
    let profiles = ["count=2,cpu=2", "name=arm,arch=arm64,label=pool=small,taint=arch=arm64:NoSchedule"];
    let groups: Vec<_> = profiles.iter().map(|profile| parse_nodes(profile).unwrap()).collect();
    let cluster = TestCluster::start_with("node-profiles", nodes(&groups)).await;
    let node = cluster.get("Node", "arm-1").unwrap();
    assert_eq!(node["metadata"]["labels"]["kubernetes.io/arch"], "arm64");
    assert_eq!(node["metadata"]["labels"]["pool"], "small");
    assert_eq!(node["status"]["nodeInfo"]["architecture"], "arm64");
    assert_eq!(node["spec"]["taints"], json!([{"key": "arch", "value": "arm64", "effect": "NoSchedule"}]));
    assert_eq!(cluster.get("Node", "node-2").unwrap()["status"]["capacity"]["cpu"], "2");
    let pod = |name: &str, more: serde_json::Value| {
        let mut pod = shell_pod(name, "sleep 600", "Always");
        for (key, value) in more.as_object().unwrap() {
            pod["spec"][key] = value.clone();
        }
        cluster.create(pod);
    };
    let arm = json!({"kubernetes.io/arch": "arm64"});
    pod("shy", json!({"nodeSelector": arm}));
    pod("bold", json!({"nodeSelector": arm, "tolerations": [{"key": "arch", "operator": "Exists"}]}));
    pod("any", json!({}));
    cluster.clock.quiet().await;
    let place = |name: &str| cluster.get("Pod", name).unwrap()["spec"]["nodeName"].clone();
    assert_eq!(place("bold"), "arm-1");
    assert!(place("any").as_str().is_some_and(|node| node.starts_with("node-")));
    assert!(place("shy").is_null());
    let why = cluster.events("FailedScheduling");
    assert!(
        why.iter().any(|why| why.starts_with("0/3 nodes are available: 1 node(s) had untolerated taint")),
        "{why:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_leave_a_node_that_stopped_reporting_after_five_minutes() {
    let nodes = ["a", "b"].map(|name| NodeSpec { name: name.into(), ..NodeSpec::default() });
    let cluster = TestCluster::start_with("node-down", nodes.to_vec()).await;
    cluster.create(deployment("web", 2, "nginx:1"));
    cluster.clock.quiet().await;
    let on = |node: &str, going: bool| {
        let pods = cluster.list("Pod", "default");
        let here = pods.iter().filter(|pod| pod["spec"]["nodeName"] == node);
        here.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null() != going).count()
    };
    assert_eq!((on("a", false), on("b", false)), (1, 1), "pods are spread");
    let rule = json!({"id": "down", "hook": "kubelet", "match": {"facts": {"action": "heartbeat", "node": "a"}},
        "effect": "hang"});
    cluster.faults.add(serde_json::from_value::<Rule>(rule).unwrap());
    cluster.advance(300).await;
    let node = cluster.get("Node", "a").unwrap();
    assert!(!is_true(&node, "Ready"));
    let taints: Vec<_> =
        node["spec"]["taints"].as_array().unwrap().iter().map(|taint| taint["effect"].clone()).collect();
    assert_eq!(taints, [json!("NoSchedule"), json!("NoExecute")]);
    let pod = cluster.list("Pod", "default").into_iter().find(|pod| pod["spec"]["nodeName"] == "a").unwrap();
    assert!(!is_true(&pod, "Ready") && on("a", true) == 0, "it is unready but tolerated for a while");
    cluster.advance(299).await;
    assert_eq!((on("a", true), on("b", false)), (0, 1));
    cluster.advance(1).await;
    assert_eq!((on("a", true), on("b", false)), (1, 2), "it leaves, and another takes its place");
    assert_eq!(cluster.events("TaintManagerEviction").len(), 1);
    cluster.faults.clear(Some("down"));
    cluster.advance(300).await;
    assert!(is_true(&cluster.get("Node", "a").unwrap(), "Ready"));
    assert_eq!(
        (on("a", true), on("a", false), on("b", false)),
        (0, 0, 2),
        "the node ends what it was told to end"
    );
    assert!(cluster.get("Node", "a").unwrap()["spec"]["taints"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_counts_what_may_be_evicted() {
    let cluster = TestCluster::start("budget").await;
    cluster.create(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "web"}}},
    }));
    cluster.create(deployment("web", 3, "nginx:1"));
    cluster.clock.quiet().await;
    let status = cluster.get("PodDisruptionBudget", "web").unwrap()["status"].clone();
    assert_eq!(
        (
            &status["expectedPods"],
            &status["desiredHealthy"],
            &status["currentHealthy"],
            &status["disruptionsAllowed"]
        ),
        (&json!(3), &json!(2), &json!(3), &json!(1))
    );
    assert_eq!(status["conditions"][0]["reason"], "SufficientPods");
}
