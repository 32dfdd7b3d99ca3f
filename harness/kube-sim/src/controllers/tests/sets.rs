//! StatefulSets with claims and revisions, and ReplicationControllers.

use serde_json::{Value, json};

use crate::api::DeleteOptions;
use crate::controllers::objects::label;
use crate::controllers::testing::TestCluster;

fn stateful_set(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
                {"name": "c", "image": "db:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
        },
    })
}

fn images(cluster: &TestCluster) -> Vec<String> {
    let pods = cluster.list("Pod", "default");
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    pods.iter().map(image).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stateful_set_has_claims_that_are_bound_and_outlive_its_pods() {
    let cluster = TestCluster::start("claims").await;
    cluster.create(stateful_set(2));
    cluster.clock.quiet().await;
    let claims = cluster.list("PersistentVolumeClaim", "default");
    let shown: Vec<_> =
        claims.iter().map(|claim| (&claim["metadata"]["name"], &claim["status"]["phase"])).collect();
    assert_eq!(shown, [(&json!("data-db-0"), &json!("Bound")), (&json!("data-db-1"), &json!("Bound"))]);
    assert_eq!(cluster.get("StatefulSet", "db").unwrap()["status"]["readyReplicas"], 2);
    let volume = claims[0]["spec"]["volumeName"].as_str().unwrap();
    assert_eq!(cluster.get("PersistentVolume", volume).unwrap()["status"]["phase"], "Bound");
    cluster.edit("StatefulSet", "db", |set| set["spec"]["replicas"] = json!(1));
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("Pod", "default").len(), 1);
    assert_eq!(cluster.list("PersistentVolumeClaim", "default").len(), 2);
    cluster.delete("PersistentVolumeClaim", "data-db-0", &DeleteOptions::default());
    cluster.clock.quiet().await;
    assert!(cluster.get("PersistentVolumeClaim", "data-db-0").is_some(), "a pod uses it");
    cluster.delete("PersistentVolumeClaim", "data-db-1", &DeleteOptions::default());
    cluster.clock.quiet().await;
    assert!(cluster.get("PersistentVolumeClaim", "data-db-1").is_none());
    let gone = claims[1]["spec"]["volumeName"].as_str().unwrap();
    assert!(cluster.get("PersistentVolume", gone).is_none(), "the volume goes with its claim");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_holds_an_update_back_and_revisions_are_kept() {
    let cluster = TestCluster::start("partition").await;
    cluster.create(stateful_set(3));
    cluster.clock.quiet().await;
    cluster.edit("StatefulSet", "db", |set| {
        set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("db:2");
    });
    cluster.clock.quiet().await;
    assert_eq!(images(&cluster), ["db:1", "db:1", "db:2"]);
    cluster.delete("Pod", "db-0", &DeleteOptions::default());
    cluster.clock.quiet().await;
    assert_eq!(images(&cluster), ["db:1", "db:1", "db:2"], "a pod below the partition comes back as it was");
    let revisions = cluster.list("ControllerRevision", "default");
    assert_eq!(revisions.len(), 2);
    let status = cluster.get("StatefulSet", "db").unwrap()["status"].clone();
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    assert_eq!(status["updatedReplicas"], 1);
    let pod = cluster.get("Pod", "db-2").unwrap();
    assert_eq!(label(&pod, "controller-revision-hash"), status["updateRevision"].as_str());
    cluster.edit("StatefulSet", "db", |set| {
        set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(0);
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("db:1");
    });
    cluster.clock.quiet().await;
    assert_eq!(images(&cluster), ["db:1", "db:1", "db:1"]);
    let numbers: Vec<_> =
        cluster.list("ControllerRevision", "default").iter().map(|one| one["revision"].as_i64()).collect();
    assert_eq!(numbers.iter().max(), Some(&Some(3)), "a template that comes back is the newest");
    assert_eq!(numbers.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replication_controller_keeps_as_many_pods_as_asked_for() {
    let cluster = TestCluster::start("rc").await;
    cluster.create(json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "old", "namespace": "default"},
        "spec": {"replicas": 2, "selector": {"app": "old"}, "template": {"metadata": {"labels": {"app": "old"}},
            "spec": {"containers": [{"name": "c", "image": "app:1"}]}}},
    }));
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("Pod", "default").len(), 2);
    let status = cluster.get("ReplicationController", "old").unwrap()["status"].clone();
    assert_eq!((&status["replicas"], &status["readyReplicas"]), (&json!(2), &json!(2)));
    cluster.edit("ReplicationController", "old", |owner| owner["spec"]["replicas"] = json!(1));
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("Pod", "default").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_set_that_may_surge_keeps_the_old_pod_until_the_new_one_is_ready() {
    let cluster = TestCluster::start("surge").await;
    let life =
        |life: &str| json!({"labels": {"app": "d"}, "annotations": {"kube-sim.dryarc.dev/life": life}});
    cluster.create(json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": life("Running"), "spec": {"containers": [{"name": "c", "image": "d:1"}]}},
        },
    }));
    cluster.clock.quiet().await;
    assert_eq!(images(&cluster), ["d:1"]);
    cluster.edit("DaemonSet", "d", |set| {
        set["spec"]["template"] =
            json!({"metadata": life("NotReady"), "spec": {"containers": [{"name": "c", "image": "d:2"}]}});
    });
    cluster.clock.quiet().await;
    let mut both = images(&cluster);
    both.sort_unstable();
    assert_eq!(both, ["d:1", "d:2"], "the old one works on beside the new one");
    cluster.edit("DaemonSet", "d", |set| {
        set["spec"]["template"] =
            json!({"metadata": life("Running"), "spec": {"containers": [{"name": "c", "image": "d:3"}]}});
    });
    cluster.clock.quiet().await;
    assert_eq!(images(&cluster), ["d:3"]);
}
