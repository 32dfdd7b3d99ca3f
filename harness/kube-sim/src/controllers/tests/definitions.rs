//! Definitions that are deleted, and their objects.

use serde_json::json;

use crate::api::{Caller, DeleteOptions, WriteOptions};
use crate::controllers::objects::{condition, text};
use crate::controllers::testing::TestCluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_that_is_deleted_stays_until_its_objects_are_gone() {
    let cluster = TestCluster::start("definition-goes").await;
    let versions = json!([
        {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}},
    ]);
    cluster.create(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"}, "versions": versions},
    }));
    let thing = |name: &str, finalizers: &[&str]| json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, "finalizers": finalizers}});
    cluster.create(thing("held", &["example.com/hold"]));
    cluster.create(thing("free", &[]));
    cluster.delete("CustomResourceDefinition", "things.example.com", &DeleteOptions::default());
    cluster.clock.quiet().await;
    let definition = cluster.get("CustomResourceDefinition", "things.example.com").unwrap();
    assert_eq!(definition["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    let terminating = condition(&definition, "Terminating").unwrap();
    assert_eq!(text(terminating, "/reason"), "InstanceDeletionInProgress");
    assert!(cluster.get("Thing", "free").is_none());
    assert!(!cluster.get("Thing", "held").unwrap()["metadata"]["deletionTimestamp"].is_null());
    let kind = cluster.api.registry().by_kind("example.com", "Thing").unwrap();
    let late = thing("late", &[]);
    let refused =
        cluster.api.create(&Caller::controller("test"), &kind, None, late, &WriteOptions::default());
    let why = refused.unwrap_err().message;
    assert!(why.ends_with("create not allowed while custom resource definition is terminating"), "{why}");
    cluster.edit("Thing", "held", |thing| thing["metadata"]["finalizers"] = json!([]));
    cluster.clock.quiet().await;
    assert!(cluster.get("CustomResourceDefinition", "things.example.com").is_none());
    assert!(cluster.api.registry().by_kind("example.com", "Thing").is_none());
}
