//! Kinds that make pods.

use serde_json::{Value, json};

use super::errors::{Errors, text};
use super::{meta, pods};
use crate::cron::Schedule;

/// Whether `kind` is one of these; its errors are added.
pub(super) fn check(kind: &str, object: &Value, old: Option<&Value>, errors: &mut Errors) -> bool {
    let spec = &object["spec"];
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
            always_running(kind, spec, errors);
            if kind == "Deployment" {
                strategy(&spec["strategy"], errors);
                deadline(spec, errors);
            }
            if matches!(kind, "StatefulSet" | "DaemonSet") {
                update_strategy(kind, spec, errors);
            }
            if let Some(old) = old {
                immutable(kind, spec, &old["spec"], errors);
            }
        }
        "Job" => {
            generated_selector(object, errors);
            job(spec, "spec", old, errors);
        }
        "CronJob" => cron_job(text(&object["metadata"], "name"), spec, errors),
        _ => return false,
    }
    true
}

/// The template with a volume for each claim template, which its containers may mount.
fn with_claims(spec: &Value, template: &Value) -> Value {
    let mut template = template.clone();
    let claims = spec["volumeClaimTemplates"].as_array().into_iter().flatten();
    let named: Vec<Value> =
        claims.map(|claim| serde_json::json!({"name": claim["metadata"]["name"], "emptyDir": {}})).collect();
    if !named.is_empty() && template["spec"].is_object() {
        let mut volumes = template["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        volumes.retain(|volume| named.iter().all(|claim| claim["name"] != volume["name"]));
        volumes.extend(named);
        template["spec"]["volumes"] = Value::Array(volumes);
    }
    template
}

fn always_running(kind: &str, spec: &Value, errors: &mut Errors) {
    for field in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        errors.not_negative(&format!("spec.{field}"), &spec[field]);
    }
    let (selector, template) = (&spec["selector"], &spec["template"]);
    let empty = |field: &str| match &selector[field] {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => true,
    };
    let selects_all = empty("matchLabels") && empty("matchExpressions");
    if selector.is_null() {
        errors.required("spec.selector", "");
    } else {
        meta::selector(selector, "spec.selector", errors);
        if selects_all {
            let name = match kind {
                "StatefulSet" => "statefulset",
                "DaemonSet" => "daemonset",
                _ => "deployment",
            };
            errors.invalid("spec.selector", selector, &format!("empty selector is invalid for {name}"));
        }
    }
    let labels = &template["metadata"]["labels"];
    if (!selects_all || selector.is_null()) && (selector.is_null() || !meta::selects(selector, labels)) {
        errors.invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        );
    }
    pods::template(&with_claims(spec, template), "spec.template", errors);
    let policy = &template["spec"]["restartPolicy"];
    if matches!(policy.as_str(), Some("OnFailure" | "Never")) {
        errors.not_supported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
}

fn strategy(strategy: &Value, errors: &mut Errors) {
    let rolling = &strategy["rollingUpdate"];
    match text(strategy, "type") {
        "Recreate" if rolling.is_object() => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            errors.forbidden("spec.strategy.rollingUpdate", why);
        }
        "RollingUpdate" => {
            let none = |value: &Value| value == 0 || value == "0%";
            if none(&rolling["maxUnavailable"]) && none(&rolling["maxSurge"]) {
                let why = "may not be 0 when `maxSurge` is 0";
                errors.invalid("spec.strategy.rollingUpdate.maxUnavailable", &rolling["maxUnavailable"], why);
            }
            for field in ["maxUnavailable", "maxSurge"] {
                share(&rolling[field], &format!("spec.strategy.rollingUpdate.{field}"), errors);
            }
        }
        "Recreate" => {}
        _ => errors.not_supported("spec.strategy", &shown_strategy(strategy), &["Recreate", "RollingUpdate"]),
    }
}

/// A strategy as the real server's error shows it.
fn shown_strategy(strategy: &Value) -> Value {
    json!({"Type": strategy["type"], "RollingUpdate": strategy["rollingUpdate"]})
}

/// What stateful and daemon sets may say of how they are updated.
fn update_strategy(kind: &str, spec: &Value, errors: &mut Errors) {
    let policy = text(spec, "podManagementPolicy");
    if kind == "StatefulSet" && !["OrderedReady", "Parallel"].contains(&policy) {
        let why = "must be 'OrderedReady' or 'Parallel'";
        errors.invalid("spec.podManagementPolicy", &spec["podManagementPolicy"], why);
    }
    let strategy = &spec["updateStrategy"];
    if ["RollingUpdate", "OnDelete"].contains(&text(strategy, "type")) {
        return;
    }
    let shown = shown_strategy(strategy);
    if kind == "StatefulSet" {
        errors.invalid("spec.updateStrategy", &shown, "must be 'RollingUpdate' or 'OnDelete'");
    } else {
        errors.not_supported("spec.updateStrategy", &shown, &["RollingUpdate", "OnDelete"]);
    }
}

