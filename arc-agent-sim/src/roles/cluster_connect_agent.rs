//! `clusterconnect-agent`: asks the guest notification service where to listen.
//!
//! The relay behind it is not modelled. A refusal is logged, and the question is asked again ever more slowly, so that
//! the agent lives on as it does when WebSockets are blocked.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use serde_json::Value;

use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::tokens;
use crate::pace::{Backoff, Pace};

/// From the start to the first question: the identity comes first.
const FIRST: Duration = Duration::from_secs(30);
/// The longest pause between questions.
const SLOWEST: Duration = Duration::from_secs(3600);
/// The shortest.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let mut backoff = Backoff::up_to(SLOWEST);
    if let Err(error) = tokens::request(agent).await {
        agent.log.error(format!("Error in requesting identity token: {{{error}}}"));
    }
    pace.sleep(FIRST).await;
    loop {
        match ask(agent, pace).await {
            Ok(hosts) => agent.log.warn(format!(
                "The notification service named {hosts} relay hosts; the relay is not modelled by this simulated agent"
            )),
            Err(error) => agent.log.error(format!("Failed to register with the notification service: {{{error}}}")),
        }
        let pause = backoff.pause().max(PATIENCE);
        pace.sleep(pause).await;
    }
}

/// How many relay hosts the service names.
async fn ask(agent: &Agent, pace: &mut Pace) -> Result<usize, CallError> {
    let token = tokens::token(agent, pace).await?;
    let base = agent.config.notification_service();
    let url = format!("{base}/urls/allowlist?api-version=2020-01-01&location={}", agent.config.region);
    let request = Request::get(&url)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Bytes::new())
        .map_err(|error| CallError::Unreadable(url, error.to_string()))?;
    let hosts: Value = agent.fetch_json(request).await?;
    Ok(hosts.as_array().map_or(0, Vec::len))
}
