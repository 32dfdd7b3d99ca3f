//! Kinds that make no pods.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::errors::{Errors, items, text};
use super::{definitions, meta, names, network, pods, policies, storage};

const RBAC: &str = "rbac.authorization.k8s.io";
/// What one config map or secret may hold.
const DATA_LIMIT: usize = 1024 * 1024;

pub(super) fn check(group: &str, kind: &str, it: &Value, old: Option<&Value>, errors: &mut Errors) {
    match (group, kind) {
        ("", "Service") => service(it, old, errors),
        ("", "Secret") => {
            secret(it, errors);
            frozen(it, old, &["data"], errors);
            if let Some(old) = old {
                errors.immutable("type", &it["type"], &old["type"]);
            }
        }
        ("", "ConfigMap") => {
            config_map(it, errors);
            frozen(it, old, &["data", "binaryData"], errors);
        }
        (RBAC, "Role" | "ClusterRole") => {
            items(it, "", "rules")
                .into_iter()
                .for_each(|(path, rule)| role_rule(kind, rule, &path[1..], errors));
        }
        (RBAC, "RoleBinding" | "ClusterRoleBinding") => binding(kind, it, old, errors),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definitions::check(it, old, errors),
        ("", "PersistentVolumeClaim") => storage::claim(&it["spec"], old, errors),
        ("", "PersistentVolume") => storage::volume(&it["spec"], old, errors),
        ("storage.k8s.io", "StorageClass") => storage::class(it, old, errors),
        ("networking.k8s.io" | "discovery.k8s.io", _) => network::check(kind, it, errors),
        _ => policies::check(group, kind, it, old, errors),
    }
}

/// `immutable: true` holds for ever.
fn frozen(it: &Value, old: Option<&Value>, fields: &[&str], errors: &mut Errors) {
    let Some(old) = old.filter(|old| old["immutable"] == true) else { return };
    let why = "field is immutable when `immutable` is set";
    if it["immutable"] != true {
        errors.forbidden("immutable", why);
    }
    for field in fields.iter().filter(|field| it[**field] != old[**field]) {
        errors.forbidden(*field, why);
    }
}

fn config_map(it: &Value, errors: &mut Errors) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in it[field].as_object().into_iter().flatten() {
            let path = format!("{field}[{key}]");
            errors.invalid_text(&path, key, names::config_key(key));
            if field == "data" && it["binaryData"].get(key).is_some() {
                errors.invalid(path, &json!(key), "duplicate of key present in binaryData");
            }
            size += value.as_str().map_or(0, str::len);
        }
    }
    if size > DATA_LIMIT {
        errors.too_long("", DATA_LIMIT);
    }
}

fn secret(it: &Value, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in it["data"].as_object().into_iter().flatten() {
        errors.invalid_text(&format!("data[{key}]"), key, names::config_key(key));
        size += value.as_str().map_or(0, |text| text.len() / 4 * 3);
    }
    if size > DATA_LIMIT {
        errors.too_long("data", DATA_LIMIT);
    }
    let data = |key: &str| it["data"].get(key).and_then(Value::as_str);
    let needed: &[&str] = match text(it, "type") {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/basic-auth" if data("username").is_none() && data("password").is_none() => {
            &["username", "password"]
        }
        "kubernetes.io/service-account-token" => {
            let account = "kubernetes.io/service-account.name";
            if text(&it["metadata"]["annotations"], account).is_empty() {
                errors.required(format!("metadata.annotations[{account}]"), "");
            }
            &[]
        }
        _ => &[],
    };
    for key in needed {
        let path = format!("data[{key}]");
        match data(key) {
            None => errors.required(path, ""),
            Some(stated) if key.starts_with(".docker") => {
                let decoded = STANDARD.decode(stated).unwrap_or_default();
                if let Err(why) = serde_json::from_slice::<serde_json::Map<String, Value>>(&decoded) {
                    errors.invalid(path, &json!("<secret contents redacted>"), &why.to_string());
                }
            }
            Some(_) => {}
        }
    }
}

/// A port as the real server's error tells it apart from others.
fn told(port: &Value) -> Value {
    json!({
        "Name": "", "Protocol": text(port, "protocol"), "AppProtocol": null, "Port": port["port"], "TargetPort": 0,
        "NodePort": 0,
    })
}

