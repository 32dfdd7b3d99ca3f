//! Evictions (`pods/eviction`), held against PodDisruptionBudgets.

use serde_json::{Value, json};

use crate::api::{Api, Caller, DeleteOptions, LabelSelector, Selection, Sub, meta};
use crate::registry::Kind;
use crate::status::Status;

/// Deletes a pod if the budgets that select it let it go.
///
/// # Errors
/// 404 when there is no such pod, 429 when a budget does not let it go, 500 when several select it.
pub(crate) fn evict(
    api: &Api,
    caller: &Caller,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
    options: &DeleteOptions,
) -> Result<(), Status> {
    let pod = api.get(kind, namespace, name)?;
    let phase = meta::text(&pod, "/status/phase");
    let free = matches!(phase, "Succeeded" | "Failed" | "Pending") || meta::is_deleting(&pod);
    if !free {
        let budgets = api.kind("policy", "PodDisruptionBudget")?;
        let all = api.list(&budgets, namespace, &Selection::default())?.items;
        let selecting = |budget: &&Value| LabelSelector::of(&budget["spec"]["selector"]).matches(&pod);
        let mine: Vec<_> = all.iter().filter(selecting).collect();
        match mine.as_slice() {
            [] => {}
            [budget] => spend(api, caller, &budgets, budget, &pod, options.dry_run)?,
            _ => {
                let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(Status::internal(message));
            }
        }
    }
    if !options.dry_run && !meta::is_deleting(&pod) {
        mark(api, caller, kind, namespace, name);
    }
    api.delete(caller, kind, namespace, name, options).map(drop)
}

/// Takes one eviction from a budget.
fn spend(
    api: &Api,
    caller: &Caller,
    kind: &Kind,
    budget: &Value,
    pod: &Value,
    dry_run: bool,
) -> Result<(), Status> {
    let count = |field: &str| budget["status"][field].as_i64().unwrap_or_default();
    let title = meta::name(budget);
    let observed =
        count("observedGeneration") >= budget["metadata"]["generation"].as_i64().unwrap_or_default();
    let (healthy, desired) = (count("currentHealthy"), count("desiredHealthy"));
    if !is_ready(pod) {
        let always = meta::text(budget, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow";
        if always || (observed && healthy >= desired && desired > 0) {
            return Ok(());
        }
    }
    if !observed {
        let message = format!("The disruption budget {title} is still being processed by the server.");
        return Err(refusal(&message, 10));
    }
    if count("disruptionsAllowed") <= 0 {
        let message =
            format!("The disruption budget {title} needs {desired} healthy pods and has {healthy} currently");
        return Err(refusal(&message, 0));
    }
    if dry_run {
        return Ok(());
    }
    let now = meta::time(api.now());
    let spent = api.modify(caller, kind, Sub::Status, meta::namespace(budget), title, |budget| {
        let left = budget["status"]["disruptionsAllowed"].as_i64().unwrap_or_default();
        budget["status"]["disruptionsAllowed"] = json!(left - 1);
        let status = meta::child(budget, "status");
        let under_way = meta::as_map(status.entry("disruptedPods").or_insert(Value::Null));
        under_way.insert(meta::name(pod).to_owned(), json!(now));
        left > 0
    });
    spent.map(drop)
}

fn refusal(message: &str, retry: u64) -> Status {
    let mut details = json!({"causes": [{"reason": "DisruptionBudget", "message": message}]});
    if retry > 0 {
        details["retryAfterSeconds"] = json!(retry);
    }
    Status::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        .with_details(details)
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// Notes on the pod why it goes.
fn mark(api: &Api, caller: &Caller, kind: &Kind, namespace: Option<&str>, name: &str) {
    let now = meta::time(api.now());
    let marked = api.modify(caller, kind, Sub::Status, namespace, name, |pod| {
        let mut conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.retain(|one| one["type"] != "DisruptionTarget");
        conditions.push(json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting", "lastProbeTime": null, "lastTransitionTime": now,
        }));
        meta::child(pod, "status").insert("conditions".into(), json!(conditions));
        true
    });
    if let Err(error) = marked {
        tracing::debug!(%error, pod = name, "an evicted pod could not be marked");
    }
}
