//! Commands in process containers: probes and hooks.

use serde_json::{Value, json};

use crate::api::DeleteOptions;
use crate::controllers::testing::{TestCluster, shell_pod, state};

fn pod(cluster: &TestCluster) -> Value {
    cluster.get("Pod", "p").unwrap_or_default()
}

fn ready(cluster: &TestCluster) -> bool {
    pod(cluster)["status"]["containerStatuses"][0]["ready"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_decides_whether_a_process_is_ready() {
    let cluster = TestCluster::start("exec-probe").await;
    let mut spec = shell_pod("p", "sleep 1; touch \"$DRYARC_ROOT/ready\"; sleep 1000", "Always");
    spec["spec"]["containers"][0]["readinessProbe"] = json!({"exec": {"command": ["sh", "-c", "test -e ready || { echo not yet; exit 1; }"]}, "timeoutSeconds": 20});
    cluster.create(spec);
    cluster.until("not ready", |cluster| !cluster.events("Unhealthy").is_empty()).await;
    assert_eq!(cluster.events("Unhealthy"), ["Readiness probe failed: not yet\n"]);
    assert!(!ready(&cluster));
    let dir = cluster.work_dir.join("pods").join(pod(&cluster)["metadata"]["uid"].as_str().unwrap());
    while !dir.join("containers/c/ready").exists() {
        tokio::task::yield_now().await;
    }
    cluster.advance(10).await;
    cluster.until("ready", ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_ready_after_its_first_hook_and_ends_after_its_last() {
    let cluster = TestCluster::start("hooks").await;
    let mut spec = shell_pod("p", "trap 'exit 0' TERM; while :; do sleep 0.05; done", "Always");
    spec["spec"]["containers"][0]["lifecycle"] = json!({
        "postStart": {"sleep": {"seconds": 5}}, "preStop": {"sleep": {"seconds": 7}}});
    cluster.create(spec);
    cluster.until("running", |cluster| state(&pod(cluster)) == "running").await;
    assert!(!ready(&cluster));
    cluster.advance(5).await;
    cluster.until("ready", ready).await;
    cluster.delete("Pod", "p", &DeleteOptions::default());
    cluster.advance(6).await;
    assert!(cluster.get("Pod", "p").is_some(), "the hook runs first");
    cluster.advance(1).await;
    cluster.until("gone", |cluster| cluster.get("Pod", "p").is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_first_hook_ends_its_container() {
    let cluster = TestCluster::start("bad-hook").await;
    let mut spec = shell_pod("p", "sleep 1000", "Never");
    spec["spec"]["containers"][0]["lifecycle"] = json!({"postStart": {"exec": {"command": ["false"]}}});
    cluster.create(spec);
    cluster.until("ended", |cluster| state(&pod(cluster)).starts_with("terminated")).await;
    assert_eq!(cluster.events("FailedPostStartHook"), ["PostStartHook failed"]);
    assert_eq!(cluster.events("Killing"), ["FailedPostStartHook"]);
}