fn service(it: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &it["spec"];
    let ports = items(spec, "spec", "ports");
    let kind = text(spec, "type");
    let headless = text(spec, "clusterIP") == "None";
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    if !["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"].contains(&kind) {
        let supported = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
        errors.not_supported("spec.type", &spec["type"], &supported);
    }
    let affinity = text(spec, "sessionAffinity");
    if !["ClientIP", "None"].contains(&affinity) && !affinity.is_empty() {
        errors.not_supported("spec.sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"]);
    }
    if kind != "LoadBalancer"
        && it["status"]["loadBalancer"]["ingress"].as_array().is_some_and(|all| !all.is_empty())
    {
        let why = "may only be used when `spec.type` is 'LoadBalancer'";
        errors.forbidden("status.loadBalancer.ingress", why);
    }
    if kind == "ExternalName" && text(spec, "externalName").is_empty() {
        errors.required("spec.externalName", "");
    }
    let (mut used, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (path, port) in &ports {
        let name = text(port, "name");
        if name.is_empty() && ports.len() > 1 {
            errors.required(format!("{path}.name"), "");
        } else if !name.is_empty() {
            errors.invalid_text(&format!("{path}.name"), name, names::dns_label(name));
            if !used.insert(name) {
                errors.duplicate(format!("{path}.name"), &json!(name));
            }
        }
        for why in names::port(port["port"].as_i64().unwrap_or_default()) {
            errors.invalid(format!("{path}.port"), &port["port"], &why);
        }
        let protocol = text(port, "protocol");
        if !["SCTP", "TCP", "UDP"].contains(&protocol) {
            errors.not_supported(format!("{path}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
        }
        let node_port = port["nodePort"].as_i64().filter(|number| *number != 0);
        if node_port.is_some_and(|number| !(30_000..=32_767).contains(&number)) {
            let why = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            errors.invalid(format!("{path}.nodePort"), &port["nodePort"], why);
        }
        pods::port_or_name(&port["targetPort"], &format!("{path}.targetPort"), errors);
        if !numbers.insert((protocol, port["port"].as_i64())) {
            errors.duplicate(path.as_str(), &told(port));
        }
    }
    meta::label_map(&spec["selector"], "spec.selector", errors);
    if let Some(old) = old {
        let (was, now) = (text(&old["spec"], "clusterIP"), text(spec, "clusterIP"));
        if !was.is_empty()
            && was != now
            && kind != "ExternalName"
            && text(&old["spec"], "type") != "ExternalName"
        {
            errors.invalid("spec.clusterIPs[0]", &json!([now]), "may not change once set");
        }
    }
}

fn role_rule(kind: &str, rule: &Value, path: &str, errors: &mut Errors) {
    let has = |field: &str| rule[field].as_array().is_some_and(|all| !all.is_empty());
    if !has("verbs") {
        errors.required(format!("{path}.verbs"), "verbs must contain at least one value");
    }
    if has("nonResourceURLs") {
        let urls = format!("{path}.nonResourceURLs");
        if kind == "Role" {
            let why = "namespaced rules cannot apply to non-resource URLs";
            errors.invalid(urls.as_str(), &rule["nonResourceURLs"], why);
        }
        if has("apiGroups") || has("resources") || has("resourceNames") {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            errors.invalid(urls, &rule["nonResourceURLs"], why);
        }
        return;
    }
    if !has("apiGroups") {
        errors.required(format!("{path}.apiGroups"), "resource rules must supply at least one api group");
    }
    if !has("resources") {
        errors.required(format!("{path}.resources"), "resource rules must supply at least one resource");
    }
}

fn binding(kind: &str, it: &Value, old: Option<&Value>, errors: &mut Errors) {
    let role = &it["roleRef"];
    let group = role["apiGroup"].as_str().unwrap_or_default();
    if group != RBAC {
        errors.not_supported("roleRef.apiGroup", &json!(group), &[RBAC]);
    }
    let kinds: &[&str] = if kind == "RoleBinding" { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&text(role, "kind")) {
        errors.not_supported("roleRef.kind", &json!(text(role, "kind")), kinds);
    }
    let name = text(role, "name");
    if name.is_empty() {
        errors.required("roleRef.name", "");
    }
    errors.invalid_text("roleRef.name", name, names::path_segment(name));
    for (path, subject) in items(it, "", "subjects") {
        check_subject(kind, subject, &path[1..], errors);
    }
    if let Some(old) = old
        && old["roleRef"] != *role
    {
        let shown = json!({"APIGroup": group, "Kind": text(role, "kind"), "Name": name});
        errors.invalid("roleRef", &shown, "cannot change roleRef");
    }
}

fn check_subject(kind: &str, subject: &Value, path: &str, errors: &mut Errors) {
    let (name, group) = (text(subject, "name"), text(subject, "apiGroup"));
    if name.is_empty() {
        errors.required(format!("{path}.name"), "");
    }
    match text(subject, "kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                errors.invalid_text(&format!("{path}.name"), name, names::dns_subdomain(name));
            }
            if !group.is_empty() {
                errors.not_supported(format!("{path}.apiGroup"), &json!(group), &[""]);
            }
            if kind == "ClusterRoleBinding" && text(subject, "namespace").is_empty() {
                errors.required(format!("{path}.namespace"), "");
            }
        }
        "User" | "Group" if group != RBAC => {
            errors.not_supported(format!("{path}.apiGroup"), &json!(group), &[RBAC]);
        }
        "User" | "Group" => {}
        other => {
            errors.not_supported(format!("{path}.kind"), &json!(other), &["ServiceAccount", "User", "Group"])
        }
    }
}
