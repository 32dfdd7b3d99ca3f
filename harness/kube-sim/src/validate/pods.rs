//! Pods and pod templates.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::errors::{Errors, items, text};
use super::{meta, names, quantity};

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];

pub(super) fn pod(pod: &Value, old: Option<&Value>, errors: &mut Errors) {
    match old {
        None => spec(&pod["spec"], "spec", errors),
        Some(old) => update(&pod["spec"], &old["spec"], errors),
    }
}

/// A pod template at `path`.
pub(super) fn template(template: &Value, path: &str, errors: &mut Errors) {
    meta::labels(&template["metadata"], &format!("{path}.metadata.labels"), errors);
    spec(&template["spec"], &format!("{path}.spec"), errors);
}

/// What may change in a pod: images, deadlines, tolerations, the node (once) and scheduling gates.
fn update(new: &Value, old: &Value, errors: &mut Errors) {
    let bound = !text(old, "nodeName").is_empty();
    let fixed = |spec: &Value| fixed_part(spec, bound);
    if fixed(new) != fixed(old) {
        let why = "pod updates may not change fields other than \
                   `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                   `spec.tolerations` (only additions to existing tolerations),\
                   `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.forbidden("spec", why);
    }
    let deadline = &new["activeDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|seconds| seconds < 1) {
        let why = "must be between 1 and 2147483647, inclusive";
        errors.invalid("spec.activeDeadlineSeconds", deadline, why);
    }
    for list in ["containers", "initContainers"] {
        for (path, container) in items(new, "spec", list) {
            if text(container, "image").is_empty() {
                errors.required(format!("{path}.image"), "");
            }
        }
    }
}

/// A pod's specification without what may change.
fn fixed_part(spec: &Value, bound: bool) -> Value {
    let Value::Object(fields) = spec else { return Value::Null };
    let mut fields = fields.clone();
    for list in ["containers", "initContainers"] {
        let containers = fields.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            container.shift_remove("image");
            container.shift_remove("resources");
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates", "ephemeralContainers"] {
        fields.shift_remove(field);
    }
    if !bound {
        fields.shift_remove("nodeName");
    }
    Value::Object(fields)
}

fn spec(spec: &Value, path: &str, errors: &mut Errors) {
    let volumes = volumes(spec, path, errors);
    let mut used = BTreeSet::new();
    let containers = items(spec, path, "containers");
    if containers.is_empty() {
        errors.required(format!("{path}.containers"), "");
    }
    for (path, one) in containers.iter().chain(&items(spec, path, "initContainers")) {
        container(one, path, &volumes, errors);
        let name = text(one, "name");
        if !name.is_empty() && !used.insert(name) {
            errors.duplicate(format!("{path}.name"), &json!(name));
        }
    }
    choice(spec, path, "restartPolicy", &["Always", "OnFailure", "Never"], errors);
    choice(spec, path, "dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], errors);
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() {
        errors.invalid_text(&format!("{path}.serviceAccountName"), account, names::dns_subdomain(account));
    }
    tolerations(spec, path, errors);
    host_ports(spec, path, errors);
    meta::label_map(&spec["nodeSelector"], &format!("{path}.nodeSelector"), errors);
    errors.not_negative(
        &format!("{path}.terminationGracePeriodSeconds"),
        &spec["terminationGracePeriodSeconds"],
    );
    let deadline = &spec["activeDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|seconds| seconds < 1) {
        let why = "must be between 1 and 2147483647, inclusive";
        errors.invalid(format!("{path}.activeDeadlineSeconds"), deadline, why);
    }
}

fn tolerations(spec: &Value, path: &str, errors: &mut Errors) {
    const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    for (path, one) in items(spec, path, "tolerations") {
        let (key, operator, value) = (text(one, "key"), text(one, "operator"), text(one, "value"));
        if !key.is_empty() {
            errors.invalid_text(&format!("{path}.key"), key, names::qualified(key));
        } else if operator != "Exists" {
            let why =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(format!("{path}.operator"), &json!(operator), why);
        }
        match operator {
            "" | "Equal" => {
                errors.invalid_text(&format!("{path}.operator"), value, names::label_value(value))
            }
            "Exists" if value.is_empty() => {}
            "Exists" => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.invalid(format!("{path}.operator"), &json!(value), why);
            }
            _ => errors.not_supported(format!("{path}.operator"), &one["operator"], &["Equal", "Exists"]),
        }
        choice(one, &path, "effect", &EFFECTS, errors);
    }
}

