//! What limits or scales others: autoscalers, disruption budgets, quotas, limit ranges, priority classes, leases, taints,
//! webhooks, events.

use serde_json::{Value, json};

use super::errors::{Errors, items, text};
use super::{meta, names, quantity};
use crate::status::Cause;

pub(super) fn check(group: &str, kind: &str, it: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &it["spec"];
    match (group, kind) {
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(spec, old, errors),
        ("policy", "PodDisruptionBudget") => budget(spec, errors),
        ("", "ResourceQuota") => quota(&spec["hard"], errors),
        ("", "LimitRange") => limits(spec, errors),
        ("", "Node") => taints(spec, errors),
        ("", "Event") => event(it, errors),
        ("scheduling.k8s.io", "PriorityClass") => priority(it, old, errors),
        ("coordination.k8s.io", "Lease") => {
            for field in ["leaseDurationSeconds"] {
                if spec[field].as_i64().is_some_and(|seconds| seconds <= 0) {
                    errors.invalid(format!("spec.{field}"), &spec[field], "must be greater than 0");
                }
            }
            errors.not_negative("spec.leaseTransitions", &spec["leaseTransitions"]);
        }
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration",
        ) => {
            items(it, "", "webhooks").into_iter().for_each(|(path, one)| webhook(one, &path[1..], errors));
        }
        _ => {}
    }
}

fn autoscaler(spec: &Value, old: Option<&Value>, errors: &mut Errors) {
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or_default());
    if least.is_some_and(|least| least < 1) {
        errors.invalid("spec.minReplicas", &spec["minReplicas"], "must be greater than or equal to 1");
    }
    if most < 1 {
        errors.invalid("spec.maxReplicas", &json!(most), "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        errors.invalid("spec.maxReplicas", &json!(most), "must be greater than or equal to `minReplicas`");
    }
    let target = &spec["scaleTargetRef"];
    for field in ["kind", "name"] {
        if text(target, field).is_empty() {
            errors.required(format!("spec.scaleTargetRef.{field}"), "");
        }
    }
    let version = text(target, "apiVersion");
    // Only replication controllers can be scaled without a group.
    let core = text(target, "kind") == "ReplicationController";
    if old.is_none() && !version.contains('/') && !core {
        let why = "apiVersion must specify API group";
        errors.invalid("spec.scaleTargetRef.apiVersion", &json!(version), why);
    }
    let metrics = items(spec, "spec", "metrics");
    if least == Some(0) && !metrics.iter().any(|(_, one)| matches!(text(one, "type"), "Object" | "External"))
    {
        let why = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.forbidden("spec.metrics", why);
    }
    for (path, metric) in metrics {
        let source = match text(metric, "type") {
            "ContainerResource" => "containerResource",
            "External" => "external",
            "Object" => "object",
            "Pods" => "pods",
            "Resource" => "resource",
            _ => {
                let supported = ["ContainerResource", "External", "Object", "Pods", "Resource"];
                errors.not_supported(format!("{path}.type"), &metric["type"], &supported);
                continue;
            }
        };
        if !metric[source].is_object() {
            let why = "must populate information for the given metric source";
            errors.required(format!("{path}.{source}"), why);
        }
    }
}

fn budget(spec: &Value, errors: &mut Errors) {
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        let shown = json!({
            "MinAvailable": spec["minAvailable"], "Selector": spec["selector"],
            "MaxUnavailable": spec["maxUnavailable"], "UnhealthyPodEvictionPolicy": spec["unhealthyPodEvictionPolicy"],
        });
        errors.invalid("spec", &shown, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        errors.not_negative(&format!("spec.{field}"), &spec[field]);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let share = |text: &str| text.strip_suffix('%').is_some_and(digits);
        if spec[field].as_str().is_some_and(|text| !share(text)) {
            let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            errors.invalid(format!("spec.{field}"), &spec[field], why);
        }
    }
    meta::selector(&spec["selector"], "spec.selector", errors);
}

/// Resources that a quota may count beside those with a prefix or a domain.
const COUNTED: [&str; 16] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
];

fn quota(hard: &Value, errors: &mut Errors) {
    for (name, amount) in hard.as_object().into_iter().flatten() {
        let path = format!("spec.hard[{name}]");
        let more = ["persistentvolumeclaims", "services.nodeports", "services.loadbalancers"];
        let known = COUNTED.contains(&name.as_str())
            || more.contains(&name.as_str())
            || name.starts_with("hugepages-");
        if !known && !name.contains('/') {
            let shown = json!(name);
            errors.invalid(path.as_str(), &shown, "must be a standard resource type or fully qualified");
            errors.invalid(path.as_str(), &shown, "must be a standard resource for quota");
        }
        if quantity::nano(amount).is_some_and(|amount| amount < 0) {
            errors.invalid(path, amount, "must be greater than or equal to 0");
        }
    }
}

