//! `controller-manager`: holds its leader lease and looks for `GitConfig` objects.
//!
//! It reconciles none: GitOps is not modelled, and it says so in its log.

use std::convert::Infallible;

use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::custom;
use crate::leader::{RENEW, lead};
use crate::pace::{Backoff, Pace};

const LEASE: &str = "gitconfigleaderid";

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let mut backoff = Backoff::up_to(RENEW);
    let mut reported = None;
    loop {
        let pause = match look(agent).await {
            Ok(seen) => {
                backoff.reset();
                report(agent, &mut reported, seen);
                RENEW
            }
            Err(error) => {
                agent.log.error(format!("Reconciler error: {{{error}}}"));
                backoff.pause()
            }
        };
        pace.sleep(pause).await;
    }
}

/// How many objects there are to reconcile; `None` when somebody else leads.
async fn look(agent: &Agent) -> Result<Option<usize>, CallError> {
    if !lead(agent, LEASE).await? {
        return Ok(None);
    }
    let configs = custom(agent, "clusterconfig.azure.com", "GitConfig", "gitconfigs");
    Ok(Some(configs.list(&kube::api::ListParams::default()).await?.items.len()))
}

/// Says what has changed since the last look.
fn report(agent: &Agent, reported: &mut Option<Option<usize>>, seen: Option<usize>) {
    if *reported == Some(seen) {
        return;
    }
    *reported = Some(seen);
    match seen {
        None => agent.log.info(format!("Waiting for leader lease {LEASE}")),
        Some(0) => agent.log.info(format!("Leading by {LEASE}; no configurations")),
        Some(count) => agent.log.warn(format!(
            "{count} GitConfig objects are not reconciled: GitOps is not modelled by this simulated agent"
        )),
    }
}
