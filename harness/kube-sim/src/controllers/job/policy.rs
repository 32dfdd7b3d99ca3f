//! `podFailurePolicy`: what a failed pod means for its job.

use serde_json::{Value, json};

use crate::controllers::objects::{condition, list, name, namespace, text};

/// What a failed pod means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A failure like others.
    Count,
    /// A failure after which the index of the pod is given up.
    FailIndex,
    /// Nothing: it is replaced and not counted.
    Ignore,
    /// The job has failed, for this reason.
    FailJob(String),
}

/// What the first rule that fits says of a failed pod.
pub(super) fn verdict(job: &Value, pod: &Value) -> Verdict {
    for (index, rule) in list(job, "/spec/podFailurePolicy/rules").iter().enumerate() {
        let Some(why) = by_exit_code(rule, pod).or_else(|| by_condition(rule, pod)) else { continue };
        return match text(rule, "/action") {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => Verdict::FailJob(format!("{why} matching FailJob rule at index {index}")),
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

fn by_exit_code(rule: &Value, pod: &Value) -> Option<String> {
    let wanted = rule.get("onExitCodes").filter(|wanted| wanted.is_object())?;
    let only = text(wanted, "/containerName");
    let statuses = ["containerStatuses", "initContainerStatuses"];
    let mut statuses = statuses.iter().flat_map(|field| list(pod, &format!("/status/{field}")));
    statuses.find_map(|status| {
        let code = status.pointer("/state/terminated/exitCode").filter(|code| **code != json!(0))?;
        let container = text(status, "/name");
        let listed = list(wanted, "/values").contains(code);
        let fits = if text(wanted, "/operator") == "NotIn" { !listed } else { listed };
        let counts = only.is_empty() || only == container;
        (fits && counts).then(|| {
            let place = format!("{}/{}", namespace(pod), name(pod));
            format!("Container {container} for pod {place} failed with exit code {code}")
        })
    })
}

fn by_condition(rule: &Value, pod: &Value) -> Option<String> {
    list(rule, "/onPodConditions").iter().find_map(|wanted| {
        let kind = text(wanted, "/type");
        let status = Some(text(wanted, "/status")).filter(|status| !status.is_empty()).unwrap_or("True");
        condition(pod, kind).filter(|found| text(found, "/status") == status)?;
        Some(format!("Pod {}/{} has condition {kind}", namespace(pod), name(pod)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let job = json!({"spec": {"podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}}});
        let pod = |code: i64, conditions: Value| {
            json!({"metadata": {"name": "p", "namespace": "n"}, "status": {"conditions": conditions,
                "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": code}}}]}})
        };
        assert_eq!(verdict(&job, &pod(1, json!([]))), Verdict::Count);
        let disrupted = json!([{"type": "DisruptionTarget", "status": "True"}]);
        assert_eq!(verdict(&job, &pod(42, disrupted)), Verdict::Ignore);
        let message = "Container c for pod n/p failed with exit code 42 matching FailJob rule at index 1";
        assert_eq!(verdict(&job, &pod(42, json!([]))), Verdict::FailJob(message.into()));
    }
}
