//! The volume claims of a StatefulSet's pods: made before a pod, kept after it unless the set says otherwise.

use serde_json::{Value, json};

use crate::api::Sub;
use crate::controllers::objects::{join, list, name, namespace, owner_reference, set, text, uid};
use crate::controllers::store::Store;
use crate::status::Status;

/// Name of a pod's claim by a template.
fn claim_name(template: &Value, pod: &str) -> String {
    format!("{}-{pod}", name(template))
}

fn policy<'a>(stateful_set: &'a Value, field: &str) -> &'a str {
    text(stateful_set, &format!("/spec/persistentVolumeClaimRetentionPolicy/{field}"))
}

/// Makes the claims of a pod that are missing; returns their names.
pub(super) fn ensure(store: &Store, stateful_set: &Value, pod: &str) -> Result<Vec<String>, Status> {
    let mut made = Vec::new();
    let claims = store.kinds().claims.clone();
    for template in list(stateful_set, "/spec/volumeClaimTemplates") {
        let title = claim_name(template, pod);
        if store.get(&claims, &join(namespace(stateful_set), &title)).is_some() {
            continue;
        }
        let mut claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": title, "namespace": namespace(stateful_set)}, "spec": template["spec"],
        });
        for field in ["labels", "annotations"] {
            if template["metadata"][field].is_object() {
                claim["metadata"][field] = template["metadata"][field].clone();
            }
        }
        let labels = stateful_set.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        for (key, value) in labels.into_iter().flatten() {
            set(&mut claim, &["metadata", "labels", key], value.clone());
        }
        if policy(stateful_set, "whenDeleted") == "Delete" {
            let mut owner = owner_reference(&store.kinds().stateful_sets, stateful_set);
            owner["blockOwnerDeletion"] = json!(true);
            claim["metadata"]["ownerReferences"] = json!([owner]);
        }
        store.create(&claims, namespace(stateful_set), claim)?;
        made.push(title);
    }
    Ok(made)
}

/// Mounts a pod's claims, in place of volumes of the same names.
pub(super) fn mount(stateful_set: &Value, pod: &mut Value, title: &str) {
    let templates = list(stateful_set, "/spec/volumeClaimTemplates");
    if templates.is_empty() {
        return;
    }
    let mut volumes: Vec<Value> = templates
        .iter()
        .map(|template| {
            json!({"name": name(template), "persistentVolumeClaim": {"claimName": claim_name(template, title)}})
        })
        .collect();
    let kept = list(pod, "/spec/volumes").iter();
    volumes
        .extend(kept.filter(|own| templates.iter().all(|template| name(template) != own["name"])).cloned());
    set(pod, &["spec", "volumes"], json!(volumes));
}

/// Ties the claims of a pod that a smaller set does without to that pod, when the set wants them to go along.
pub(super) fn condemn(store: &Store, stateful_set: &Value, pod: &Value) -> Result<(), Status> {
    if policy(stateful_set, "whenScaled") != "Delete" {
        return Ok(());
    }
    let claims = store.kinds().claims.clone();
    let mut owner = owner_reference(&store.kinds().pods, pod);
    owner["controller"] = json!(false);
    for template in list(stateful_set, "/spec/volumeClaimTemplates") {
        let at = join(namespace(stateful_set), &claim_name(template, name(pod)));
        let tied = store.modify(&claims, Sub::Main, &at, |claim| {
            let mut owners = list(claim, "/metadata/ownerReferences").to_vec();
            owners.retain(|one| text(one, "/kind") != "StatefulSet");
            let known = owners.iter().any(|one| text(one, "/uid") == uid(pod));
            if !known {
                owners.push(owner.clone());
                set(claim, &["metadata", "ownerReferences"], json!(owners));
            }
            !known
        });
        if let Err(status) = tied
            && !status.is_not_found()
        {
            return Err(status);
        }
    }
    Ok(())
}
