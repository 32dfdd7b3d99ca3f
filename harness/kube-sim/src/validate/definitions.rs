//! CustomResourceDefinitions.

use serde_json::{Value, json};

use super::errors::{Errors, items, text};
use super::{names, rules};

/// What groups of Kubernetes itself must say of their approval.
const APPROVAL: &str = "api-approved.kubernetes.io";

/// A definition that has been completed.
pub(super) fn check(it: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &it["spec"];
    let (plural, group) = (text(&spec["names"], "plural"), text(spec, "group"));
    if text(&it["metadata"], "name") != format!("{plural}.{group}") {
        let why = "must be spec.names.plural+\".\"+spec.group";
        errors.invalid("metadata.name", &it["metadata"]["name"], why);
    }
    if group.is_empty() {
        errors.required("spec.group", "");
    } else {
        errors.invalid_text("spec.group", group, names::dns_subdomain(group));
        if !group.contains('.') {
            errors.invalid("spec.group", &json!(group), "should be a domain with at least one dot");
        }
    }
    if !["Cluster", "Namespaced"].contains(&text(spec, "scope")) {
        match text(spec, "scope") {
            "" => errors.required("spec.scope", ""),
            _ => errors.not_supported("spec.scope", &spec["scope"], &["Cluster", "Namespaced"]),
        }
    }
    for field in ["plural", "singular", "kind", "listKind"] {
        if text(&spec["names"], field).is_empty() {
            errors.required(format!("spec.names.{field}"), "");
        }
    }
    let versions = items(spec, "spec", "versions");
    let stored = versions.iter().filter(|(_, version)| version["storage"] == true).count();
    if stored != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.invalid("spec.versions", &shown(&spec["versions"]), why);
    }
    let only = versions.len() == 1;
    for (path, version) in versions {
        let name = text(version, "name");
        errors.invalid_text(&format!("{path}.name"), name, names::dns_1035(name));
        let schema = &version["schema"]["openAPIV3Schema"];
        let whole = if only {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            format!("{path}.schema.openAPIV3Schema")
        };
        structure(schema, &whole, errors);
        rules::check(schema, &whole, errors);
        if !schema.is_object() {
            errors.required(format!("{path}.schema.openAPIV3Schema"), "");
        } else if text(schema, "type") != "object" {
            let path = format!("{path}.schema.openAPIV3Schema.type");
            match text(schema, "type") {
                "" => errors.required(path, "must not be empty at the root"),
                _ => errors.invalid(path, &schema["type"], "must be object at the root"),
            }
        }
    }
    if stored == 0 {
        errors.invalid("status.storedVersions", &Value::Null, "must have at least one stored version");
    }
    approval(it, group, errors);
    if let Some(old) = old.map(|old| &old["spec"]) {
        errors.immutable("spec.group", &spec["group"], &old["group"]);
        errors.immutable("spec.scope", &spec["scope"], &old["scope"]);
        errors.immutable("spec.names.plural", &spec["names"]["plural"], &old["names"]["plural"]);
    }
}

/// Versions as the real server's error shows them.
fn shown(versions: &Value) -> Value {
    let one = |version: &Value| {
        json!({
            "Name": version["name"], "Served": version["served"] == true, "Storage": version["storage"] == true,
            "Deprecated": version["deprecated"] == true, "DeprecationWarning": version["deprecationWarning"],
            "Schema": null, "Subresources": null, "AdditionalPrinterColumns": null, "SelectableFields": null,
        })
    };
    versions.as_array().into_iter().flatten().map(one).collect()
}

/// Groups below `k8s.io` and `kubernetes.io` need an approval.
fn approval(it: &Value, group: &str, errors: &mut Errors) {
    let protected = [".k8s.io", ".kubernetes.io"].into_iter().any(|end| group.ends_with(end));
    if protected && text(&it["metadata"]["annotations"], APPROVAL).is_empty() {
        let why = format!(
            "protected groups must have approval annotation {APPROVAL:?}, see https://github.com/kubernetes/enhancements/pull/1111"
        );
        errors.required(format!("metadata.annotations[{APPROVAL}]"), &why);
    }
}

/// Every place of a structural schema has a type.
fn structure(schema: &Value, path: &str, errors: &mut Errors) {
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.properties[{field}]");
        typed(inner, &path, "must not be empty for specified object fields", errors);
        structure(inner, &path, errors);
    }
    if schema["items"].is_object() {
        let path = format!("{path}.items");
        typed(&schema["items"], &path, "must not be empty for specified array items", errors);
        structure(&schema["items"], &path, errors);
    } else if schema["type"] == "array" {
        errors.required(format!("{path}.items"), "must be specified");
    }
    if schema["additionalProperties"].is_object() {
        let path = format!("{path}.additionalProperties");
        typed(
            &schema["additionalProperties"],
            &path,
            "must not be empty for specified object fields",
            errors,
        );
        structure(&schema["additionalProperties"], &path, errors);
    }
}

fn typed(schema: &Value, path: &str, why: &str, errors: &mut Errors) {
    const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
    let open = schema["x-kubernetes-int-or-string"] == true
        || schema["x-kubernetes-preserve-unknown-fields"] == true;
    match text(schema, "type") {
        "" if open => {}
        "" => errors.required(format!("{path}.type"), why),
        known if TYPES.contains(&known) => {}
        _ => errors.not_supported(format!("{path}.type"), &schema["type"], &TYPES),
    }
}
