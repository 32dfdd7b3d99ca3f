//! The kubelet with real processes, on a clock that stands still.

mod commands;

use futures::StreamExt;
use serde_json::{Value, json};
use sim_core::faults::Rule;

use super::LogOptions;
use crate::api::DeleteOptions;
use crate::controllers::testing::{SHELL, TestCluster, shell_pod, state};

fn first(cluster: &TestCluster, name: &str) -> Value {
    cluster.get("Pod", name).unwrap_or_default()
}

async fn log(cluster: &TestCluster, name: &str, options: LogOptions) -> String {
    let uid = first(cluster, name)["metadata"]["uid"].as_str().unwrap().to_owned();
    let chunks: Vec<_> = cluster.logs.read(&uid, "c", &options).unwrap().collect().await;
    String::from_utf8(chunks.concat()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_becomes_a_process_with_environment_volumes_and_logs() {
    let cluster = TestCluster::start("process").await;
    cluster.create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"key": "value"}}));
    let script = "echo $A $FROM_IMAGE $DRYARC_TEST $POD $CPU; cat $DRYARC_ROOT/etc/cm/key; \
        ls $DRYARC_ROOT/var/run/secrets/kubernetes.io/serviceaccount; sleep 1000";
    let mut pod = shell_pod("p", script, "Always");
    let container = &mut pod["spec"]["containers"][0];
    container["envFrom"] = json!([{"configMapRef": {"name": "cm"}}]);
    container["env"] = json!([
        {"name": "A", "value": "$(key)-x"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ]);
    container["volumeMounts"] = json!([{"name": "v", "mountPath": "/etc/cm"}]);
    pod["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "cm"}}]);
    cluster.create(pod);
    cluster.until("running", |cluster| state(&first(cluster, "p")) == "running").await;
    cluster.clock.quiet().await;
    let pod = first(&cluster, "p");
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["status"]["containerStatuses"][0]["ready"], true);
    assert!(pod["status"]["podIP"].as_str().unwrap().starts_with("10.244.0."));
    let follow = LogOptions { follow: true, limit_bytes: Some(45), ..LogOptions::default() };
    let text = log(&cluster, "p", follow).await;
    assert!(text.starts_with("value-x 1 yes p 4\nvalueca.crt\nnamespace\ntoken"), "{text}");
    for reason in ["Scheduled", "Pulled", "Created", "Started"] {
        assert_eq!(cluster.events(reason).len(), 1, "{reason}");
    }
    cluster.delete("Pod", "p", &DeleteOptions::default());
    cluster.until("gone", |cluster| cluster.get("Pod", "p").is_none()).await;
    cluster.clock.quiet().await;
    assert_eq!(cluster.events("Killing"), ["Stopping container c"]);
    assert_eq!(std::fs::read_dir(cluster.work_dir.join("pods")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_secret_keeps_a_pod_creating_until_it_comes() {
    let cluster = TestCluster::start("secret").await;
    let mut pod = shell_pod("p", "sleep 1000", "Always");
    pod["spec"]["volumes"] = json!([{"name": "v", "secret": {"secretName": "s"}}]);
    cluster.create(pod);
    cluster.until("mount failed", |cluster| !cluster.events("FailedMount").is_empty()).await;
    cluster.clock.quiet().await;
    assert_eq!(state(&first(&cluster, "p")), "waiting/ContainerCreating");
    assert_eq!(
        cluster.events("FailedMount"),
        ["MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found"]
    );
    cluster.create(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}}),
    );
    cluster.until("running", |cluster| state(&first(cluster, "p")) == "running").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashing_container_restarts_with_growing_waits_of_world_time() {
    let cluster = TestCluster::start("crash").await;
    cluster.create(shell_pod("p", "echo life; exit 2", "Always"));
    let restarts = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_i64();
    cluster.until("loop", |cluster| state(&first(cluster, "p")) == "waiting/CrashLoopBackOff").await;
    // The first restart came at once.
    assert_eq!(restarts(&first(&cluster, "p")), Some(1));
    let message =
        first(&cluster, "p")["status"]["containerStatuses"][0]["state"]["waiting"]["message"].clone();
    assert!(
        message.as_str().unwrap().starts_with("back-off 10s restarting failed container=c pod=p_default(")
    );
    cluster.advance(9).await;
    assert_eq!(restarts(&first(&cluster, "p")), Some(1));
    cluster.advance(1).await;
    cluster.until("second restart", |cluster| restarts(&first(cluster, "p")) == Some(2)).await;
    cluster.until("loop", |cluster| state(&first(cluster, "p")) == "waiting/CrashLoopBackOff").await;
    let previous = LogOptions { previous: true, ..LogOptions::default() };
    assert_eq!(log(&cluster, "p", previous).await, "life\n");
    assert_eq!(
        first(&cluster, "p")["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"],
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_containers_come_first_and_policies_end_pods() {
    let cluster = TestCluster::start("init").await;
    let mut pod = shell_pod("p", "exit 0", "Never");
    pod["spec"]["initContainers"] = json!([{"name": "i", "image": SHELL, "args": ["echo init"]}]);
    cluster.create(pod);
    cluster.create(shell_pod("bad", "exit 7", "Never"));
    cluster.until("done", |cluster| first(cluster, "p")["status"]["phase"] == "Succeeded").await;
    cluster.until("failed", |cluster| first(cluster, "bad")["status"]["phase"] == "Failed").await;
    let status = first(&cluster, "p")["status"].clone();
    assert_eq!(status["initContainerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
    assert_eq!(state(&first(&cluster, "bad")), "terminated/7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ignores_its_end_is_killed_when_its_grace_is_over() {
    let cluster = TestCluster::start("grace").await;
    cluster.create(shell_pod("p", "trap '' TERM; echo up; while :; do sleep 1; done", "Always"));
    cluster.until("running", |cluster| state(&first(cluster, "p")) == "running").await;
    let follow = LogOptions { follow: true, limit_bytes: Some(3), ..LogOptions::default() };
    assert_eq!(log(&cluster, "p", follow).await, "up\n");
    cluster.delete("Pod", "p", &DeleteOptions::default());
    cluster.advance(29).await;
    assert!(cluster.get("Pod", "p").is_some());
    cluster.advance(1).await;
    cluster.until("gone", |cluster| cluster.get("Pod", "p").is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_and_faults_decide_about_scripted_lives() {
    let cluster = TestCluster::start("lives").await;
    let pod = |name: &str, life: Option<&str>| {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [{"name": "c", "image": "registry.example/unknown:1"}]}});
        if let Some(life) = life {
            pod["metadata"]["annotations"] = json!({"kube-sim.dryarc.dev/life": life});
        }
        pod
    };
    let rule = json!({"id": "r", "hook": "kubelet", "match": {"facts": {"pod": "slow"}},
        "effect": "delay", "millis": 5000});
    cluster.faults.add(serde_json::from_value::<Rule>(rule).unwrap());
    cluster.create(pod("plain", None));
    cluster.create(pod("nopull", Some("ImagePullBackOff")));
    cluster.create(pod("crash", Some("CrashLoopBackOff")));
    cluster.create(pod("unready", Some("NotReady")));
    cluster.create(pod("slow", None));
    cluster.clock.quiet().await;
    let shown = |name: &str| state(&first(&cluster, name));
    assert_eq!(shown("plain"), "running");
    assert_eq!(shown("nopull"), "waiting/ErrImagePull");
    assert_eq!(shown("crash"), "waiting/CrashLoopBackOff");
    assert_eq!(shown("unready"), "running");
    assert_eq!(first(&cluster, "unready")["status"]["containerStatuses"][0]["ready"], false);
    assert_eq!(shown("slow"), "waiting/ContainerCreating");
    cluster.advance(5).await;
    assert_eq!(shown("nopull"), "waiting/ImagePullBackOff");
    assert_eq!(shown("slow"), "running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_readiness_probe_keeps_a_process_unready() {
    let cluster = TestCluster::start("probe").await;
    let mut pod = shell_pod("p", "sleep 1000", "Always");
    pod["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/ready", "port": 9090}, "initialDelaySeconds": 10, "periodSeconds": 15});
    cluster.create(pod);
    cluster.until("running", |cluster| state(&first(cluster, "p")) == "running").await;
    cluster.advance(10).await;
    let events = cluster.events("Unhealthy");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("Readiness probe failed: Get \"http://10.244.0.2:9090/ready\": dial tcp"));
    assert_eq!(first(&cluster, "p")["status"]["containerStatuses"][0]["ready"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_kills_every_process_and_removes_its_files() {
    let cluster = TestCluster::start("shutdown").await;
    cluster.create(shell_pod("p", "echo $$; sleep 1000", "Always"));
    cluster.until("running", |cluster| state(&first(cluster, "p")) == "running").await;
    let follow = LogOptions { follow: true, tail_lines: None, limit_bytes: None, ..LogOptions::default() };
    let uid = first(&cluster, "p")["metadata"]["uid"].as_str().unwrap().to_owned();
    let mut lines = Box::pin(cluster.logs.read(&uid, "c", &follow).unwrap());
    let pid = String::from_utf8(lines.next().await.unwrap().to_vec()).unwrap();
    let mut cluster = cluster;
    cluster.controllers.stop().await;
    // The log ends when the process has been reaped.
    assert_eq!(lines.next().await, None);
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists());
    assert!(!cluster.work_dir.join("pods").join(uid).exists());
}
