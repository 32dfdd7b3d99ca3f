//! Everything that is not a pod and makes none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Object, items, object, present, set, set_text, text};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn apply(group: &str, kind: &str, it: &mut Object) {
    match (group, kind) {
        ("", "Service") => service(it),
        ("", "Secret") => secret(it),
        ("", "Namespace") => namespace(it),
        ("", "PersistentVolumeClaim") => claim(it),
        ("", "PersistentVolume") => volume(it),
        ("", "Endpoints") => items(it, "subsets").for_each(|subset| tcp(subset, "ports")),
        ("", "Node") => node(it),
        ("discovery.k8s.io", "EndpointSlice") => slice(it),
        ("networking.k8s.io", "NetworkPolicy") => network_policy(it),
        ("storage.k8s.io", "StorageClass") => {
            set_text(it, "reclaimPolicy", "Delete");
            set_text(it, "volumeBindingMode", "Immediate");
        }
        (RBAC, "RoleBinding" | "ClusterRoleBinding") => binding(it),
        ("scheduling.k8s.io", "PriorityClass") => set_text(it, "preemptionPolicy", "PreemptLowerPriority"),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(it),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(it),
        ("resource.k8s.io", "ResourceClaim") => devices(it),
        ("resource.k8s.io", "ResourceClaimTemplate") => {
            if let Some(claim) = present(it, "spec") {
                devices(claim);
            }
        }
        ("apiregistration.k8s.io", "APIService") => {
            if let Some(service) = present(it, "spec").and_then(|spec| present(spec, "service")) {
                set(service, "port", 443);
            }
        }
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => webhooks(it, false),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => webhooks(it, true),
        _ => {}
    }
}

/// One device of each kind that is asked for.
fn devices(claim: &mut Object) {
    let Some(asked) = present(claim, "spec").and_then(|spec| present(spec, "devices")) else { return };
    let exact = |request: &mut Object| {
        set_text(request, "allocationMode", "ExactCount");
        if text(request, "allocationMode") == "ExactCount" {
            set(request, "count", 1);
        }
    };
    for request in items(asked, "requests") {
        present(request, "exactly").map(exact);
        items(request, "firstAvailable").for_each(exact);
    }
}

fn tcp(owner: &mut Object, field: &str) {
    for port in items(owner, field) {
        set_text(port, "protocol", "TCP");
    }
}

fn service(it: &mut Object) {
    let Some(spec) = object(it, "spec") else { return };
    set_text(spec, "type", "ClusterIP");
    set_text(spec, "sessionAffinity", "None");
    if text(spec, "sessionAffinity") == "ClientIP" {
        let config = object(spec, "sessionAffinityConfig").and_then(|config| object(config, "clientIP"));
        if let Some(client) = config {
            set(client, "timeoutSeconds", 10800);
        }
    }
    let kind = text(spec, "type").to_owned();
    if kind == "NodePort" || kind == "LoadBalancer" {
        set_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
    }
    if kind != "ExternalName" {
        set_text(spec, "internalTrafficPolicy", "Cluster");
    }
    tcp(spec, "ports");
    for port in items(spec, "ports") {
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        if port.get("targetPort").is_none_or(|target| target == 0 || target == "" || target.is_null()) {
            port.insert("targetPort".into(), number);
        }
    }
    if let Some(status) = object(it, "status") {
        object(status, "loadBalancer");
    }
}

/// `stringData` is written as `data` and never kept.
fn secret(it: &mut Object) {
    set_text(it, "type", "Opaque");
    let Some(Value::Object(plain)) = it.shift_remove("stringData") else { return };
    if let Some(data) = object(it, "data") {
        for (key, value) in plain {
            let value = value.as_str().unwrap_or_default();
            data.insert(key, json!(STANDARD.encode(value)));
        }
    }
}

fn namespace(it: &mut Object) {
    let name = present(it, "metadata").map(|metadata| text(metadata, "name").to_owned()).unwrap_or_default();
    if !name.is_empty()
        && let Some(labels) = object(it, "metadata").and_then(|metadata| object(metadata, "labels"))
    {
        labels.insert("kubernetes.io/metadata.name".into(), json!(name));
    }
    if let Some(status) = object(it, "status") {
        set_text(status, "phase", "Active");
    }
}

pub(super) fn claim(it: &mut Object) {
    if let Some(spec) = object(it, "spec") {
        set_text(spec, "volumeMode", "Filesystem");
        set(spec, "resources", json!({}));
    }
    if let Some(status) = object(it, "status") {
        set_text(status, "phase", "Pending");
    }
}

fn volume(it: &mut Object) {
    if let Some(spec) = object(it, "spec") {
        set_text(spec, "volumeMode", "Filesystem");
        set_text(spec, "persistentVolumeReclaimPolicy", "Retain");
        if let Some(host) = present(spec, "hostPath") {
            set(host, "type", "");
        }
    }
    if let Some(status) = object(it, "status") {
        set_text(status, "phase", "Pending");
    }
}

fn node(it: &mut Object) {
    let Some(status) = present(it, "status") else { return };
    if let Some(capacity) = status.get("capacity").cloned() {
        set(status, "allocatable", capacity);
    }
}

fn slice(it: &mut Object) {
    for port in items(it, "ports") {
        set(port, "name", "");
        set_text(port, "protocol", "TCP");
    }
}

fn network_policy(it: &mut Object) {
    let Some(spec) = object(it, "spec") else { return };
    set(spec, "podSelector", json!({}));
    let egress = spec.get("egress").is_some_and(|rules| rules.as_array().is_some_and(|it| !it.is_empty()));
    set(spec, "policyTypes", if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
    for list in ["ingress", "egress"] {
        items(spec, list).for_each(|rule| tcp(rule, "ports"));
    }
}

fn binding(it: &mut Object) {
    if let Some(role) = present(it, "roleRef") {
        set_text(role, "apiGroup", RBAC);
    }
    for subject in items(it, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            set_text(subject, "apiGroup", RBAC);
        }
    }
}

fn autoscaler(it: &mut Object) {
    let Some(spec) = object(it, "spec") else { return };
    set(spec, "minReplicas", 1);
    let cpu = json!([{"type": "Resource", "resource": {"name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 80}}}]);
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("metrics".into(), cpu);
    }
}

fn definition(it: &mut Object) {
    let Some(spec) = object(it, "spec") else { return };
    if let Some(names) = present(spec, "names") {
        let kind = text(names, "kind").to_owned();
        if !kind.is_empty() {
            set_text(names, "singular", &kind.to_lowercase());
            set_text(names, "listKind", &format!("{kind}List"));
        }
    }
    if let Some(conversion) = object(spec, "conversion") {
        set_text(conversion, "strategy", "None");
        if let Some(service) = present(conversion, "webhook")
            .and_then(|webhook| present(webhook, "clientConfig"))
            .and_then(|config| present(config, "service"))
        {
            set(service, "port", 443);
        }
    }
}

fn webhooks(it: &mut Object, mutating: bool) {
    for hook in items(it, "webhooks") {
        set_text(hook, "failurePolicy", "Fail");
        set_text(hook, "matchPolicy", "Equivalent");
        set(hook, "namespaceSelector", json!({}));
        set(hook, "objectSelector", json!({}));
        set(hook, "timeoutSeconds", 10);
        if mutating {
            set_text(hook, "reinvocationPolicy", "Never");
        }
        if let Some(service) = present(hook, "clientConfig").and_then(|config| present(config, "service")) {
            set(service, "port", 443);
        }
        for rule in items(hook, "rules") {
            set_text(rule, "scope", "*");
        }
    }
}
