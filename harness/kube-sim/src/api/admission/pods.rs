//! New pods: service account, token volume, tolerations, quality of service.
//!
//! After the real server's `ServiceAccount`, `DefaultTolerationSeconds` and `Priority` admission plug-ins. Limit
//! ranges, quotas, pod security and image policies are not modelled.

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use crate::api::{Api, meta};
use crate::registry::Kind;
use crate::status::Status;

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(super) fn on_create(api: &Api, txn: &Txn<'_>, kind: &Kind, pod: &mut Value) -> Result<(), Status> {
    service_account(api, txn, kind, pod)?;
    tolerations(pod);
    priority(txn, kind, pod)?;
    let class = quality_of_service(pod);
    let status = meta::child(pod, "status");
    status.insert("phase".into(), "Pending".into());
    status.insert("qosClass".into(), class.into());
    Ok(())
}

fn service_account(api: &Api, txn: &Txn<'_>, kind: &Kind, pod: &mut Value) -> Result<(), Status> {
    if pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some() {
        return Ok(());
    }
    let namespace = meta::namespace(pod).unwrap_or_default().to_owned();
    let stated = match meta::text(pod, "/spec/serviceAccountName") {
        "" => meta::text(pod, "/spec/serviceAccount"),
        stated => stated,
    };
    let name = if stated.is_empty() { "default".to_owned() } else { stated.to_owned() };
    let Some(row) = txn.get("core/serviceaccounts", &format!("{namespace}/{name}")) else {
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
        );
        return Err(Status::refused(kind, meta::name(pod), &why));
    };
    let account = row.value.clone();
    let mounts = pod["spec"]["automountServiceAccountToken"]
        .as_bool()
        .or_else(|| account["automountServiceAccountToken"].as_bool())
        .unwrap_or(true);
    let spec = meta::child(pod, "spec");
    spec.insert("serviceAccountName".into(), name.clone().into());
    spec.insert("serviceAccount".into(), name.into());
    if let Some(secrets) = account.get("imagePullSecrets")
        && spec.get("imagePullSecrets").is_none_or(|own| own.as_array().is_none_or(Vec::is_empty))
    {
        spec.insert("imagePullSecrets".into(), secrets.clone());
    }
    if mounts {
        mount_token(api, pod);
    }
    Ok(())
}

fn mount_token(api: &Api, pod: &mut Value) {
    let is_token = |volume: &Value| meta::text(volume, "/name").starts_with("kube-api-access-");
    let present = pod["spec"]["volumes"].as_array().and_then(|list| list.iter().find(|v| is_token(v)));
    let (volume, add) = match present {
        Some(volume) => (meta::text(volume, "/name").to_owned(), false),
        None => (format!("kube-api-access-{}", api.name_suffix("kube-api-access-")), true),
    };
    let mut used = false;
    for list in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let mounts = meta::as_map(container).entry("volumeMounts").or_insert_with(|| json!([]));
            let Some(mounts) = mounts.as_array_mut() else { continue };
            if mounts.iter().all(|mount| mount["mountPath"] != TOKEN_PATH) {
                mounts.push(json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH}));
                used = true;
            }
        }
    }
    if !used || !add {
        return;
    }
    let volumes = meta::child(pod, "spec").entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace",
                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ]}}));
    }
}

fn tolerations(pod: &mut Value) {
    let list = meta::child(pod, "spec").entry("tolerations").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covers = |toleration: &Value| {
            let stated = meta::text(toleration, "/key");
            (stated == key || stated.is_empty())
                && matches!(meta::text(toleration, "/effect"), "" | "NoExecute")
        };
        if !list.iter().any(covers) {
            list.push(
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}),
            );
        }
    }
}

fn priority(txn: &Txn<'_>, kind: &Kind, pod: &mut Value) -> Result<(), Status> {
    let class = meta::text(pod, "/spec/priorityClassName").to_owned();
    let value = if class.is_empty() {
        json!(0)
    } else {
        let row = txn.get("scheduling.k8s.io/priorityclasses", &class);
        let row = row.ok_or_else(|| {
            let why = format!("no PriorityClass with name {class} was found");
            Status::refused(kind, meta::name(pod), &why)
        })?;
        row.value["value"].clone()
    };
    let spec = meta::child(pod, "spec");
    spec.insert("priority".into(), value);
    spec.entry("preemptionPolicy").or_insert_with(|| "PreemptLowerPriority".into());
    Ok(())
}

fn quality_of_service(pod: &Value) -> &'static str {
    let containers = || {
        let lists = ["containers", "initContainers"].into_iter();
        lists.flat_map(|list| pod["spec"][list].as_array().into_iter().flatten())
    };
    let has_any = |container: &Value| {
        ["requests", "limits"].into_iter().any(|part| {
            container["resources"][part]
                .as_object()
                .is_some_and(|map| map.contains_key("cpu") || map.contains_key("memory"))
        })
    };
    if !containers().any(has_any) {
        return "BestEffort";
    }
    let guaranteed = |container: &Value| {
        ["cpu", "memory"].into_iter().all(|resource| {
            let limit = &container["resources"]["limits"][resource];
            let request = &container["resources"]["requests"][resource];
            !limit.is_null() && (request.is_null() || request == limit)
        })
    };
    if containers().all(guaranteed) { "Guaranteed" } else { "Burstable" }
}
