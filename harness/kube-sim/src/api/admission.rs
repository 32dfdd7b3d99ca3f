//! What the real server's built-in admission and create strategies add to an object, or refuse.

mod definitions;
mod pods;

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use super::{Api, meta, services};
use crate::registry::Kind;
use crate::status::{Cause, Status};

/// What is wrong with a name, if anything: the kind's own rule for the metadata name.
pub(super) fn name_problem(kind: &Kind, name: &str) -> Option<Cause> {
    const FIELD: &str = "metadata.name";
    if name.is_empty() {
        let message = "Required value: name or generateName is required";
        return Some(Cause::new("FieldValueRequired", FIELD, message));
    }
    let invalid = |rule: &str| {
        Some(Cause::new("FieldValueInvalid", FIELD, format!("Invalid value: \"{name}\": {rule}")))
    };
    if kind.group == "rbac.authorization.k8s.io"
        || kind.is("certificates.k8s.io", "CertificateSigningRequest")
        || kind.is("apiregistration.k8s.io", "APIService")
    {
        let bad = matches!(name, "." | "..") || name.contains(['/', '%']);
        return if bad { invalid("may not be '.' or '..' and may not contain '/' or '%'") } else { None };
    }
    let label = matches!(kind.kind.as_str(), "Namespace" | "Service") && kind.group.is_empty();
    let limit = if label { 63 } else { 253 };
    if name.len() > limit {
        return invalid(&format!("must be no more than {limit} characters"));
    }
    let fits = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(inner) && part.ends_with(inner) && part.chars().all(|c| inner(c) || c == '-')
    };
    if label {
        return if fits(name) {
            None
        } else {
            invalid(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                 start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                 validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            )
        };
    }
    if name.split('.').all(fits) {
        return None;
    }
    invalid(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
         start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
}

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
        ("", "PersistentVolumeClaim" | "PersistentVolume") => {
            meta::child(object, "status").insert("phase".into(), "Pending".into());
        }
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", _) => definitions::on_create(api, kind, object)?,
        ("certificates.k8s.io", _) => {}
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

/// A job chooses its pods by its own uid unless told otherwise.
fn job(object: &mut Value) {
    if object["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (meta::uid(object).to_owned(), meta::name(object).to_owned());
    let spec = meta::child(object, "spec");
    spec.insert("selector".into(), json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    let template = spec.entry("template").or_insert(Value::Null);
    let labels = meta::metadata(template).entry("labels").or_insert(Value::Null);
    let labels = meta::as_map(labels);
    for prefix in ["", "batch.kubernetes.io/"] {
        labels.insert(format!("{prefix}controller-uid"), uid.clone().into());
        labels.insert(format!("{prefix}job-name"), name.clone().into());
    }
}