/// On the host's network a port is the host's.
fn host_ports(spec: &Value, path: &str, errors: &mut Errors) {
    if spec["hostNetwork"] != true {
        return;
    }
    for (path, one) in items(spec, path, "containers") {
        for (path, port) in items(one, &path, "ports") {
            let host = port["hostPort"].as_i64().filter(|host| *host != 0);
            if host.is_some_and(|host| port["containerPort"].as_i64() != Some(host)) {
                let why = "must match `containerPort` when `hostNetwork` is true";
                errors.invalid(format!("{path}.hostPort"), &port["hostPort"], why);
            }
        }
    }
}

/// What a container asks for and may use at most.
fn resources(it: &Value, path: &str, errors: &mut Errors) {
    const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    for part in ["limits", "requests"] {
        for (name, amount) in it[part].as_object().into_iter().flatten() {
            let path = format!("{path}.{part}[{name}]");
            if !STANDARD.contains(&name.as_str()) && !name.starts_with("hugepages-") && !name.contains('/') {
                let shown = json!(name);
                errors.invalid(path.as_str(), &shown, "must be a standard resource type or fully qualified");
                errors.invalid(path.as_str(), &shown, "must be a standard resource for containers");
            }
            if quantity::nano(amount).is_some_and(|amount| amount < 0) {
                errors.invalid(path, amount, "must be greater than or equal to 0");
            }
        }
    }
    for (name, request) in it["requests"].as_object().into_iter().flatten() {
        let limit = &it["limits"][name];
        if let (Some(asked), Some(most)) = (quantity::nano(request), quantity::nano(limit))
            && asked > most
        {
            let shown = limit.as_str().map_or_else(|| limit.to_string(), ToOwned::to_owned);
            let why = format!("must be less than or equal to {name} limit of {shown}");
            errors.invalid(format!("{path}.requests"), request, &why);
        }
    }
}

/// A text that must be one of a few, if it is there.
fn choice(owner: &Value, path: &str, field: &str, supported: &[&str], errors: &mut Errors) {
    let value = text(owner, field);
    if !value.is_empty() && !supported.contains(&value) {
        errors.not_supported(format!("{path}.{field}"), &owner[field], supported);
    }
}

fn volumes<'a>(spec: &'a Value, path: &str, errors: &mut Errors) -> BTreeSet<&'a str> {
    let mut known = BTreeSet::new();
    for (path, volume) in items(spec, path, "volumes") {
        let name = text(volume, "name");
        let name_path = format!("{path}.name");
        if name.is_empty() {
            errors.required(name_path, "");
        } else {
            errors.invalid_text(&name_path, name, names::dns_label(name));
            if !known.insert(name) {
                errors.duplicate(name_path, &json!(name));
            }
        }
        let sources = volume.as_object().map_or(0, |all| all.keys().filter(|key| *key != "name").count());
        match sources {
            0 => errors.required(path.clone(), "must specify a volume type"),
            1 => {}
            _ => {
                let sources = volume.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
                let last = sources.map(|(key, _)| key.as_str()).max().unwrap_or_default();
                errors.forbidden(format!("{path}.{last}"), "may not specify more than 1 volume type");
                if name.is_empty() || !known.remove(name) {
                    continue;
                }
            }
        }
        for (source, field) in [
            ("secret", "secretName"),
            ("configMap", "name"),
            ("hostPath", "path"),
            ("persistentVolumeClaim", "claimName"),
        ] {
            if volume[source].is_object() && text(&volume[source], field).is_empty() {
                errors.required(format!("{path}.{source}.{field}"), "");
            }
        }
    }
    known
}

