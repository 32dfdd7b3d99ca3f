//! `extension-manager`: holds its leader lease and asks the data plane for extension updates.
//!
//! It installs none: cluster extensions are not modelled, and it says so in its log.

use std::convert::Infallible;
use std::time::Duration;

use arm_wire::agent::{AgentCall, PendingConfigs};
use jiff::Timestamp;

use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::tokens;
use crate::leader::{RENEW, lead};
use crate::pace::{Backoff, Pace};
use crate::protocol::data_plane;

const LEASE: &str = "extensioncontrollerleaderid";
/// How often it polls; the longest pause between attempts too.
const POLL: Duration = Duration::from_secs(300);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let mut backoff = Backoff::up_to(POLL);
    let mut poll_due = agent.clock.now();
    if let Err(error) = tokens::request(agent).await {
        agent.log.error(format!("Error in requesting identity token: {{{error}}}"));
    }
    // The others need the identity first; until then there is no token to be had.
    poll_due = later(poll_due, RENEW);
    loop {
        match lead(agent, LEASE).await {
            Ok(true) if agent.clock.now() >= poll_due => {
                let pause = poll(agent, pace, &mut backoff).await;
                poll_due = later(agent.clock.now(), pause);
            }
            Ok(_) => {}
            Err(error) => agent.log.error(format!("Reconciler error: {{{error}}}")),
        }
        pace.sleep(RENEW).await;
    }
}

fn later(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Polls once; returns the pause until the next time.
async fn poll(agent: &Agent, pace: &mut Pace, backoff: &mut Backoff) -> Duration {
    match updates(agent, pace).await {
        Ok(count) => {
            if count > 0 {
                agent.log.warn(format!(
                    "{count} extension updates are not applied: extensions are not modelled by this simulated agent"
                ));
            }
            backoff.reset();
            POLL
        }
        Err(error) => {
            agent.log.error(format!("Error in getting extension updates: {{{error}}}"));
            if error.is_rejection() { backoff.longest() } else { backoff.pause() }
        }
    }
}

async fn updates(agent: &Agent, pace: &mut Pace) -> Result<usize, CallError> {
    let token = tokens::token(agent, pace).await?;
    let pending: PendingConfigs = data_plane::get(agent, &token, AgentCall::ExtensionUpdateConfigs).await?;
    Ok(pending.value.len())
}
