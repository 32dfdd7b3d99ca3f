//! Pods and pod templates.

use serde_json::{Value, json};

use super::{Object, items, object, present, set, set_text, text};

/// A pod, with the status that a new one has.
pub(super) fn pod(pod: &mut Object) {
    if let Some(spec) = object(pod, "spec") {
        set(spec, "enableServiceLinks", true);
        for list in ["initContainers", "containers"] {
            for container in items(spec, list) {
                requests_from_limits(container);
            }
        }
        pod_spec(spec);
    }
    let class = qos_class(pod.get("spec").unwrap_or(&Value::Null));
    if let Some(status) = object(pod, "status") {
        set_text(status, "phase", "Pending");
        set_text(status, "qosClass", class);
    }
}

/// The template under `field`.
pub(super) fn template(owner: &mut Object, field: &str) {
    if let Some(template) = object(owner, field) {
        object(template, "metadata");
        if let Some(spec) = object(template, "spec") {
            pod_spec(spec);
        }
    }
}

fn pod_spec(spec: &mut Object) {
    set_text(spec, "restartPolicy", "Always");
    set_text(spec, "dnsPolicy", "ClusterFirst");
    set_text(spec, "schedulerName", "default-scheduler");
    set(spec, "terminationGracePeriodSeconds", 30);
    set(spec, "securityContext", json!({}));
    service_account(spec);
    let on_host = spec.get("hostNetwork") == Some(&json!(true));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for one in items(spec, list) {
            container(one, on_host);
        }
    }
    for one in items(spec, "volumes") {
        volume(one);
    }
}

/// The old and the new name of the service account are the same thing.
fn service_account(spec: &mut Object) {
    let name = [text(spec, "serviceAccountName"), text(spec, "serviceAccount")]
        .into_iter()
        .find(|it| !it.is_empty());
    if let Some(name) = name.map(ToOwned::to_owned) {
        spec.insert("serviceAccountName".into(), json!(name));
        spec.insert("serviceAccount".into(), json!(name));
    }
}

fn container(container: &mut Object, on_host: bool) {
    let policy = if always_pulled(text(container, "image")) { "Always" } else { "IfNotPresent" };
    set_text(container, "imagePullPolicy", policy);
    set_text(container, "terminationMessagePath", "/dev/termination-log");
    set_text(container, "terminationMessagePolicy", "File");
    set(container, "resources", json!({}));
    for port in items(container, "ports") {
        set_text(port, "protocol", "TCP");
        if on_host {
            let number = port.get("containerPort").cloned().unwrap_or(Value::Null);
            set(port, "hostPort", number);
        }
    }
    for variable in items(container, "env") {
        if let Some(field) = present(variable, "valueFrom").and_then(|from| present(from, "resourceFieldRef"))
        {
            set(field, "divisor", "0");
        }
        if let Some(field) = present(variable, "valueFrom").and_then(|from| present(from, "fieldRef")) {
            set_text(field, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = present(container, name) {
            set(probe, "timeoutSeconds", 1);
            set(probe, "periodSeconds", 10);
            set(probe, "successThreshold", 1);
            set(probe, "failureThreshold", 3);
            handler(probe);
        }
    }
    if let Some(lifecycle) = present(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = present(lifecycle, hook) {
                handler(hook);
            }
        }
    }
}

/// Images without a tag, and those tagged `latest`; a digest pins an image.
fn always_pulled(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn handler(owner: &mut Object) {
    if let Some(get) = present(owner, "httpGet") {
        set_text(get, "path", "/");
        set_text(get, "scheme", "HTTP");
    }
    if let Some(grpc) = present(owner, "grpc") {
        set(grpc, "service", "");
    }
}

fn volume(volume: &mut Object) {
    if volume.len() == 1 && volume.contains_key("name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = present(volume, source) {
            set(source, "defaultMode", 420);
            downward_items(source);
        }
    }
    if let Some(host) = present(volume, "hostPath") {
        set(host, "type", "");
    }
    if let Some(projected) = present(volume, "projected") {
        for source in items(projected, "sources") {
            if let Some(token) = present(source, "serviceAccountToken") {
                set(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = present(source, "downwardAPI") {
                downward_items(downward);
            }
        }
    }
}

fn downward_items(source: &mut Object) {
    for item in items(source, "items") {
        if let Some(field) = present(item, "fieldRef") {
            set_text(field, "apiVersion", "v1");
        }
    }
}

/// A limit without a request is also the request.
fn requests_from_limits(container: &mut Object) {
    let Some(resources) = present(container, "resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    if let Some(requests) = object(resources, "requests") {
        for (resource, limit) in limits {
            set(requests, &resource, limit);
        }
    }
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by the requests and limits of processor and memory.
fn qos_class(spec: &Value) -> &'static str {
    let lists = ["initContainers", "containers"];
    let containers: Vec<&Value> =
        lists.iter().filter_map(|list| spec[*list].as_array()).flatten().map(|it| &it["resources"]).collect();
    let stated = |resources: &Value, side: &str, name: &str| resources[side].get(name).is_some();
    let any = |resources: &&Value| {
        ["cpu", "memory"]
            .iter()
            .any(|it| stated(resources, "requests", it) || stated(resources, "limits", it))
    };
    if !containers.iter().any(any) {
        return "BestEffort";
    }
    let fixed = |resources: &&Value| {
        ["cpu", "memory"].iter().all(|name| {
            let limit = resources["limits"].get(*name);
            limit.is_some() && resources["requests"].get(*name).is_none_or(|request| Some(request) == limit)
        })
    };
    if containers.iter().all(fixed) { "Guaranteed" } else { "Burstable" }
}
