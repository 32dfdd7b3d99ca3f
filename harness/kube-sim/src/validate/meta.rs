//! Metadata of every kind, and label selectors.

use serde_json::Value;

use super::errors::{Errors, items, text};
use super::names::{self, Reasons};

/// All annotations of an object together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// What the names of a kind must look like.
fn name_rule(group: &str, kind: &str) -> fn(&str) -> Reasons {
    match (group, kind) {
        ("", "Namespace") => names::dns_label,
        ("", "Service") => names::dns_1035,
        ("apps", "StatefulSet") => names::dns_label,
        ("rbac.authorization.k8s.io" | "apiregistration.k8s.io" | "flowcontrol.apiserver.k8s.io", _) => {
            names::path_segment
        }
        _ => names::dns_subdomain,
    }
}

pub(super) fn check(group: &str, kind: &str, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let meta = &object["metadata"];
    let rule = name_rule(group, kind);
    let (name, prefix) = (text(meta, "name"), text(meta, "generateName"));
    if old.is_none() {
        if !prefix.is_empty() {
            errors.invalid_text("metadata.generateName", prefix, rule(&format!("{}x", prefix)));
        }
        match name {
            "" if prefix.is_empty() => errors.required("metadata.name", "name or generateName is required"),
            "" => {}
            name => errors.invalid_text("metadata.name", name, rule(name)),
        }
    }
    labels(meta, "metadata.labels", errors);
    annotations(meta, errors);
    owners(meta, errors);
    finalizers(group, meta, errors);
    if let Some(old) = old {
        late_finalizers(meta, &old["metadata"], errors);
        for field in ["name", "namespace", "uid", "creationTimestamp"] {
            errors.immutable(&format!("metadata.{field}"), &meta[field], &old["metadata"][field]);
        }
    }
}

/// The map `labels` of `owner`.
pub(super) fn labels(owner: &Value, path: &str, errors: &mut Errors) {
    label_map(&owner["labels"], path, errors);
}

pub(super) fn label_map(map: &Value, path: &str, errors: &mut Errors) {
    for (key, value) in map.as_object().into_iter().flatten() {
        errors.invalid_text(path, key, names::qualified(key));
        let value = value.as_str().unwrap_or_default();
        errors.invalid_text(path, value, names::label_value(value));
    }
}

fn annotations(meta: &Value, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in meta["annotations"].as_object().into_iter().flatten() {
        errors.invalid_text("metadata.annotations", key, names::qualified(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        errors.too_long("metadata.annotations", ANNOTATIONS_LIMIT);
    }
}

/// Finalizers that need no domain.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Built-in groups with a domain whose finalizers need one; definitions and custom resources take any name.
const OWN_GROUPS: [&str; 13] = [
    "admissionregistration",
    "certificates",
    "coordination",
    "discovery",
    "events",
    "flowcontrol.apiserver",
    "internal.apiserver",
    "networking",
    "node",
    "rbac.authorization",
    "resource",
    "scheduling",
    "storage",
];

fn finalizers(group: &str, meta: &Value, errors: &mut Errors) {
    let own =
        !group.contains('.') || group.strip_suffix(".k8s.io").is_some_and(|name| OWN_GROUPS.contains(&name));
    let all = items(meta, "metadata", "finalizers");
    for (path, finalizer) in &all {
        let finalizer = finalizer.as_str().unwrap_or_default();
        errors.invalid_text("metadata.finalizers", finalizer, names::qualified(finalizer));
        if own && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(path.as_str(), &Value::from(finalizer), why);
        }
    }
    let has = |wanted: &str| all.iter().any(|(_, one)| *one == wanted);
    if has("orphan") && has("foregroundDeletion") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.invalid("metadata.finalizers", &meta["finalizers"], why);
    }
}

/// An object on its way out takes no new finalizers.
fn late_finalizers(meta: &Value, old: &Value, errors: &mut Errors) {
    if old["deletionTimestamp"].is_null() {
        return;
    }
    let had = old["finalizers"].as_array().cloned().unwrap_or_default();
    let new = meta["finalizers"].as_array().into_iter().flatten().filter(|one| !had.contains(one));
    let new: Vec<String> = new.map(ToString::to_string).collect();
    if !new.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            new.join(", ")
        );
        errors.forbidden("metadata.finalizers", &why);
    }
}

fn owners(meta: &Value, errors: &mut Errors) {
    const PATH: &str = "metadata.ownerReferences";
    let mut controllers = Vec::new();
    for (_, owner) in items(meta, "metadata", "ownerReferences") {
        let version = text(owner, "apiVersion");
        if version.is_empty() || version.matches('/').count() > 1 {
            errors.invalid(format!("{PATH}.apiVersion"), &Value::from(version), "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            if text(owner, field).is_empty() {
                errors.invalid(format!("{PATH}.{field}"), &Value::from(""), "must not be empty");
            }
        }
        if text(owner, "kind") == "Event" && version == "v1" {
            errors.invalid(PATH, owner, "/v1, Kind=Event is disallowed from being an owner");
        }
        if owner["controller"] == true {
            controllers.push(format!("{}/{}", text(owner, "kind"), text(owner, "name")));
        }
    }
    if let [first, .., last] = controllers.as_slice() {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {last}"
        );
        errors.invalid(PATH, &meta["ownerReferences"], &why);
    }
}

/// A label selector at `path`.
pub(super) fn selector(selector: &Value, path: &str, errors: &mut Errors) {
    label_map(&selector["matchLabels"], &format!("{path}.matchLabels"), errors);
    for (path, one) in items(selector, path, "matchExpressions") {
        let values = one["values"].as_array().map_or(0, Vec::len);
        let values_path = format!("{path}.values");
        match text(one, "operator") {
            "In" | "NotIn" if values == 0 => {
                errors.required(values_path, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if values > 0 => {
                errors.forbidden(
                    values_path,
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => {
                errors.invalid(format!("{path}.operator"), &one["operator"], "not a valid selector operator")
            }
        }
        let key = text(one, "key");
        errors.invalid_text(&format!("{path}.key"), key, names::qualified(key));
    }
}

/// Whether a label selector selects `labels`.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let by_labels = wanted.into_iter().all(|(key, value)| labels.get(key) == Some(value));
    by_labels
        && selector["matchExpressions"].as_array().into_iter().flatten().all(|one| {
            let present = labels.get(text(one, "key"));
            let listed =
                present.is_some_and(|value| one["values"].as_array().is_some_and(|all| all.contains(value)));
            match text(one, "operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => present.is_some(),
                _ => present.is_none(),
            }
        })
}
