//! How an agent in a pod of a real cluster finds its world.
//!
//! The embedded kubelet gives its processes the world's variables. In a real cluster the pods are the charts' and stay as
//! they are, so the world lies in the cluster: Secret `world` in namespace `dryarc-world`, written by whoever leads the
//! cluster into a world, holds the variables (`DRYARC_CLOCK`, `DRYARC_CA`, `DRYARC_SEED`) that the kubelet would give.
//!
//! A cluster without that Secret is in no world, and the agent refuses to run: it never talks to the real Azure.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use serde::Deserialize;
use sim_core::clock::Clock;
use sim_core::net::Net;

use crate::error::AgentError;
use crate::kube_client::kube_client;

/// The namespace that a real cluster has while it is in a world.
pub const WORLD_NAMESPACE: &str = "dryarc-world";
/// The Secret in it that holds the world's variables.
pub const WORLD_SECRET: &str = "world";

/// Wall time between two attempts to reach the API server, and of one attempt: before kube-proxy has set a node up,
/// connections to a service lead nowhere.
const PAUSE: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is tried.
const TRIES: u32 = 240;

/// Variables that a launcher gives; one of them is enough to know the world.
const GIVEN: [&str; 4] = ["DRYARC_CLOCK", "DRYARC_ROOT", "DRYARC_EGRESS", "DRYARC_CA_FILE"];

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// Whether this process is a container of a real cluster that nobody has told its world.
fn must_ask(get: &impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    set("KUBERNETES_SERVICE_HOST") && !GIVEN.into_iter().any(set)
}

/// The world's variables, for a process in a pod of a real cluster; none for any other process.
///
/// # Errors
/// [`AgentError::World`] when the cluster is in no world, or does not answer for a minute.
pub(crate) async fn variables(
    get: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, AgentError> {
    if !must_ask(&get) {
        return Ok(BTreeMap::new());
    }
    // The customer's proxy is none of this call's business.
    let own = |name: &str| name.starts_with("KUBERNETES_").then(|| get(name)).flatten();
    let clock = Clock::running(1.0);
    let kube = kube_client(&Net::from_env(own)?, own)?;
    let path = format!("/api/v1/namespaces/{WORLD_NAMESPACE}/secrets/{WORLD_SECRET}");
    let mut last = "the API server does not answer".to_owned();
    for _ in 0..TRIES {
        let request = Request::get(path.as_str())
            .body(Vec::new())
            .map_err(|error| AgentError::World(error.to_string()))?;
        match clock.wall_timeout(PATIENCE, kube.request::<Secret>(request)).await {
            Ok(Ok(secret)) => return Ok(decoded(secret)),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 403 | 404) => {
                return Err(AgentError::World(status.message.clone()));
            }
            Ok(Err(error)) => last = sim_core::net::chain(&error),
            Err(_) => {}
        }
        clock.wall_sleep(PAUSE).await;
    }
    Err(AgentError::World(last))
}

fn decoded(secret: Secret) -> BTreeMap<String, String> {
    let text = |(name, value): (String, String)| {
        let bytes = STANDARD.decode(value.trim()).ok()?;
        Some((name, String::from_utf8(bytes).ok()?))
    };
    secret.data.into_iter().filter(|(name, _)| name.starts_with("DRYARC_")).filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_container_that_was_told_nothing_asks_the_cluster() {
        let asks = |pairs: &[(&str, &str)]| {
            must_ask(&|name: &str| {
                pairs.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(asks(&[("KUBERNETES_SERVICE_HOST", "10.96.0.1")]));
        assert!(!asks(&[]));
        assert!(!asks(&[("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("DRYARC_ROOT", "/tmp/x")]));
        assert!(!asks(&[("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("DRYARC_CLOCK", "10.0.0.1:1/s")]));
    }

    #[test]
    fn a_world_is_read_from_its_secret_and_nothing_else_is_taken_over() {
        let text = r#"{"data":{"DRYARC_SEED":"Nw==","PATH":"L3RtcA==","DRYARC_CLOCK":"*"}}"#;
        let read = decoded(serde_json::from_str(text).unwrap());
        assert_eq!(read, BTreeMap::from([("DRYARC_SEED".into(), "7".into())]));
    }
}
