//! What the real server's built-in admission and create strategies add to an object, or refuse.

mod definitions;
mod pods;

pub(crate) use definitions::FINALIZER as DEFINITION_FINALIZER;
pub(super) use definitions::on_delete as on_definition_delete;

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use super::{Api, meta, services};
use crate::defaults::TEMPLATE_GENERATION;
use crate::registry::Kind;
use crate::status::{Cause, Status};

/// Refuses new objects in a namespace that is missing or going.
pub(super) fn namespace_open(
    txn: &Txn<'_>,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
) -> Result<(), Status> {
    let Some(namespace) = namespace.filter(|_| kind.namespaced) else { return Ok(()) };
    let Some(row) = txn.get("core/namespaces", namespace) else {
        let message = format!("namespaces \"{namespace}\" not found");
        let details = json!({"name": namespace, "kind": "namespaces"});
        return Err(Status::new(404, "NotFound", message).with_details(details));
    };
    if !meta::is_deleting(&row.value) {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = Status::refused(kind, name, &why);
    if let Some(details) = &mut status.details {
        details["causes"] = json!([{
            "reason": "NamespaceTerminating", "field": "metadata.namespace",
            "message": format!("namespace {namespace} is being terminated"),
        }]);
    }
    Err(status)
}

/// Completes a new object.
pub(super) fn on_create(api: &Api, txn: &Txn<'_>, kind: &Kind, object: &mut Value) -> Result<(), Status> {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => namespace(object),
        ("", "Secret") => secret(object),
        ("", "Pod") => pods::on_create(api, txn, kind, object)?,
        ("", "Service") => services::on_create(txn, kind, object)?,
        ("", "PersistentVolumeClaim") => {
            meta::child(object, "status").insert("phase".into(), "Pending".into());
            meta::add_finalizer(object, "kubernetes.io/pvc-protection");
        }
        ("", "PersistentVolume") => {
            let now = meta::time(api.now());
            let status = meta::child(object, "status");
            status.insert("phase".into(), "Pending".into());
            status.insert("lastPhaseTransitionTime".into(), now.into());
            meta::add_finalizer(object, "kubernetes.io/pv-protection");
        }
        ("", "Node") => node(object),
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", _) => definitions::on_create(api, object)?,
        ("certificates.k8s.io", _) => {}
        _ if kind.custom.is_some() => definitions::is_open(txn, kind, meta::name(object))?,
        _ => {}
    }
    Ok(())
}

/// Completes a changed object.
pub(super) fn on_update(kind: &Kind, before: &Value, object: &mut Value) -> Result<(), Status> {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Secret") => secret(object),
        ("", "Service") => services::on_update(before, object),
        ("apiextensions.k8s.io", _) => definitions::on_update(object),
        ("apps", "DaemonSet") => count_templates(before, object),
        _ => {}
    }
    if before["immutable"] == true
        && matches!(kind.kind.as_str(), "ConfigMap" | "Secret")
        && kind.group.is_empty()
    {
        let changed =
            ["data", "binaryData", "immutable"].into_iter().find(|field| before[*field] != object[*field]);
        if let Some(field) = changed {
            let cause = Cause::new(
                "FieldValueForbidden",
                field,
                "Forbidden: field is immutable when `immutable` is set",
            );
            return Err(Status::invalid(kind, meta::name(object), &[cause]));
        }
    }
    Ok(())
}

fn namespace(object: &mut Value) {
    let name = meta::name(object).to_owned();
    let labels = meta::metadata(object).entry("labels").or_insert(Value::Null);
    meta::as_map(labels).insert("kubernetes.io/metadata.name".into(), name.into());
    let spec = meta::child(object, "spec");
    spec.insert("finalizers".into(), json!(["kubernetes"]));
    meta::child(object, "status").insert("phase".into(), "Active".into());
}

/// `stringData` is for writing only.
fn secret(object: &mut Value) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let map = meta::as_map(object);
    if let Some(Value::Object(plain)) = map.shift_remove("stringData") {
        let data = meta::as_map(map.entry("data").or_insert(Value::Null));
        for (key, value) in plain {
            data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
        }
    }
    map.entry("type").or_insert_with(|| "Opaque".into());
}

/// A node that does not say that it is ready takes no pods yet.
fn node(object: &mut Value) {
    const KEY: &str = "node.kubernetes.io/not-ready";
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    let spec = meta::child(object, "spec");
    let taints = spec.entry("taints").or_insert_with(|| json!([]));
    let stated = taints.as_array().into_iter().flatten().any(|taint| taint["key"] == KEY);
    if let Some(taints) = taints.as_array_mut().filter(|_| !ready && !stated) {
        taints.push(json!({"key": KEY, "effect": "NoSchedule"}));
    }
    if spec["taints"] == json!([]) {
        spec.shift_remove("taints");
    }
}

/// A daemon set counts its templates in an annotation, whatever a client says of it.
fn count_templates(before: &Value, object: &mut Value) {
    let counted = before["metadata"]["annotations"][TEMPLATE_GENERATION].as_str().unwrap_or_default();
    let mut count: i64 = counted.parse().unwrap_or(1);
    count += i64::from(before["spec"]["template"] != object["spec"]["template"]);
    let annotations = meta::metadata(object).entry("annotations").or_insert(Value::Null);
    meta::as_map(annotations).insert(TEMPLATE_GENERATION.into(), count.to_string().into());
}

/// A job chooses its pods by its own uid unless told otherwise.
fn job(object: &mut Value) {
    if object["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (meta::uid(object).to_owned(), meta::name(object).to_owned());
    let spec = meta::child(object, "spec");
    let selector = meta::as_map(spec.entry("selector").or_insert(Value::Null));
    let labels = meta::as_map(selector.entry("matchLabels").or_insert(Value::Null));
    labels.insert("batch.kubernetes.io/controller-uid".into(), uid.clone().into());
    let template = spec.entry("template").or_insert(Value::Null);
    let labels = meta::metadata(template).entry("labels").or_insert(Value::Null);
    let labels = meta::as_map(labels);
    for prefix in ["batch.kubernetes.io/", ""] {
        labels.insert(format!("{prefix}controller-uid"), uid.clone().into());
        labels.insert(format!("{prefix}job-name"), name.clone().into());
    }
    let labels = labels.clone();
    let own = meta::metadata(object).entry("labels").or_insert(Value::Null);
    if own.as_object().is_none_or(serde_json::Map::is_empty) {
        *own = labels.into();
    }
}
