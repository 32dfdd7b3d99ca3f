//! Waiting for the agents, and saying why they did not come.

use std::time::Duration;

use serde_json::Value;

use super::{Code, Driver, DriverError, Stage, StageState};

/// How often the deployments are looked at (world time).
const POLL: Duration = Duration::from_secs(2);

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/azure-arc/deployments";
const PODS: &str = "/api/v1/namespaces/azure-arc/pods";
const EVENTS: &str = "/api/v1/namespaces/azure-arc/events";
const IDENTITY: &str = "/api/v1/namespaces/azure-arc/secrets/azure-identity-certificate";

pub(super) fn items(list: &Value) -> &[Value] {
    list.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a deployment's controller has seen its newest form and all of its pods are updated and available.
pub(crate) fn is_available(deployment: &Value) -> bool {
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_i64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    let has = |pointer: &str| number(pointer).unwrap_or(0) >= wanted;
    number("/status/observedGeneration").unwrap_or(0) >= number("/metadata/generation").unwrap_or(0)
        && has("/status/updatedReplicas")
        && has("/status/availableReplicas")
}

impl Driver {
    /// Waits until every deployment of the agents is available, for `limit` of world time at most.
    pub(super) async fn wait_for_agents(&self, limit: Duration) -> Result<(), DriverError> {
        let deadline = self.pace.limit(limit);
        let mut said = String::new();
        loop {
            let list = self.cluster.get(DEPLOYMENTS).await.map_err(|error| {
                let summary = "Unable to read the agents' deployments";
                DriverError::kube(Stage::Readiness, Code::INSTALL, summary, DEPLOYMENTS, &error)
            })?;
            let all = items(&list);
            let missing: Vec<&str> =
                all.iter().filter(|one| !is_available(one)).map(|one| text(one, "/metadata/name")).collect();
            if missing.is_empty() && !all.is_empty() {
                return Ok(());
            }
            let state = format!("{}/{} available", all.len() - missing.len(), all.len());
            if deadline.is_over() {
                return Err(self.explain(limit, &missing).await);
            }
            if state != said {
                self.report(
                    Stage::Readiness,
                    StageState::Waiting,
                    format!("{state}; {}", missing.join(", ")),
                );
                said = state;
            }
            self.pace.world(POLL).await;
        }
    }

    /// Why the agents did not come, in the order in which the Azure CLI looks for reasons.
    async fn explain(&self, limit: Duration, missing: &[&str]) -> DriverError {
        let read = async |path: &str| self.cluster.get(path).await.unwrap_or_default();
        let (pods, events) = (read(PODS).await, read(EVENTS).await);
        let certificate = matches!(self.cluster.find(IDENTITY).await, Ok(Some(_)));
        let cause = classify(items(&pods), items(&events), certificate);
        let what = format!(
            "timed out after {} s waiting for {}: {}",
            limit.as_secs(),
            missing.join(", "),
            cause.what
        );
        DriverError::new(Stage::Readiness, cause.code, what, cause.next).at("namespace azure-arc")
    }
}

/// A reason why agents are not available.
#[derive(Debug)]
struct Cause {
    code: Code,
    what: String,
    next: &'static str,
}

fn classify(pods: &[Value], events: &[Value], certificate: bool) -> Cause {
    if let Some(what) = image_trouble(pods) {
        let next = "see that the nodes can pull from the registry: kubectl describe pods -n azure-arc";
        return Cause { code: Code::TIMEOUT_IMAGE, what, next };
    }
    if let Some(what) = scheduling_trouble(pods, events) {
        let next = "see that a linux node has room and no taint that the agents do not tolerate: kubectl get events -n azure-arc";
        return Cause { code: Code::TIMEOUT_SCHEDULING, what, next };
    }
    if !certificate {
        let what = "the identity certificate (Secret azure-identity-certificate) never arrived".into();
        let next = "see what clusteridentityoperator says: kubectl logs -n azure-arc deployment/clusteridentityoperator -c manager";
        return Cause { code: Code::CERTIFICATE_PULLDOWN, what, next };
    }
    let what = "the agents' pods are not ready".into();
    Cause { code: Code::TIMEOUT, what, next: "see why: kubectl describe pods -n azure-arc" }
}

fn image_trouble(pods: &[Value]) -> Option<String> {
    pods.iter().find_map(|pod| {
        let containers = pod.pointer("/status/containerStatuses")?.as_array()?;
        containers.iter().find_map(|container| {
            let reason = text(container, "/state/waiting/reason");
            matches!(reason, "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName").then(|| {
                format!("{reason} for {} in pod {}", text(container, "/image"), text(pod, "/metadata/name"))
            })
        })
    })
}

fn scheduling_trouble(pods: &[Value], events: &[Value]) -> Option<String> {
    let pod = pods.iter().find(|pod| {
        text(pod, "/status/phase") == "Pending" && pod.pointer("/status/containerStatuses").is_none()
    })?;
    let name = text(pod, "/metadata/name");
    let event = events.iter().find(|event| {
        text(event, "/reason") == "FailedScheduling" && text(event, "/involvedObject/name") == name
    })?;
    Some(format!("pod {name} cannot be scheduled: {}", text(event, "/message")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_available_when_its_newest_form_runs() {
        let deployment = |observed: i64, available: i64| {
            json!({
                "metadata": { "generation": 2 },
                "spec": { "replicas": 1 },
                "status": { "observedGeneration": observed, "updatedReplicas": 1, "availableReplicas": available },
            })
        };
        assert!(is_available(&deployment(2, 1)));
        assert!(!is_available(&deployment(1, 1)));
        assert!(!is_available(&deployment(2, 0)));
        assert!(!is_available(&json!({})));
    }

    #[test]
    fn a_timeout_is_classified_in_the_order_of_the_cli() {
        let pulling = json!({
            "metadata": { "name": "p" },
            "status": { "containerStatuses": [{ "image": "i", "state": { "waiting": { "reason": "ImagePullBackOff" } } }] },
        });
        let pending = json!({ "metadata": { "name": "q" }, "status": { "phase": "Pending" } });
        let event =
            json!({ "reason": "FailedScheduling", "involvedObject": { "name": "q" }, "message": "no nodes" });
        let code =
            |pods: &[Value], certificate| classify(pods, std::slice::from_ref(&event), certificate).code;
        assert_eq!(code(&[pending.clone(), pulling], true), Code::TIMEOUT_IMAGE);
        assert_eq!(code(&[pending], false), Code::TIMEOUT_SCHEDULING);
        assert_eq!(code(&[], false), Code::CERTIFICATE_PULLDOWN);
        assert_eq!(code(&[], true), Code::TIMEOUT);
    }
}
