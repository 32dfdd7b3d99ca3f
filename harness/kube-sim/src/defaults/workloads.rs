//! Kinds that make pods.

use serde_json::{Value, json};

use super::{Object, items, object, pod, set, set_text, text};

fn spec(owner: &mut Object) -> Option<&mut Object> {
    object(owner, "spec")
}

pub(super) fn replication_controller(owner: &mut Object) {
    let Some(spec) = spec(owner) else { return };
    set(spec, "replicas", 1);
    pod::template(spec, "template");
    let labels = spec.get("template").map(|template| template["metadata"]["labels"].clone());
    if let Some(labels @ Value::Object(_)) = labels {
        set(spec, "selector", labels.clone());
        if let Some(metadata) = object(owner, "metadata")
            && metadata.get("labels").is_none_or(|own| own.as_object().is_none_or(Object::is_empty))
        {
            metadata.insert("labels".into(), labels);
        }
    }
}

/// The annotation that counts the templates of a daemon set.
pub(crate) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

pub(super) fn deployment(owner: &mut Object) {
    let Some(spec) = spec(owner) else { return };
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
    if let Some(strategy) = object(spec, "strategy") {
        set_text(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = object(strategy, "rollingUpdate")
        {
            set(rolling, "maxUnavailable", "25%");
            set(rolling, "maxSurge", "25%");
        }
    }
    pod::template(spec, "template");
}

pub(super) fn replica_set(owner: &mut Object) {
    let Some(spec) = spec(owner) else { return };
    set(spec, "replicas", 1);
    pod::template(spec, "template");
}

pub(super) fn stateful_set(owner: &mut Object) {
    let Some(spec) = spec(owner) else { return };
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    set_text(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = object(spec, "updateStrategy") {
        set_text(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = object(strategy, "rollingUpdate")
        {
            set(rolling, "partition", 0);
        }
    }
    if let Some(policy) = object(spec, "persistentVolumeClaimRetentionPolicy") {
        set_text(policy, "whenDeleted", "Retain");
        set_text(policy, "whenScaled", "Retain");
    }
    for claim in items(spec, "volumeClaimTemplates") {
        set_text(claim, "apiVersion", "v1");
        set_text(claim, "kind", "PersistentVolumeClaim");
        super::objects::claim(claim);
    }
    pod::template(spec, "template");
}

pub(super) fn daemon_set(owner: &mut Object) {
    if let Some(metadata) = object(owner, "metadata")
        && let Some(annotations) = object(metadata, "annotations")
    {
        set(annotations, TEMPLATE_GENERATION, "1");
    }
    let Some(spec) = spec(owner) else { return };
    set(spec, "revisionHistoryLimit", 10);
    if let Some(strategy) = object(spec, "updateStrategy") {
        set_text(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = object(strategy, "rollingUpdate")
        {
            set(rolling, "maxUnavailable", 1);
            set(rolling, "maxSurge", 0);
        }
    }
    pod::template(spec, "template");
}

/// A job. Its selector and the labels that go with it are made from its `metadata.uid`, once it has one.
pub(super) fn job(owner: &mut Object) {
    let uid = owner.get("metadata").map(|it| text_of(it, "uid")).unwrap_or_default();
    let name = owner.get("metadata").map(|it| text_of(it, "name")).unwrap_or_default();
    let Some(spec) = spec(owner) else { return };
    let unset = |spec: &Object, field: &str| spec.get(field).is_none_or(Value::is_null);
    if unset(spec, "completions") && unset(spec, "parallelism") {
        spec.insert("completions".into(), json!(1));
    }
    set(spec, "parallelism", 1);
    let per_index = !unset(spec, "backoffLimitPerIndex");
    set(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    set_text(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    let policy = if unset(spec, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
    set_text(spec, "podReplacementPolicy", policy);
    pod::template(spec, "template");
    if !uid.is_empty() && spec.get("manualSelector") != Some(&json!(true)) {
        job_selector(spec, &name, &uid);
    }
    set(spec, "manualSelector", false);
}

fn text_of(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn job_selector(spec: &mut Object, name: &str, uid: &str) {
    let labels =
        object(spec, "template").and_then(|it| object(it, "metadata")).and_then(|it| object(it, "labels"));
    if let Some(labels) = labels {
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", uid),
            ("batch.kubernetes.io/job-name", name),
            ("controller-uid", uid),
            ("job-name", name),
        ] {
            set(labels, label, value);
        }
    }
    let selector = object(spec, "selector").and_then(|it| object(it, "matchLabels"));
    if let Some(selector) = selector {
        set(selector, "batch.kubernetes.io/controller-uid", uid);
    }
}

pub(super) fn cron_job(owner: &mut Object) {
    let Some(spec) = spec(owner) else { return };
    set_text(spec, "concurrencyPolicy", "Allow");
    set(spec, "suspend", false);
    set(spec, "successfulJobsHistoryLimit", 3);
    set(spec, "failedJobsHistoryLimit", 1);
    if let Some(template) = object(spec, "jobTemplate") {
        object(template, "metadata");
        if let Some(inner) = object(template, "spec") {
            pod::template(inner, "template");
        }
    }
}
