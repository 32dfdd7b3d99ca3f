//! `metrics-agent`: looks at the other agents' pods every 300 s and posts what it saw.
//!
//! The real one scrapes their metrics; here the metrics are whether each is running, and its restarts.

use std::convert::Infallible;
use std::time::Duration;

use arm_wire::agent::AgentCall;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::config::NAMESPACE;
use crate::error::{AgentError, CallError};
use crate::identity::tokens;
use crate::pace::{Backoff, Pace};
use crate::protocol::data_plane;

const PERIOD: Duration = Duration::from_secs(300);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let mut backoff = Backoff::up_to(PERIOD);
    pace.sleep(PERIOD).await;
    loop {
        let pause = match post(agent, pace).await {
            Ok(count) => {
                agent.log.info(format!("{count} metrics posted"));
                backoff.reset();
                PERIOD
            }
            Err(error) => {
                agent.log.error(format!("Error in posting metrics: {{{error}}}"));
                if error.is_rejection() { backoff.longest() } else { backoff.pause() }
            }
        };
        pace.sleep(pause).await;
    }
}

async fn post(agent: &Agent, pace: &mut Pace) -> Result<usize, CallError> {
    let selected = ListParams::default().labels("app.kubernetes.io/name=azure-arc-k8s");
    let pods = Api::<Pod>::namespaced(agent.kube.clone(), NAMESPACE).list(&selected).await?.items;
    let metrics: Vec<Value> = pods.iter().map(metric).collect();
    let token = tokens::token(agent, pace).await?;
    let body = json!({ "timestamp": agent.clock.now().to_string(), "metrics": metrics });
    data_plane::post(agent, &token, AgentCall::PostMetrics, &body).await?;
    Ok(metrics.len())
}

fn metric(pod: &Pod) -> Value {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let restarts: i32 = containers.iter().map(|container| container.restart_count).sum();
    let running = status.and_then(|status| status.phase.as_deref()) == Some("Running");
    json!({
        "agent": pod.labels().get("app.kubernetes.io/component"),
        "pod": pod.name_any(),
        "up": u8::from(running),
        "restarts": restarts,
    })
}