fn limits(spec: &Value, errors: &mut Errors) {
    for (path, item) in items(spec, "spec", "limits") {
        for (name, least) in item["min"].as_object().into_iter().flatten() {
            let order: [(&str, &str); 3] =
                [("max", "max"), ("defaultRequest", "default request"), ("default", "default")];
            for (field, words) in order {
                let other = &item[field][name];
                let (Some(low), Some(high)) = (quantity::nano(least), quantity::nano(other)) else {
                    continue;
                };
                if low > high {
                    let (least_text, other_text) = (plain(least), plain(other));
                    let (at, shown) = if field == "max" { ("min", least) } else { (field, other) };
                    let why = format!("min value {least_text} is greater than {words} value {other_text}");
                    errors.invalid(format!("{path}.{at}[{name}]"), shown, &why);
                }
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn taints(spec: &Value, errors: &mut Errors) {
    const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    for (index, taint) in spec["taints"].as_array().into_iter().flatten().enumerate() {
        let path = format!("metadata.taints[{index}]");
        let key = text(taint, "key");
        errors.invalid_text(&format!("{path}.key"), key, names::qualified(key));
        if !EFFECTS.contains(&text(taint, "effect")) {
            errors.not_supported(format!("{path}.effect"), &taint["effect"], &EFFECTS);
        }
    }
}

/// What an event of the newer group must say, and what it must leave to the older one; in storage form.
pub(super) fn new_event(it: &Value) -> Vec<Cause> {
    let mut errors = Errors::default();
    if it["eventTime"].is_null() {
        errors.required("eventTime", "");
    } else {
        for (field, shown) in
            [("reportingComponent", "reportingController"), ("reportingInstance", "reportingInstance")]
        {
            if text(it, field).is_empty() {
                errors.required(shown, "");
            }
        }
        for field in ["action", "reason"] {
            if text(it, field).is_empty() {
                errors.required(field, "");
            }
        }
    }
    let kind = text(it, "type");
    if !["Normal", "Warning"].contains(&kind) {
        errors.invalid("type", &json!(""), &format!("has invalid value: {kind}"));
    }
    for field in ["firstTimestamp", "lastTimestamp", "count"] {
        if !it[field].is_null() && it[field] != 0 {
            errors.invalid(field, &json!(""), "needs to be unset");
        }
    }
    for field in ["component", "host"] {
        if !text(&it["source"], field).is_empty() {
            errors.invalid("source", &json!(""), "needs to be unset");
        }
    }
    errors.into_causes()
}

/// An event lives in the namespace of what it is about.
fn event(it: &Value, errors: &mut Errors) {
    let (own, about) = (text(&it["metadata"], "namespace"), text(&it["involvedObject"], "namespace"));
    let fits = if about.is_empty() { matches!(own, "default" | "kube-system") } else { own == about };
    if !fits {
        let why = "does not match event.namespace";
        errors.invalid("involvedObject.namespace", &json!(about), why);
    }
}

fn priority(it: &Value, old: Option<&Value>, errors: &mut Errors) {
    const HIGHEST: i64 = 1_000_000_000;
    let name = text(&it["metadata"], "name");
    let known = ["system-node-critical", "system-cluster-critical"].contains(&name);
    if name.starts_with("system-") && !known {
        let why = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
        );
        errors.forbidden("metadata.name", &why);
    } else if !known && it["value"].as_i64().is_some_and(|value| value > HIGHEST) {
        let why = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        errors.forbidden("value", &why);
    }
    if let Some(old) = old
        && old["value"] != it["value"]
    {
        errors.invalid("value", &it["value"], "field is immutable");
    }
}

fn webhook(it: &Value, path: &str, errors: &mut Errors) {
    let name = text(it, "name");
    if name.is_empty() {
        errors.required(format!("{path}.name"), "");
    } else if name.split('.').filter(|part| !part.is_empty()).count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        errors.invalid(format!("{path}.name"), &json!(name), why);
    }
    if text(it, "sideEffects").is_empty() {
        errors.required(format!("{path}.sideEffects"), "must specify one of None, NoneOnDryRun");
    }
    let client = &it["clientConfig"];
    if client["url"].is_null() == client["service"].is_null() {
        errors.required(format!("{path}.clientConfig"), "exactly one of url or service is required");
    }
    if it["admissionReviewVersions"].as_array().is_none_or(Vec::is_empty) {
        let why = "must specify one of v1, v1beta1";
        errors.required(format!("{path}.admissionReviewVersions"), why);
    }
}
