//! `config-agent`: polls the data plane for desired configuration and agent upgrades; ready while that works.
//!
//! It applies neither: configurations and upgrades are not modelled, and it says so in its log.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arm_wire::agent::{AgentCall, PendingConfigs, UpdateConfig};
use http::StatusCode;
use jiff::Timestamp;

use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::{CERTIFICATE_EXPIRY, CERTIFICATE_SECRET, store, tokens};
use crate::pace::{Backoff, Pace};
use crate::protocol::data_plane;
use crate::serve::{Reply, Server};

/// How often it polls.
const POLL: Duration = Duration::from_secs(300);
/// How often it asks for upgrades (`HELM_AUTO_UPDATE_CHECK_FREQUENCY_IN_MINUTES`).
const UPGRADE_POLL: Duration = Duration::from_secs(3600);
/// Pause while there is no identity certificate.
const NO_IDENTITY: Duration = Duration::from_secs(10);
/// Without success for so long, it is not ready (public agent sources).
const READINESS: Duration = Duration::from_secs(15 * 60);
const PORT: u16 = 9090;

/// When the data plane last answered well, in seconds of world time.
#[derive(Debug, Clone, Default)]
struct LastSuccess(Arc<AtomicI64>);

impl LastSuccess {
    fn note(&self, now: Timestamp) {
        self.0.store(now.as_second(), Ordering::Relaxed);
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        last != 0 && now.as_second() - last < READINESS.as_secs().cast_signed()
    }
}

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let success = LastSuccess::default();
    let (clock, shared) = (agent.clock.clone(), success.clone());
    let server = Server::bind(agent.config.listen(PORT)).await?;
    let serving = server.serve(&agent.clock, move |request| {
        let ready = request.path == "/ready" && shared.is_recent(clock.now());
        let status = match request.path.as_str() {
            "/ready" if ready => StatusCode::OK,
            "/ready" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::NOT_FOUND,
        };
        async move { Reply::text(status, if ready { "ok" } else { "not ready" }) }
    });
    tokio::select! {
        biased;
        ended = poll_forever(agent, pace, &success) => ended,
        ended = serving => ended,
    }
}

async fn poll_forever(
    agent: &Agent,
    pace: &mut Pace,
    success: &LastSuccess,
) -> Result<Infallible, AgentError> {
    let mut backoff = Backoff::up_to(POLL);
    let mut upgrades_due = agent.clock.now();
    // Asked for now, so that it is there when the identity is.
    if let Err(error) = tokens::request(agent).await {
        agent.log.error(format!("Error in requesting identity token: {{{error}}}"));
    }
    loop {
        let pause = match poll(agent, pace, &mut upgrades_due).await {
            Ok(()) => {
                success.note(agent.clock.now());
                backoff.reset();
                POLL
            }
            Err(error @ CallError::Kube(_)) => {
                agent.log.error(format!("Error in the Getting Config {{{error}}}"));
                agent.log.error("Failed to get a certificate from secrets");
                NO_IDENTITY
            }
            Err(error) => {
                agent.log.error(format!("Error in the Getting Config {{{error}}}"));
                if error.is_rejection() { backoff.longest() } else { backoff.pause() }
            }
        };
        pace.sleep(pause).await;
    }
}

async fn poll(agent: &Agent, pace: &mut Pace, upgrades_due: &mut Timestamp) -> Result<(), CallError> {
    // The certificate first: without it there is nobody who would hand out a token.
    store::read(&store::secrets(agent), CERTIFICATE_SECRET, CERTIFICATE_EXPIRY).await?;
    let token = tokens::token(agent, pace).await?;
    let pending: PendingConfigs = data_plane::get(agent, &token, AgentCall::PendingConfigs).await?;
    agent.log.info(format!("{} pending configurations", pending.value.len()));
    if !pending.value.is_empty() {
        agent
            .log
            .warn("Pending configurations are not applied: they are not modelled by this simulated agent");
    }
    if agent.clock.now() >= *upgrades_due {
        check_upgrade(agent, &token).await?;
        *upgrades_due = agent.clock.now().checked_add(UPGRADE_POLL).unwrap_or(Timestamp::MAX);
    }
    Ok(())
}

async fn check_upgrade(agent: &Agent, token: &str) -> Result<(), CallError> {
    let wanted: UpdateConfig = data_plane::get(agent, token, AgentCall::UpdateConfig).await?;
    if wanted.agent_version != agent.config.agent_version && wanted.auto_update {
        agent.log.warn(format!(
            "Agent version {} is available; upgrades are not modelled by this simulated agent",
            wanted.agent_version
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_needs_a_success_within_fifteen_minutes() {
        let at = |minute: i64| Timestamp::from_second(1_000_000 + 60 * minute).unwrap();
        let success = LastSuccess::default();
        assert!(!success.is_recent(at(0)));
        success.note(at(0));
        assert!(success.is_recent(at(14)));
        assert!(!success.is_recent(at(15)));
    }
}
