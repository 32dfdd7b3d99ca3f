//! A pod's status as its kubelet reports it.

use serde_json::{Value, json};

use super::container::{Container, Ended, State};
use super::pod::Worker;
use crate::controllers::objects::{Condition, condition, list, set_condition, stamp, text, truth};
use jiff::Timestamp;

/// The status of a pod, from the one so far and what its kubelet knows.
pub(crate) fn pod_status(pod: &Value, worker: &Worker, now: Timestamp) -> Value {
    let mut status = pod["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    let phase = phase(pod, worker);
    status["observedGeneration"] = pod["metadata"]["generation"].clone();
    if status["observedGeneration"].is_null()
        && let Some(map) = status.as_object_mut()
    {
        map.shift_remove("observedGeneration");
    }
    status["phase"] = json!(phase);
    status["conditions"] = json!(conditions(pod, worker, phase, now));
    status["hostIP"] = json!(worker.host_ip);
    status["hostIPs"] = json!([{"ip": worker.host_ip}]);
    if let Some(ip) = &worker.ip {
        status["podIP"] = json!(ip);
        status["podIPs"] = json!([{"ip": ip}]);
    }
    status["startTime"] = json!(stamp(worker.started));
    for (spec, field) in [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")] {
        let statuses: Vec<_> = list(pod, &format!("/spec/{spec}"))
            .iter()
            .filter_map(|spec| Some(container_status(pod, spec, worker.containers.get(text(spec, "/name"))?)))
            .collect();
        if !statuses.is_empty() {
            status[field] = json!(statuses);
        }
    }
    if status["qosClass"].is_null() {
        status["qosClass"] = json!(qos_class(pod));
    }
    if let Some((reason, message)) = &worker.failed {
        status["reason"] = json!(reason);
        status["message"] = json!(message);
    }
    status
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by the requests and limits of the containers.
pub(crate) fn qos_class(pod: &Value) -> &'static str {
    let containers = ["containers", "initContainers"];
    let containers = containers.iter().flat_map(|field| list(pod, &format!("/spec/{field}")));
    let (mut any, mut guaranteed) = (false, true);
    for container in containers {
        for resource in ["cpu", "memory"] {
            let of = |section: &str| container.pointer(&format!("/resources/{section}/{resource}"));
            let (limit, request) = (of("limits"), of("requests"));
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Whether a container of `initContainers` runs beside the others.
pub(crate) fn is_sidecar(spec: &Value) -> bool {
    text(spec, "/restartPolicy") == "Always"
}

fn initialised(pod: &Value, worker: &Worker) -> bool {
    list(pod, "/spec/initContainers").iter().all(|spec| {
        worker.containers.get(text(spec, "/name")).is_some_and(|container| {
            if is_sidecar(spec) {
                container.run().is_some_and(|run| run.startup_passed)
            } else {
                container.ended().is_some_and(|ended| ended.code == 0)
            }
        })
    })
}

fn phase(pod: &Value, worker: &Worker) -> &'static str {
    if worker.failed.is_some() {
        return "Failed";
    }
    let policy = text(pod, "/spec/restartPolicy");
    let init = list(pod, "/spec/initContainers").iter().filter(|spec| !is_sidecar(spec));
    let init_failed = init
        .filter_map(|spec| worker.containers.get(text(spec, "/name"))?.ended())
        .any(|ended| ended.code != 0 && policy == "Never");
    if init_failed {
        return "Failed";
    }
    let (mut waiting, mut running, mut stopped, mut succeeded) = (0, 0, 0, 0);
    for spec in list(pod, "/spec/containers") {
        let Some(container) = worker.containers.get(text(spec, "/name")) else {
            waiting += 1;
            continue;
        };
        match &container.state {
            State::Running(_) => running += 1,
            State::Ended(ended) => {
                stopped += 1;
                succeeded += i32::from(ended.code == 0);
            }
            State::Waiting { .. } if container.last.is_some() => stopped += 1,
            State::Waiting { .. } => waiting += 1,
        }
    }
    let restarts = !worker.terminating && policy != "Never" && policy != "OnFailure";
    match () {
        () if waiting > 0 => "Pending",
        () if running > 0 => "Running",
        () if stopped > 0 && restarts => "Running",
        () if stopped > 0 && stopped == succeeded => "Succeeded",
        () if stopped > 0 && (policy == "Never" || worker.terminating) => "Failed",
        () if stopped > 0 => "Running",
        () => "Pending",
    }
}

fn conditions(pod: &Value, worker: &Worker, phase: &str, now: Timestamp) -> Vec<Value> {
    let finished = matches!(phase, "Succeeded" | "Failed");
    let initialised = initialised(pod, worker);
    let not_initialised = names(pod, "initContainers", |spec| {
        let ended = worker.containers.get(text(spec, "/name")).and_then(Container::ended);
        ended.is_none_or(|ended| ended.code != 0)
    });
    let unready = names(pod, "containers", |spec| {
        !worker.containers.get(text(spec, "/name")).is_some_and(Container::is_ready)
    });
    let completed = phase == "Succeeded";
    let (init_reason, init_message) = match () {
        () if completed => ("PodCompleted", String::new()),
        () if initialised => ("", String::new()),
        () => {
            let message = format!("containers with incomplete status: [{}]", not_initialised.join(" "));
            ("ContainersNotInitialized", message)
        }
    };
    let all_ready = unready.is_empty() && initialised && !finished;
    let (reason, message) = match () {
        () if completed => ("PodCompleted", String::new()),
        () if phase == "Failed" => ("PodFailed", String::new()),
        () if all_ready => ("", String::new()),
        () => ("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))),
    };
    let gates = list(pod, "/spec/readinessGates").iter().map(|gate| text(gate, "/conditionType"));
    let missing: Vec<_> = gates
        .filter(|gate| condition(pod, gate).is_none_or(|found| found["status"] != json!("True")))
        .collect();
    let ready = if all_ready && !missing.is_empty() {
        let message =
            format!("corresponding condition of pod readiness gate \"{}\" does not exist.", missing[0]);
        Condition { kind: "Ready", status: "False", reason: "ReadinessGatesNotReady", message }
    } else {
        Condition { kind: "Ready", status: truth(all_ready), reason, message: message.clone() }
    };
    let sandboxed = worker.ip.is_some() && !(finished || worker.terminating && worker.all_ended());
    let ours = [
        ("PodReadyToStartContainers", sandboxed, "", String::new()),
        ("Initialized", initialised || completed, init_reason, init_message),
    ];
    let known = list(pod, "/status/conditions");
    let mut out: Vec<Value> = Vec::new();
    let mut put = |wanted: &Condition<'_>| {
        out.extend(known.iter().find(|known| known["type"] == json!(wanted.kind)).cloned());
        set_condition(&mut out, wanted, now, false);
    };
    for (kind, holds, reason, message) in ours {
        put(&Condition { kind, status: truth(holds), reason, message });
    }
    put(&ready);
    put(&Condition { kind: "ContainersReady", status: truth(all_ready), reason, message });
    put(&Condition { kind: "PodScheduled", status: "True", reason: "", message: String::new() });
    let rest = known.iter().filter(|known| !out.iter().any(|own| own["type"] == known["type"]));
    let rest: Vec<_> = rest.cloned().collect();
    out.extend(rest);
    out
}

fn names<'a>(pod: &'a Value, field: &str, wanted: impl Fn(&Value) -> bool) -> Vec<&'a str> {
    let specs = list(pod, &format!("/spec/{field}")).iter();
    specs.filter(|spec| wanted(spec)).map(|spec| text(spec, "/name")).collect()
}

fn container_status(pod: &Value, spec: &Value, container: &Container) -> Value {
    let image = text(spec, "/image");
    let (state, id, started) = match &container.state {
        State::Waiting { reason, message } => {
            let mut waiting = json!({"reason": reason});
            if !message.is_empty() {
                waiting["message"] = json!(message);
            }
            let id = container.last.as_ref().map(|last| last.id.clone());
            (json!({"waiting": waiting}), id, false)
        }
        State::Running(run) => {
            let running = json!({"running": {"startedAt": stamp(run.started)}});
            (running, Some(run.id.clone()), run.startup_passed)
        }
        State::Ended(ended) => (json!({"terminated": terminated(ended)}), Some(ended.id.clone()), false),
    };
    let last =
        container.last.as_ref().map_or_else(|| json!({}), |last| json!({"terminated": terminated(last)}));
    let pulled = id.is_some();
    let mut status = json!({
        "name": spec["name"], "state": state, "lastState": last,
        "ready": container.is_ready() || container.ended().is_some_and(|ended| ended.code == 0 && is_init(pod, spec)),
        "restartCount": container.restarts,
        "image": image,
        "imageID": if pulled { super::image::digest(image) } else { String::new() },
    });
    if let Some(id) = id {
        status["containerID"] = json!(format!("containerd://{id}"));
    }
    status["started"] = json!(started);
    let mounts: Vec<_> = list(spec, "/volumeMounts")
        .iter()
        .map(|mount| {
            let read_only = mount["readOnly"].as_bool().unwrap_or_default();
            let mut shown = json!({"name": mount["name"], "mountPath": mount["mountPath"]});
            if read_only {
                shown["readOnly"] = json!(true);
                shown["recursiveReadOnly"] = json!("Disabled");
            }
            shown
        })
        .collect();
    if !mounts.is_empty() {
        status["volumeMounts"] = json!(mounts);
    }
    status
}

fn is_init(pod: &Value, spec: &Value) -> bool {
    list(pod, "/spec/initContainers").iter().any(|init| init["name"] == spec["name"])
}

fn terminated(ended: &Ended) -> Value {
    let mut shown = json!({"exitCode": ended.code});
    if let Some(signal) = ended.signal {
        shown["signal"] = json!(signal);
    }
    shown["reason"] = json!(ended.reason);
    if !ended.message.is_empty() {
        shown["message"] = json!(ended.message);
    }
    shown["startedAt"] = json!(stamp(ended.started));
    shown["finishedAt"] = json!(stamp(ended.finished));
    shown["containerID"] = json!(format!("containerd://{}", ended.id));
    shown
}
