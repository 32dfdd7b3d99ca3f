//! Which ReplicaSet belongs to which revision of a Deployment.

use serde_json::{Value, json};

use crate::controllers::objects::{annotation, canonical, list, name, number, set, text};

/// The label that tells the revisions' pods apart.
pub(super) const HASH_LABEL: &str = "pod-template-hash";

/// The annotation with the revision's number.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

/// The annotation with the numbers that a revision had before a rollback gave it a new one.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// The annotations that the Deployment controller keeps on ReplicaSets.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations of a Deployment that its ReplicaSets do not get.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];

/// The letters that hashes are written in: Kubernetes leaves out vowels and what looks like them.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The template's hash as in `name-HASH`: 32-bit FNV-1a, in safe letters. It depends on the content only, like the
/// real one, but is another number than the real one, which hashes Go's memory layout.
pub(in crate::controllers) fn template_hash(template: &Value, collisions: i64) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    let mut text = canonical(template).to_string();
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    for byte in text.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash.to_string().bytes().map(|digit| char::from(SAFE[usize::from(digit) % SAFE.len()])).collect()
}

/// Whether a ReplicaSet was made from this template.
pub(super) fn same_template(replica_set: &Value, template: &Value) -> bool {
    let mut own = replica_set["spec"]["template"].clone();
    if let Some(labels) = own.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.shift_remove(HASH_LABEL);
    }
    canonical(&own) == canonical(template)
}

/// A ReplicaSet's revision; 0 when it has none yet.
pub(super) fn revision(object: &Value) -> i64 {
    annotation(object, REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Brings a ReplicaSet's annotations up to date with its Deployment. Returns whether anything changed.
pub(super) fn annotate(replica_set: &mut Value, deployment: &Value, number: i64) -> bool {
    let before = replica_set["metadata"]["annotations"].clone();
    if let Some(annotations) = deployment.pointer("/metadata/annotations").and_then(Value::as_object) {
        for (key, value) in annotations.iter().filter(|(key, _)| !NOT_COPIED.contains(&key.as_str())) {
            set(replica_set, &["metadata", "annotations", key], value.clone());
        }
    }
    let present = revision(replica_set);
    if present < number {
        if present > 0 {
            let history = match annotation(replica_set, HISTORY) {
                Some(history) => format!("{history},{present}"),
                None => present.to_string(),
            };
            set(replica_set, &["metadata", "annotations", HISTORY], json!(history));
        }
        set(replica_set, &["metadata", "annotations", REVISION], json!(number.to_string()));
    }
    replica_set["metadata"]["annotations"] != before
}

/// Notes how far a ReplicaSet may grow. Returns whether anything changed.
pub(super) fn annotate_size(replica_set: &mut Value, desired: i64, maximum: i64) -> bool {
    let before = replica_set["metadata"]["annotations"].clone();
    set(replica_set, &["metadata", "annotations", DESIRED], json!(desired.to_string()));
    set(replica_set, &["metadata", "annotations", MAXIMUM], json!(maximum.to_string()));
    replica_set["metadata"]["annotations"] != before
}

/// A ReplicaSet for the Deployment's present template.
pub(super) fn new_replica_set(deployment: &Value, owner: Value, replicas: i64) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    let collisions = number(deployment, "/status/collisionCount").unwrap_or_default();
    let hash = template_hash(&template, collisions);
    set(&mut template, &["metadata", "labels", HASH_LABEL], json!(hash));
    let mut selector = deployment["spec"]["selector"].clone();
    set(&mut selector, &["matchLabels", HASH_LABEL], json!(hash));
    let mut made = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)),
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    });
    if let Some(seconds) = number(deployment, "/spec/minReadySeconds").filter(|seconds| *seconds > 0) {
        made["spec"]["minReadySeconds"] = json!(seconds);
    }
    made
}

/// Whether a ReplicaSet is in use, or the owner's controller has not seen its last change.
pub(super) fn is_settled_at_zero(replica_set: &Value) -> bool {
    number(replica_set, "/spec/replicas") == Some(0)
        && number(replica_set, "/status/replicas").unwrap_or_default() == 0
        && number(replica_set, "/metadata/generation") <= number(replica_set, "/status/observedGeneration")
        && list(replica_set, "/metadata/finalizers").is_empty()
        && text(replica_set, "/metadata/deletionTimestamp").is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_templates_have_equal_hashes_whatever_the_order_of_their_keys() {
        let one = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"containers": []}});
        let two = json!({"spec": {"containers": []}, "metadata": {"labels": {"b": "2", "a": "1"}}});
        assert_eq!(template_hash(&one, 0), template_hash(&two, 0));
        assert_ne!(template_hash(&one, 0), template_hash(&one, 1));
        assert!(template_hash(&one, 0).bytes().all(|letter| SAFE.contains(&letter)));
    }

    #[test]
    fn a_replica_set_is_recognised_by_its_template() {
        let deployment = json!({"metadata": {"name": "web", "namespace": "d"}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}}}});
        let made = new_replica_set(&deployment, json!({}), 2);
        assert!(same_template(&made, &deployment["spec"]["template"]));
        assert!(name(&made).starts_with("web-"));
        assert_eq!(
            made["spec"]["selector"]["matchLabels"][HASH_LABEL],
            made["metadata"]["labels"][HASH_LABEL]
        );
    }
}
