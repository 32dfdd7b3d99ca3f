//! `flux-logs-agent`: takes logs over HTTP and hands them to the data plane.

use std::convert::Infallible;

use arm_wire::agent::AgentCall;
use http::{Method, StatusCode};
use tokio::sync::mpsc;

use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::tokens;
use crate::pace::Pace;
use crate::protocol::data_plane;
use crate::serve::{Reply, Server};

const PORT: u16 = 8082;
/// How many log batches wait for the data plane before senders are told to slow down.
const QUEUE: usize = 64;

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let (sender, mut batches) = mpsc::channel::<String>(QUEUE);
    let server = Server::bind(agent.config.listen(PORT)).await?;
    let serving = server.serve(&agent.clock, move |request| {
        let outcome = match request.method {
            Method::POST => sender.try_send(String::from_utf8_lossy(&request.body).into_owned()).is_ok(),
            _ => {
                return std::future::ready(Reply::text(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "logs are posted here",
                ));
            }
        };
        std::future::ready(if outcome {
            Reply::text(StatusCode::ACCEPTED, "")
        } else {
            Reply::text(StatusCode::TOO_MANY_REQUESTS, "the data plane has not taken the earlier logs yet")
        })
    });
    let forwarding = async {
        loop {
            // A day of world time is as good as for ever.
            let wait = std::time::Duration::from_secs(86_400);
            if let Some(Some(batch)) = pace.wait(wait, batches.recv()).await {
                forward(agent, pace, &batch).await;
            }
        }
    };
    tokio::select! {
        biased;
        ended = serving => ended,
        never = forwarding => never,
    }
}

/// Hands over one batch. What the data plane does not take is lost, as its sender does not wait; the log says so.
async fn forward(agent: &Agent, pace: &mut Pace, batch: &str) {
    let handed = async {
        let token = tokens::token(agent, pace).await?;
        let body = serde_json::json!({ "timestamp": agent.clock.now().to_string(), "logs": batch });
        data_plane::post(agent, &token, AgentCall::PostLogs, &body).await
    };
    if let Err(error) = handed.await as Result<(), CallError> {
        agent.log.error(format!("Error in posting logs: {{{error}}}"));
    }
}