fn container(it: &Value, path: &str, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let name = text(it, "name");
    if name.is_empty() {
        errors.required(format!("{path}.name"), "");
    } else {
        errors.invalid_text(&format!("{path}.name"), name, names::dns_label(name));
    }
    if text(it, "image").is_empty() {
        errors.required(format!("{path}.image"), "");
    }
    choice(it, path, "imagePullPolicy", &["Always", "IfNotPresent", "Never"], errors);
    choice(it, path, "terminationMessagePolicy", &["FallbackToLogsOnError", "File"], errors);
    resources(&it["resources"], &format!("{path}.resources"), errors);
    ports(it, path, errors);
    for (path, variable) in items(it, path, "env") {
        let name = text(variable, "name");
        if name.is_empty() {
            errors.required(format!("{path}.name"), "");
        } else {
            errors.invalid_text(&format!("{path}.name"), name, names::environment(name));
        }
        if variable["valueFrom"].is_object() && !text(variable, "value").is_empty() {
            errors.invalid(
                format!("{path}.valueFrom"),
                &json!(""),
                "may not be specified when `value` is not empty",
            );
        } else if variable["valueFrom"].as_object().is_some_and(serde_json::Map::is_empty) {
            let why =
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
            errors.invalid(format!("{path}.valueFrom"), &json!(""), why);
        } else if let Some(field) = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            field_path(field, &format!("{path}.valueFrom.fieldRef.fieldPath"), errors);
        }
    }
    mounts(it, path, volumes, errors);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if it[probe].is_object() {
            check_probe(&it[probe], &format!("{path}.{probe}"), probe, errors);
        }
    }
}

/// Fields of a pod that its variables may name.
fn field_path(field: &str, path: &str, errors: &mut Errors) {
    const FIELDS: [&str; 10] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
        "metadata.labels",
    ];
    let keyed = ["metadata.labels[", "metadata.annotations["].iter().any(|start| field.starts_with(start));
    if !keyed && !FIELDS.contains(&field) {
        let why = format!("error converting fieldPath: field label not supported: {field}");
        errors.invalid(path, &json!(field), &why);
    }
}

fn ports(it: &Value, path: &str, errors: &mut Errors) {
    let mut used = BTreeSet::new();
    for (path, port) in items(it, path, "ports") {
        let name = text(port, "name");
        if !name.is_empty() {
            let reasons = names::port_name(name);
            if reasons.is_empty() && !used.insert(name) {
                errors.duplicate(format!("{path}.name"), &json!(name));
            }
            errors.invalid_text(&format!("{path}.name"), name, reasons);
        }
        match port["containerPort"].as_i64() {
            None | Some(0) => errors.required(format!("{path}.containerPort"), ""),
            Some(number) => {
                for why in names::port(number) {
                    errors.invalid(format!("{path}.containerPort"), &port["containerPort"], &why);
                }
            }
        }
        if let Some(number) = port["hostPort"].as_i64().filter(|number| *number != 0) {
            for why in names::port(number) {
                errors.invalid(format!("{path}.hostPort"), &port["hostPort"], &why);
            }
        }
        choice(port, &path, "protocol", &PROTOCOLS, errors);
    }
}

fn mounts(it: &Value, path: &str, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let mut used = BTreeSet::new();
    for (path, mount) in items(it, path, "volumeMounts") {
        let (name, at) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.required(format!("{path}.name"), "");
        }
        if !volumes.contains(name) {
            errors.not_found(format!("{path}.name"), &json!(name));
        }
        if at.is_empty() {
            errors.required(format!("{path}.mountPath"), "");
        } else if !used.insert(at) {
            errors.invalid(format!("{path}.mountPath"), &json!(at), "must be unique");
        }
    }
}

fn check_probe(probe: &Value, path: &str, kind: &str, errors: &mut Errors) {
    let handlers: Vec<&str> = HANDLERS.into_iter().filter(|one| probe[*one].is_object()).collect();
    match handlers.as_slice() {
        [] => errors.required(path, "must specify a handler type"),
        [_] => {}
        [_, second, ..] => {
            errors.forbidden(format!("{path}.{second}"), "may not specify more than 1 handler type");
        }
    }
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        errors.not_negative(&format!("{path}.{field}"), &probe[field]);
    }
    if kind != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|count| count > 1) {
        errors.invalid(format!("{path}.successThreshold"), &probe["successThreshold"], "must be 1");
    }
    for handler in ["httpGet", "tcpSocket", "grpc"] {
        if probe[handler].is_object() {
            port_or_name(&probe[handler]["port"], &format!("{path}.{handler}.port"), errors);
        }
    }
}

/// A port's number or name.
pub(super) fn port_or_name(port: &Value, path: &str, errors: &mut Errors) {
    let reasons = match port {
        Value::String(name) => names::port_name(name),
        Value::Number(number) => names::port(number.as_i64().unwrap_or_default()),
        _ => names::port(0),
    };
    let zero = Value::from(0);
    let shown = if port.is_null() { &zero } else { port };
    for why in reasons {
        errors.invalid(path, shown, &why);
    }
}
