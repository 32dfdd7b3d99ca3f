//! The controllers together, with scripted containers on a clock that stands still.

mod batch;
mod definitions;
mod nodes;
mod sets;

use serde_json::{Value, json};

use super::objects::is_true;
use super::testing::{TestCluster, deployment, state};
use crate::api::{DeleteOptions, Propagation};

fn complete(cluster: &TestCluster, name: &str, replicas: i64) -> bool {
    let deployment = cluster.get("Deployment", name).unwrap_or_default();
    let status = &deployment["status"];
    is_true(&deployment, "Progressing")
        && status["observedGeneration"] == deployment["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "availableReplicas", "readyReplicas"]
            .iter()
            .all(|field| status[*field] == json!(replicas))
}

fn sizes(cluster: &TestCluster) -> Vec<(i64, String)> {
    let sets = cluster.list("ReplicaSet", "default");
    let mut sizes: Vec<_> = sets
        .iter()
        .map(|set| {
            let revision = &set["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
            (set["spec"]["replicas"].as_i64().unwrap(), revision.as_str().unwrap_or_default().to_owned())
        })
        .collect();
    sizes.sort();
    sizes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_rolls_out_over_and_back() {
    let cluster = TestCluster::start("rollout").await;
    cluster.create(deployment("web", 3, "nginx:1"));
    cluster.until("first rollout", |cluster| complete(cluster, "web", 3)).await;
    assert_eq!(sizes(&cluster), [(3, "1".into())]);
    let set = cluster.list("ReplicaSet", "default").remove(0);
    let hash = set["metadata"]["labels"]["pod-template-hash"].as_str().unwrap().to_owned();
    assert_eq!(set["metadata"]["name"], format!("web-{hash}"));
    let pod = cluster.list("Pod", "default").remove(0);
    let suffix =
        pod["metadata"]["name"].as_str().unwrap().strip_prefix(&format!("web-{hash}-")).unwrap().to_owned();
    assert_eq!(suffix.len(), 5);
    let image = |image: &'static str| {
        move |object: &mut Value| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        }
    };
    cluster.edit("Deployment", "web", image("nginx:2"));
    cluster.until("second rollout", |cluster| complete(cluster, "web", 3) && sizes(cluster).len() == 2).await;
    cluster.clock.quiet().await;
    assert_eq!(sizes(&cluster), [(0, "1".into()), (3, "2".into())]);
    cluster.edit("Deployment", "web", image("nginx:1"));
    cluster.clock.quiet().await;
    assert_eq!(sizes(&cluster), [(0, "2".into()), (3, "3".into())]);
    let web = cluster.get("Deployment", "web").unwrap();
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
    cluster.edit("Deployment", "web", |object| object["spec"]["replicas"] = json!(1));
    cluster.clock.quiet().await;
    assert!(complete(&cluster, "web", 1));
    assert!(
        cluster
            .events("ScalingReplicaSet")
            .iter()
            .any(|event| event.starts_with("Scaled down replica set web-"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_cannot_proceed_keeps_the_old_pods_and_times_out() {
    let cluster = TestCluster::start("stuck").await;
    cluster.create(deployment("web", 2, "nginx:1"));
    cluster.clock.quiet().await;
    cluster.edit("Deployment", "web", |object| {
        object["spec"]["template"]["metadata"]["annotations"] =
            json!({"kube-sim.dryarc.dev/life": "ImagePullBackOff"});
    });
    cluster.clock.quiet().await;
    let running = cluster.list("Pod", "default").iter().filter(|pod| state(pod) == "running").count();
    assert_eq!(running, 2);
    cluster.advance(601).await;
    let web = cluster.get("Deployment", "web").unwrap();
    let progressing = super::objects::condition(&web, "Progressing").unwrap();
    assert_eq!(progressing["reason"], "ProgressDeadlineExceeded");
    assert!(is_true(&web, "Available"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_deleted_is_replaced_and_owners_take_their_dependents_along() {
    let cluster = TestCluster::start("garbage").await;
    cluster.create(deployment("web", 2, "nginx:1"));
    cluster.clock.quiet().await;
    let gone = cluster.list("Pod", "default").remove(0)["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.delete("Pod", &gone, &DeleteOptions::default());
    cluster.clock.quiet().await;
    assert!(complete(&cluster, "web", 2));
    assert!(cluster.get("Pod", &gone).is_none());
    cluster.delete("Deployment", "web", &DeleteOptions::default());
    cluster.clock.quiet().await;
    assert!(cluster.list("ReplicaSet", "default").is_empty());
    assert!(cluster.list("Pod", "default").is_empty());
    cluster.create(deployment("web", 1, "nginx:1"));
    cluster.clock.quiet().await;
    let orphan = DeleteOptions { propagation: Some(Propagation::Orphan), ..DeleteOptions::default() };
    cluster.delete("Deployment", "web", &orphan);
    cluster.clock.quiet().await;
    assert!(cluster.get("Deployment", "web").is_none());
    let set = cluster.list("ReplicaSet", "default").remove(0);
    assert_eq!(set["metadata"].get("ownerReferences").and_then(Value::as_array).map_or(0, Vec::len), 0);
    cluster.create(deployment("web", 1, "nginx:1"));
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("ReplicaSet", "default").len(), 1);
    let foreground = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    cluster.delete("Deployment", "web", &foreground);
    cluster.clock.quiet().await;
    assert!(cluster.get("Deployment", "web").is_none());
    assert!(cluster.list("Pod", "default").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_takes_its_content_along() {
    let cluster = TestCluster::start("namespace").await;
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}));
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("ServiceAccount", "n").len(), 1);
    assert_eq!(cluster.list("ConfigMap", "n")[0]["metadata"]["name"], "kube-root-ca.crt");
    let mut web = deployment("web", 2, "nginx:1");
    web["metadata"]["namespace"] = json!("n");
    cluster.create(web);
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("Pod", "n").len(), 2);
    cluster.delete("Namespace", "n", &DeleteOptions::default());
    cluster.clock.quiet().await;
    assert!(cluster.get("Namespace", "n").is_none());
    for kind in ["Pod", "ReplicaSet", "ConfigMap", "ServiceAccount", "Event"] {
        assert!(cluster.list(kind, "n").is_empty(), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_knows_where_its_pods_are() {
    let cluster = TestCluster::start("service").await;
    cluster.create(deployment("web", 2, "nginx:1"));
    cluster.create(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}));
    cluster.clock.quiet().await;
    let endpoints = cluster.get("Endpoints", "web").unwrap();
    assert_eq!(endpoints["subsets"][0]["addresses"].as_array().map(Vec::len), Some(2));
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 8080);
    let slices = cluster.list("EndpointSlice", "default");
    let slice = slices.iter().find(|slice| slice["metadata"]["name"] != "kubernetes").unwrap();
    assert_eq!(slice["endpoints"][0]["conditions"]["ready"], true);
    cluster.delete("Service", "web", &DeleteOptions::default());
    cluster.clock.quiet().await;
    assert!(cluster.get("Endpoints", "web").is_none());
    assert_eq!(cluster.list("EndpointSlice", "default").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_fits_nowhere_waits_for_a_node() {
    let cluster = TestCluster::start("nowhere").await;
    let mut web = deployment("web", 1, "nginx:1");
    web["spec"]["template"]["spec"]["nodeSelector"] = json!({"pool": "big"});
    cluster.create(web);
    cluster.clock.quiet().await;
    let message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/1 \
        nodes are available: 1 Preemption is not helpful for scheduling.";
    assert_eq!(cluster.events("FailedScheduling"), [message]);
    cluster.edit("Node", "node-1", |node| node["metadata"]["labels"]["pool"] = json!("big"));
    cluster.clock.quiet().await;
    assert!(complete(&cluster, "web", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_after_an_hour_and_nodes_stay_ready() {
    let cluster = TestCluster::start("hour").await;
    cluster.create(deployment("web", 1, "nginx:1"));
    cluster.clock.quiet().await;
    assert!(!cluster.list("Event", "default").is_empty());
    cluster.advance(3700).await;
    assert!(cluster.list("Event", "default").is_empty());
    let node = cluster.get("Node", "node-1").unwrap();
    assert!(is_true(&node, "Ready"));
    assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.34.4");
    assert_eq!(cluster.list("Lease", "kube-node-lease").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_at_rest_writes_nothing() {
    let cluster = TestCluster::start("rest").await;
    cluster.clock.set_mode(sim_core::clock::Mode::Real);
    let mut web = deployment("web", 2, "nginx:1");
    cluster.create(web.clone());
    web["metadata"]["name"] = json!("bad");
    web["spec"]["template"]["metadata"]["annotations"] =
        json!({"kube-sim.dryarc.dev/life": "ImagePullBackOff"});
    cluster.create(web.clone());
    web["metadata"]["name"] = json!("refused");
    web["spec"]["template"]["spec"]["serviceAccountName"] = json!("nobody");
    cluster.create(web);
    cluster.clock.quiet().await;
    cluster.clock.wall_sleep(std::time::Duration::from_millis(1500)).await;
    let before = cluster.api.ledger().revision();
    cluster.clock.wall_sleep(std::time::Duration::from_millis(500)).await;
    let mut watch = cluster.api.ledger().watch_all(before).unwrap();
    let written: Vec<_> =
        watch.take().unwrap().iter().map(|change| format!("{}/{}", change.table, change.key)).collect();
    assert!(written.len() < 6, "{written:?}");
}

fn script(kind: &str, name: &str, life: &str) -> Value {
    json!({"apiVersion": if kind == "Job" { "batch/v1" } else { "apps/v1" }, "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {
            "metadata": {"labels": {"app": name}, "annotations": {"kube-sim.dryarc.dev/life": life}},
            "spec": {"containers": [{"name": "c", "image": "x:1"}]}}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_complete_or_give_up() {
    let cluster = TestCluster::start("jobs").await;
    for (name, life) in [("good", "Completed"), ("bad", "CrashLoopBackOff")] {
        let mut job = script("Job", name, life);
        job["spec"]["completions"] = json!(1);
        job["spec"]["backoffLimit"] = json!(1);
        job["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
        cluster.create(job);
    }
    cluster.clock.quiet().await;
    let good = cluster.get("Job", "good").unwrap();
    assert!(is_true(&good, "Complete"), "{}", good["status"]);
    assert_eq!(good["status"]["succeeded"], 1);
    assert!(!is_true(&cluster.get("Job", "bad").unwrap(), "Failed"));
    cluster.advance(10).await;
    let bad = cluster.get("Job", "bad").unwrap();
    assert!(is_true(&bad, "Failed"), "{}", bad["status"]);
    assert_eq!(super::objects::condition(&bad, "Failed").unwrap()["reason"], "BackoffLimitExceeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemon_sets_and_stateful_sets_keep_their_pods() {
    let cluster = TestCluster::start("sets").await;
    for kind in ["DaemonSet", "StatefulSet"] {
        let mut set = script(kind, &kind.to_lowercase(), "Running");
        set["spec"]["selector"] = json!({"matchLabels": {"app": kind.to_lowercase()}});
        set["spec"]["serviceName"] = json!("s");
        if kind == "StatefulSet" {
            set["spec"]["replicas"] = json!(2);
        }
        cluster.create(set);
    }
    cluster.clock.quiet().await;
    let daemon = cluster.get("DaemonSet", "daemonset").unwrap();
    assert_eq!(daemon["status"]["numberAvailable"], 1, "{}", daemon["status"]);
    let stateful = cluster.get("StatefulSet", "statefulset").unwrap();
    assert_eq!(stateful["status"]["readyReplicas"], 2, "{}", stateful["status"]);
    assert!(cluster.get("Pod", "statefulset-1").is_some());
    for (kind, name) in [("DaemonSet", "daemonset"), ("StatefulSet", "statefulset")] {
        cluster
            .edit(kind, name, |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("x:2"));
    }
    cluster.clock.quiet().await;
    for pod in cluster.list("Pod", "default") {
        assert_eq!(pod["spec"]["containers"][0]["image"], "x:2");
    }
    let stateful = cluster.get("StatefulSet", "statefulset").unwrap();
    assert_eq!(stateful["status"]["updatedReplicas"], 2, "{}", stateful["status"]);
    assert_eq!(stateful["status"]["currentRevision"], stateful["status"]["updateRevision"]);
}