/// A count or a percentage.
fn share(value: &Value, path: &str, errors: &mut Errors) {
    errors.not_negative(path, value);
    if let Some(text) = value.as_str() {
        let digits = text.strip_suffix('%').unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
                       regex used for validation is '[0-9]+%')";
            errors.invalid(path, value, why);
        }
    }
}

fn deadline(spec: &Value, errors: &mut Errors) {
    let (deadline, ready) =
        (&spec["progressDeadlineSeconds"], spec["minReadySeconds"].as_i64().unwrap_or_default());
    errors.not_negative("spec.progressDeadlineSeconds", deadline);
    if deadline.as_i64().is_some_and(|seconds| seconds <= ready) {
        errors.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
    }
}

fn immutable(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    if kind != "StatefulSet" {
        errors.immutable("spec.selector", &new["selector"], &old["selector"]);
        return;
    }
    const MAY_CHANGE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |spec: &Value| {
        let mut fields = spec.as_object().cloned().unwrap_or_default();
        fields.retain(|field, _| !MAY_CHANGE.contains(&field.as_str()));
        fields
    };
    if fixed(new) != fixed(old) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                   'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                   'minReadySeconds' are forbidden";
        errors.forbidden("spec", why);
    }
}

/// A job that does not choose its pods itself has the selector that was made for it, and its pods the labels.
fn generated_selector(object: &Value, errors: &mut Errors) {
    const UID: &str = "batch.kubernetes.io/controller-uid";
    let (spec, uid) = (&object["spec"], &object["metadata"]["uid"]);
    let selector = &spec["selector"];
    if spec["manualSelector"] != true && selector["matchLabels"] != json!({UID: uid}) {
        errors.invalid("spec.selector", selector, "`selector` not auto-generated");
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.is_object() && !meta::selects(selector, labels) {
        let why = "`selector` does not match template `labels`";
        errors.invalid("spec.template.metadata.labels", labels, why);
    }
}

fn job(spec: &Value, path: &str, old: Option<&Value>, errors: &mut Errors) {
    for field in
        ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"]
    {
        errors.not_negative(&format!("{path}.{field}"), &spec[field]);
    }
    if spec["completionMode"] == "Indexed" && spec["completions"].is_null() {
        errors.required(format!("{path}.completions"), "when completion mode is Indexed");
    }
    pods::template(&spec["template"], &format!("{path}.template"), errors);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if !matches!(policy.as_str(), Some("OnFailure" | "Never")) {
        let why = "valid values: \"OnFailure\", \"Never\"";
        errors.required(format!("{path}.template.spec.restartPolicy"), why);
    }
    let Some(old) = old.map(|old| &old["spec"]) else { return };
    let suspended = old["suspend"] == true;
    for field in ["selector", "completionMode", "podFailurePolicy"] {
        errors.immutable(&format!("{path}.{field}"), &spec[field], &old[field]);
    }
    if !suspended {
        errors.immutable(&format!("{path}.template"), &spec["template"], &old["template"]);
    }
    if spec["completionMode"] != "Indexed" {
        errors.immutable(&format!("{path}.completions"), &spec["completions"], &old["completions"]);
    }
}

/// The longest name of a cron job: its jobs' names are eleven letters longer.
const CRON_NAME: usize = 52;

fn time_zone(zone: &Value, errors: &mut Errors) {
    const PATH: &str = "spec.timeZone";
    let Some(name) = zone.as_str() else { return };
    if name.is_empty() {
        errors.invalid(PATH, zone, "timeZone must be nil or non-empty string");
    } else if name.eq_ignore_ascii_case("local") {
        let why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(PATH, zone, why);
    } else if jiff::tz::TimeZone::get(name).is_err() {
        errors.invalid(PATH, zone, &format!("unknown time zone {name}"));
    }
}

fn cron_job(name: &str, spec: &Value, errors: &mut Errors) {
    if name.len() > CRON_NAME {
        errors.invalid(
            "metadata.name",
            &json!(name),
            &format!("must be no more than {CRON_NAME} characters"),
        );
    }
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        errors.required("spec.schedule", "");
    } else if schedule.contains("TZ") {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.invalid("spec.schedule", &spec["schedule"], why);
    } else if let Err(why) = Schedule::parse(schedule) {
        errors.invalid("spec.schedule", &spec["schedule"], &why);
    }
    time_zone(&spec["timeZone"], errors);
    errors.not_negative("spec.startingDeadlineSeconds", &spec["startingDeadlineSeconds"]);
    let policy = text(spec, "concurrencyPolicy");
    if !["Allow", "Forbid", "Replace"].contains(&policy) {
        errors.not_supported(
            "spec.concurrencyPolicy",
            &spec["concurrencyPolicy"],
            &["Allow", "Forbid", "Replace"],
        );
    }
    job(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", None, errors);
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.not_negative(&format!("spec.{field}"), &spec[field]);
    }
}
