//! What controllers that own pods share: making pods from templates, counting them, choosing which go first.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{
    annotation, condition, controlled_by, controller_of, deleting, is_true, key, list, namespace,
    owner_reference, set, text, time, uid,
};
use super::selector::{selects, selects_map};
use super::store::Store;
use crate::api::Sub;
use crate::registry::Kind;
use crate::status::Status;

/// Whether a pod still counts: neither ended nor about to.
pub(crate) fn is_active(pod: &Value) -> bool {
    !is_finished(pod) && !deleting(pod)
}

/// Whether a pod has run its course.
pub(crate) fn is_finished(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether a pod is ready.
pub(crate) fn is_ready(pod: &Value) -> bool {
    is_true(pod, "Ready")
}

/// Since when a pod is available, if it is ready and stays so: it has been ready for `min_ready` seconds then.
pub(crate) fn available_at(pod: &Value, min_ready: i64) -> Option<Timestamp> {
    if !is_ready(pod) {
        return None;
    }
    let since = time(condition(pod, "Ready")?, "/lastTransitionTime")?;
    Some(super::objects::after(since, min_ready))
}

/// A pod made from a template, owned by `owner`; its name is generated from `prefix`.
pub(crate) fn from_template(template: &Value, kind: &Kind, owner: &Value, prefix: &str) -> Value {
    let mut metadata = json!({"generateName": format!("{prefix}-"), "namespace": namespace(owner)});
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.pointer(&format!("/metadata/{field}")).filter(|value| !value.is_null())
        {
            metadata[field] = value.clone();
        }
    }
    metadata["ownerReferences"] = json!([owner_reference(kind, owner)]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

/// The pods that `owner` controls, after taking in matching orphans and letting go of those that no longer match.
pub(crate) fn claim(store: &Store, kind: &Kind, owner: &Value) -> Result<Vec<Arc<Value>>, Status> {
    let pods = store.kinds().pods.clone();
    claim_kind(store, &pods, kind, owner)
}

/// As [`claim`], for dependents of any kind.
pub(crate) fn claim_kind(
    store: &Store,
    dependents: &Kind,
    kind: &Kind,
    owner: &Value,
) -> Result<Vec<Arc<Value>>, Status> {
    let mut claimed = Vec::new();
    for object in store.list(dependents, namespace(owner)) {
        let matches = chooses(owner, &object);
        match controller_of(&object) {
            Some(_) if controlled_by(&object, owner) => {
                if matches || deleting(owner) {
                    claimed.push(object);
                } else {
                    release(store, dependents, &object, owner)?;
                }
            }
            None if matches && !deleting(owner) && !deleting(&object) && !is_finished(&object) => {
                let reference = owner_reference(kind, owner);
                let adopted = store.modify(dependents, Sub::Main, &key(&object), |object| {
                    let mut owners = list(object, "/metadata/ownerReferences").to_vec();
                    owners.push(reference);
                    set(object, &["metadata", "ownerReferences"], json!(owners));
                    true
                })?;
                claimed.push(Arc::new(adopted));
            }
            _ => {}
        }
    }
    Ok(claimed)
}

fn release(store: &Store, kind: &Kind, object: &Value, owner: &Value) -> Result<(), Status> {
    let released = store.modify(kind, Sub::Main, &key(object), |object| {
        let owners = list(object, "/metadata/ownerReferences");
        let rest: Vec<_> = owners.iter().filter(|one| text(one, "/uid") != uid(owner)).cloned().collect();
        set(object, &["metadata", "ownerReferences"], json!(rest));
        true
    });
    released.map(drop)
}

/// Whether the selector of `owner` selects an object; that of a ReplicationController is a plain map of labels.
fn chooses(owner: &Value, object: &Value) -> bool {
    let selector = owner.pointer("/spec/selector");
    let plain = selector.and_then(Value::as_object).is_some_and(|map| map.values().all(Value::is_string));
    if plain && selector.is_some_and(|selector| *selector != json!({})) {
        return selects_map(selector, object);
    }
    selects(selector, object)
}

/// The keys of the `kind`s whose selector matches an orphan, which may want to adopt it.
pub(crate) fn possible_owners(store: &Store, kind: &Kind, orphan: &Value, keys: &mut Vec<String>) {
    if controller_of(orphan).is_none() {
        let owners = store.list(kind, namespace(orphan));
        let matching = owners.iter().filter(|owner| chooses(owner, orphan));
        keys.extend(matching.map(|owner| key(owner)));
    }
}

/// Orders pods so that those whose loss hurts least come first, by the rules of the ReplicaSet controller: unbound,
/// pending, unready, cheap (`pod-deletion-cost`), shortly ready, often restarted, young.
pub(crate) fn by_dispensability(one: &Value, two: &Value) -> Ordering {
    let rank = |pod: &Value| {
        let phase = match text(pod, "/status/phase") {
            "Pending" | "" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let cost = annotation(pod, "controller.kubernetes.io/pod-deletion-cost");
        let cost: i64 = cost.and_then(|cost| cost.parse().ok()).unwrap_or_default();
        let ready_since = condition(pod, "Ready").and_then(|ready| time(ready, "/lastTransitionTime"));
        let restarts = list(pod, "/status/containerStatuses").iter();
        let restarts =
            restarts.filter_map(|status| status["restartCount"].as_i64()).max().unwrap_or_default();
        (
            !text(pod, "/spec/nodeName").is_empty(),
            phase,
            is_ready(pod),
            cost,
            Reverse(ready_since),
            Reverse(restarts),
            Reverse(time(pod, "/metadata/creationTimestamp")),
        )
    };
    rank(one).cmp(&rank(two))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unbound_and_unready_pods_go_first() {
        let ready = json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2030-01-01T00:00:00Z"}]}});
        let unready = json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
        let unbound = json!({"spec": {}, "status": {"phase": "Pending"}});
        let mut pods = [&ready, &unready, &unbound];
        pods.sort_by(|one, two| by_dispensability(one, two));
        assert_eq!(pods, [&unbound, &unready, &ready]);
        assert_eq!(available_at(&ready, 60), "2030-01-01T00:01:00Z".parse().ok());
    }
}
