//! Kinds that make pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{between, human_duration, parse, since};
use super::texts::{containers, int_or_string, labels, selector, selector_or_none};
use super::{Cells, Print, age, count, list, name, number, text};

pub(super) fn layout(kind: &str) -> Option<(&'static str, Print)> {
    Some(match kind {
        "Deployment" => ("Name@,Ready,Up-to-date,Available,Age,Containers*,Images*,Selector*", deployment),
        "ReplicaSet" => ("Name@,Desired#,Current#,Ready#,Age,Containers*,Images*,Selector*", replica_set),
        "ReplicationController" => {
            ("Name@,Desired#,Current#,Ready#,Age,Containers*,Images*,Selector*", replication_controller)
        }
        "StatefulSet" => ("Name@,Ready,Age,Containers*,Images*", stateful_set),
        "DaemonSet" => (
            "Name@,Desired#,Current#,Ready#,Up-to-date#,Available#,Node Selector,Age,Containers*,Images*,Selector*",
            daemon_set,
        ),
        "Job" => ("Name@,Status,Completions,Duration,Age,Containers*,Images*,Selector*", job),
        "CronJob" => (
            "Name@,Schedule,Timezone,Suspend?,Active#,Last Schedule,Age,Containers*,Images*,Selector*",
            cron_job,
        ),
        "ControllerRevision" => ("Name@,Controller,Revision,Age", controller_revision),
        "PodTemplate" => ("Name@,Containers,Images,Pod Labels", pod_template),
        _ => return None,
    })
}

/// Adds names and images of the template's containers, and a selector.
fn wide(mut cells: Cells, template: &Value, selector: Option<String>) -> Cells {
    let (names, images) = containers(&template["spec"]);
    cells.extend([json!(names), json!(images)]);
    cells.extend(selector.map(Value::String));
    cells
}

/// `ready/wanted`.
fn ready(object: &Value) -> Value {
    json!(format!("{}/{}", number(&object["status"]["readyReplicas"]), number(&object["spec"]["replicas"])))
}

fn deployment(it: &Value, now: Timestamp) -> Cells {
    let status = &it["status"];
    let cells = vec![
        name(it),
        ready(it),
        json!(number(&status["updatedReplicas"])),
        json!(number(&status["availableReplicas"])),
        age(it, now),
    ];
    wide(cells, &it["spec"]["template"], Some(selector(&it["spec"]["selector"])))
}

fn replicas(it: &Value, now: Timestamp) -> Cells {
    let status = &it["status"];
    vec![
        name(it),
        json!(number(&it["spec"]["replicas"])),
        json!(number(&status["replicas"])),
        json!(number(&status["readyReplicas"])),
        age(it, now),
    ]
}

fn replica_set(it: &Value, now: Timestamp) -> Cells {
    wide(replicas(it, now), &it["spec"]["template"], Some(selector_or_none(&it["spec"]["selector"])))
}

fn replication_controller(it: &Value, now: Timestamp) -> Cells {
    wide(replicas(it, now), &it["spec"]["template"], Some(labels(&it["spec"]["selector"])))
}

fn stateful_set(it: &Value, now: Timestamp) -> Cells {
    wide(vec![name(it), ready(it), age(it, now)], &it["spec"]["template"], None)
}

fn daemon_set(it: &Value, now: Timestamp) -> Cells {
    let mut cells = vec![name(it)];
    let counts = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ];
    cells.extend(counts.map(|field| json!(number(&it["status"][field]))));
    cells.extend([json!(labels(&it["spec"]["template"]["spec"]["nodeSelector"])), age(it, now)]);
    wide(cells, &it["spec"]["template"], Some(selector_or_none(&it["spec"]["selector"])))
}

fn job(it: &Value, now: Timestamp) -> Cells {
    let (spec, status) = (&it["spec"], &it["status"]);
    let succeeded = number(&status["succeeded"]);
    let parallelism = number(&spec["parallelism"]);
    let completions = match spec["completions"].as_i64() {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    };
    let duration = parse(&status["startTime"]).map_or_else(String::new, |start| {
        human_duration(between(start, parse(&status["completionTime"]).unwrap_or(now)))
    });
    let cells = vec![name(it), json!(job_status(it)), json!(completions), json!(duration), age(it, now)];
    wide(cells, &spec["template"], Some(selector_or_none(&spec["selector"])))
}

fn job_status(it: &Value) -> &'static str {
    let holds = |kind: &str| {
        let found = list(&it["status"]["conditions"]).iter().find(|one| one["type"] == kind);
        found.is_some_and(|one| one["status"] == "True")
    };
    match () {
        () if holds("Complete") => "Complete",
        () if holds("Failed") => "Failed",
        () if !it["metadata"]["deletionTimestamp"].is_null() => "Terminating",
        () if holds("Suspended") => "Suspended",
        () if holds("FailureTarget") => "FailureTarget",
        () if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn cron_job(it: &Value, now: Timestamp) -> Cells {
    let spec = &it["spec"];
    let last = match &it["status"]["lastScheduleTime"] {
        Value::Null => "<none>".into(),
        time => since(time, now),
    };
    let suspend = match spec["suspend"].as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let job = &spec["jobTemplate"]["spec"];
    let cells = vec![
        name(it),
        json!(text(&spec["schedule"], "")),
        json!(text(&spec["timeZone"], "<none>")),
        json!(suspend),
        json!(count(&it["status"]["active"])),
        json!(last),
        age(it, now),
    ];
    wide(cells, &job["template"], Some(selector_or_none(&job["selector"])))
}

fn controller_revision(it: &Value, now: Timestamp) -> Cells {
    let owner = list(&it["metadata"]["ownerReferences"]).iter().find(|one| one["controller"] == true);
    let owner = owner.map_or_else(
        || "<none>".to_owned(),
        |one| {
            let kind = text(&one["kind"], "").to_lowercase();
            let group = text(&one["apiVersion"], "").split_once('/').map(|(group, _)| format!(".{group}"));
            format!("{kind}{}/{}", group.unwrap_or_default(), text(&one["name"], ""))
        },
    );
    vec![name(it), json!(owner), json!(int_or_string(&it["revision"], "0")), age(it, now)]
}

fn pod_template(it: &Value, _now: Timestamp) -> Cells {
    let (names, images) = containers(&it["template"]["spec"]);
    vec![name(it), json!(names), json!(images), json!(labels(&it["template"]["metadata"]["labels"]))]
}
