//! What the cluster says about the pods of the checks' Job.

use serde_json::Value;

use super::super::wait::text;

/// How many warnings are told.
const WARNINGS: usize = 3;

/// A line for each pod of the Job, and for each of the last warnings.
pub(super) fn tell(pods: &[Value], events: &[Value]) -> String {
    let none = pods.is_empty().then(|| "the Job has no pod".to_owned());
    let pods = pods.iter().map(|pod| {
        let waiting = text(pod, "/status/containerStatuses/0/state/waiting/reason");
        let waiting = if waiting.is_empty() { String::new() } else { format!(", {waiting}") };
        format!("pod {}: {}{waiting}", text(pod, "/metadata/name"), text(pod, "/status/phase"))
    });
    let skipped = events.len().saturating_sub(WARNINGS);
    let warned = events.iter().skip(skipped);
    let warned = warned.map(|event| format!("{}: {}", text(event, "/reason"), text(event, "/message")));
    none.into_iter().chain(pods).chain(warned).map(|line| format!("\n    {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_job_that_does_not_run_is_told_with_its_pods_and_the_last_warnings() {
        let pod = json!({
            "metadata": { "name": "p" },
            "status": { "phase": "Pending", "containerStatuses": [{ "state": { "waiting": { "reason": "ErrImagePull" } } }] },
        });
        let event = |number: u32| json!({ "reason": "Failed", "message": format!("try {number}") });
        let said = tell(&[pod], &[event(1), event(2), event(3), event(4)]);
        assert_eq!(
            said,
            "\n    pod p: Pending, ErrImagePull\n    Failed: try 2\n    Failed: try 3\n    Failed: try 4"
        );
        assert_eq!(tell(&[], &[]), "\n    the Job has no pod");
    }
}
