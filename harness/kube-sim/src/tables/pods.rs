//! Pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{between, human_duration, parse};
use super::{Cells, age, list, name, number, text};

pub(super) const COLUMNS: &str = "Name@,Ready,Status,Restarts,Age,IP*,Node*,Nominated Node*,Readiness Gates*";

/// What the containers add up to.
#[derive(Default)]
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: Option<Timestamp>,
}

impl Summary {
    fn restarted(&mut self, status: &Value) {
        self.restarts += number(&status["restartCount"]);
        let ended = parse(&status["lastState"]["terminated"]["finishedAt"]);
        self.last_restart = self.last_restart.max(ended);
    }
}

pub(super) fn pod(pod: &Value, now: Timestamp) -> Cells {
    let summary = summary(pod);
    let restarts = match summary.last_restart {
        Some(last) if summary.restarts != 0 => {
            format!("{} ({} ago)", summary.restarts, human_duration(between(last, now)))
        }
        _ => summary.restarts.to_string(),
    };
    vec![
        name(pod),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.reason),
        json!(restarts),
        age(pod, now),
        json!(text(&pod["status"]["podIPs"][0]["ip"], "<none>")),
        json!(text(&pod["spec"]["nodeName"], "<none>")),
        json!(text(&pod["status"]["nominatedNodeName"], "<none>")),
        json!(readiness_gates(pod)),
    ]
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    list(&pod["status"]["conditions"]).iter().find(|it| it["type"] == kind)
}

fn condition_holds(pod: &Value, kind: &str) -> bool {
    condition(pod, kind).is_some_and(|it| it["status"] == "True")
}

fn summary(pod: &Value) -> Summary {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let phase = text(&status["phase"], "");
    let restartable: Vec<&str> = list(&spec["initContainers"])
        .iter()
        .filter(|it| it["restartPolicy"] == "Always")
        .filter_map(|it| it["name"].as_str())
        .collect();
    let mut all = Summary {
        reason: text(&status["reason"], phase).to_owned(),
        total: list(&spec["containers"]).len() + restartable.len(),
        ..Summary::default()
    };
    if list(&status["conditions"])
        .iter()
        .any(|it| it["type"] == "PodScheduled" && it["reason"] == "SchedulingGated")
    {
        all.reason = "SchedulingGated".into();
    }
    let mut sidecars = Summary::default();
    let initializing = initialization(pod, &restartable, &mut all, &mut sidecars);
    if !initializing || condition_holds(pod, "Initialized") {
        all.restarts = sidecars.restarts;
        all.last_restart = sidecars.last_restart;
        running(pod, &mut all);
    }
    if pod["metadata"].get("deletionTimestamp").is_some_and(|it| !it.is_null()) {
        if status["reason"] == "NodeLost" {
            all.reason = "Unknown".into();
        } else if phase != "Failed" && phase != "Succeeded" {
            all.reason = "Terminating".into();
        }
    }
    all
}

/// Reads the init containers; whether one of them still stands before the others.
fn initialization(pod: &Value, restartable: &[&str], all: &mut Summary, sidecars: &mut Summary) -> bool {
    for (index, one) in list(&pod["status"]["initContainerStatuses"]).iter().enumerate() {
        all.restarted(one);
        let sidecar = one["name"].as_str().is_some_and(|name| restartable.contains(&name));
        if sidecar {
            sidecars.restarted(one);
        }
        let ended = &one["state"]["terminated"];
        let waiting = text(&one["state"]["waiting"]["reason"], "");
        if ended.is_object() && number(&ended["exitCode"]) == 0 {
            continue;
        }
        if sidecar && one["started"] == true {
            all.ready += usize::from(one["ready"] == true);
            continue;
        }
        all.reason = if ended.is_object() {
            format!("Init:{}", end_of(ended))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", list(&pod["spec"]["initContainers"]).len())
        };
        return true;
    }
    false
}

/// Why a container ended: its reason, or its signal or exit code.
fn end_of(ended: &Value) -> String {
    match (text(&ended["reason"], ""), number(&ended["signal"])) {
        ("", 0) => format!("ExitCode:{}", number(&ended["exitCode"])),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn running(pod: &Value, all: &mut Summary) {
    let mut any_running = false;
    for one in list(&pod["status"]["containerStatuses"]).iter().rev() {
        all.restarted(one);
        let (waiting, ended) = (text(&one["state"]["waiting"]["reason"], ""), &one["state"]["terminated"]);
        if !waiting.is_empty() {
            all.reason = waiting.to_owned();
        } else if ended.is_object() {
            all.reason = end_of(ended);
        } else if one["ready"] == true && one["state"]["running"].is_object() {
            any_running = true;
            all.ready += 1;
        }
    }
    if all.reason == "Completed" && any_running {
        all.reason = if condition_holds(pod, "Ready") { "Running" } else { "NotReady" }.into();
    }
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return "<none>".into();
    }
    let passed = gates.iter().filter(|gate| condition_holds(pod, text(&gate["conditionType"], ""))).count();
    format!("{passed}/{}", gates.len())
}
