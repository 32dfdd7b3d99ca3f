//! The plug-ins in a cluster: quotas, ranges, security levels, escalation, budgets.

use serde_json::{Value, json};

use crate::api::{Caller, DeleteOptions, WriteOptions};
use crate::controllers::testing::{TestCluster, deployment};
use crate::status::Status;

fn create_as(cluster: &TestCluster, caller: &Caller, object: Value) -> Result<Value, Status> {
    let kind = cluster.api.registry().of(&object).unwrap();
    let namespace = kind.namespaced.then_some("default");
    cluster.api.create(caller, &kind, namespace, object, &WriteOptions::default())
}

fn admin() -> Caller {
    Caller::controller("admin")
}

fn pod(name: &str, resources: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "app:1", "resources": resources}]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_kept_and_its_use_is_shown() {
    let cluster = TestCluster::start("quota").await;
    cluster.create(
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"pods": "2", "requests.cpu": "1", "count/deployments.apps": "1"}}}),
    );
    let refused = create_as(&cluster, &admin(), pod("none", json!({}))).unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"none\" is forbidden: failed quota: q: must specify requests.cpu for: c"
    );
    cluster.create(pod("a", json!({"requests": {"cpu": "600m"}})));
    let refused = create_as(&cluster, &admin(), pod("b", json!({"requests": {"cpu": "500m"}}))).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            403,
            "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1"
        )
    );
    cluster.create(deployment("one", 0, "app:1"));
    let refused = create_as(&cluster, &admin(), deployment("two", 0, "app:1")).unwrap_err();
    assert!(refused.message.contains("requested: count/deployments.apps=1, used: count/deployments.apps=1"));
    cluster.clock.quiet().await;
    let status = cluster.get("ResourceQuota", "q").unwrap()["status"].clone();
    assert_eq!(status["used"], json!({"count/deployments.apps": "1", "pods": "1", "requests.cpu": "600m"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_gives_defaults_and_bounds() {
    let cluster = TestCluster::start("range").await;
    cluster.create(json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "r", "namespace": "default"},
        "spec": {"limits": [{"type": "Container", "default": {"memory": "256Mi"}, "defaultRequest": {"memory": "128Mi"},
            "max": {"memory": "1Gi"}}]}}));
    let made = create_as(&cluster, &admin(), pod("p", json!({}))).unwrap();
    let resources = &made["spec"]["containers"][0]["resources"];
    assert_eq!(resources, &json!({"requests": {"memory": "128Mi"}, "limits": {"memory": "256Mi"}}));
    assert_eq!(
        made["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: memory request for container c; memory limit for container c"
    );
    let refused =
        create_as(&cluster, &admin(), pod("big", json!({"limits": {"memory": "2Gi"}}))).unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"big\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_enforces_its_security_level_and_warns_of_workloads() {
    let cluster = TestCluster::start("security").await;
    cluster.edit("Namespace", "default", |space| {
        space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("baseline");
    });
    let mut bad = pod("bad", json!({}));
    bad["spec"]["hostNetwork"] = json!(true);
    let refused = create_as(&cluster, &admin(), bad.clone()).unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"bad\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)"
    );
    let mut workload = deployment("web", 1, "app:1");
    workload["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    let made = create_as(&cluster, &admin(), workload).unwrap();
    let kind = cluster.api.kind("apps", "Deployment").unwrap();
    let warnings = super::warnings(&cluster.api, &kind, &made);
    assert_eq!(
        warnings,
        ["would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)"]
    );
    cluster.clock.quiet().await;
    assert!(cluster.list("Pod", "default").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hands_out_more_than_they_have() {
    let cluster = TestCluster::start("escalation").await;
    let group = "rbac.authorization.k8s.io";
    let role = |name: &str, verbs: Value| {
        json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": name, "namespace": "default"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]})
    };
    let binding = |name: &str, role: &str| {
        json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": "default"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
            "subjects": [{"kind": "User", "apiGroup": group, "name": "jane"}]})
    };
    cluster.create(role("readers", json!(["get", "list"])));
    cluster.create(role("writers", json!(["create"])));
    cluster.create(binding("jane-reads", "readers"));
    let jane = Caller {
        user: "jane".into(),
        groups: vec!["system:authenticated".into()],
        manager: "test".into(),
        ..Caller::default()
    };
    assert!(create_as(&cluster, &jane, role("own", json!(["list"]))).is_ok());
    let refused = create_as(&cluster, &jane, role("more", json!(["list", "delete"]))).unwrap_err();
    assert_eq!(
        refused.message,
        "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"jane\" (groups=[\"system:authenticated\"]) is \
         attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], \
         Verbs:[\"delete\"]}"
    );
    assert_eq!(create_as(&cluster, &jane, binding("jane-writes", "writers")).unwrap_err().code, 403);
    cluster.create(json!({"apiVersion": format!("{group}/v1"), "kind": "Role",
        "metadata": {"name": "binders", "namespace": "default"}, "rules": [
            {"apiGroups": [group], "resources": ["roles"], "verbs": ["bind"], "resourceNames": ["writers"]}]}));
    cluster.create(binding("jane-binds", "binders"));
    assert!(create_as(&cluster, &jane, binding("jane-writes", "writers")).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eviction_asks_the_budget() {
    let cluster = TestCluster::start("evict").await;
    cluster.create(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    }));
    cluster.create(deployment("web", 2, "nginx:1"));
    cluster.clock.quiet().await;
    let kind = cluster.api.kind("", "Pod").unwrap();
    let names: Vec<String> = cluster
        .list("Pod", "default")
        .iter()
        .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    let evict = |name: &str| {
        super::evict(&cluster.api, &admin(), &kind, Some("default"), name, &DeleteOptions::default())
    };
    let refused = evict(&names[0]).unwrap_err();
    assert_eq!(refused.code, 429);
    assert_eq!(refused.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    let cause = refused.details.unwrap()["causes"][0]["message"].clone();
    assert_eq!(cause, "The disruption budget web needs 2 healthy pods and has 2 currently");
    cluster.edit("PodDisruptionBudget", "web", |budget| budget["spec"]["maxUnavailable"] = json!(1));
    cluster.clock.quiet().await;
    evict(&names[0]).unwrap();
    let budget = cluster.get("PodDisruptionBudget", "web").unwrap();
    assert!(budget["status"]["disruptedPods"].is_object() || budget["status"]["expectedPods"] == 2);
}
