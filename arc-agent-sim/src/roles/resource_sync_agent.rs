//! `resource-sync-agent`: pushes `clustermetadata` to Azure. This is the heartbeat behind `lastConnectivityTime`.
//!
//! The first push comes 30 s after the start, then one every `RESYNC_AFTER` (recorded traffic of real agents). Other
//! kinds whose CRD is labelled `azuresync=true`, and the ConfigMaps in which the real agent remembers what it sent, are
//! not modelled.

use std::convert::Infallible;
use std::time::Duration;

use arm_wire::agent::{AgentCall, SyncRequest, SyncedResource};

use super::cluster_metadata_operator::{NAME, clusters};
use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity::tokens;
use crate::pace::{Backoff, Pace};
use crate::protocol::data_plane;

/// From start to first push.
const FIRST: Duration = Duration::from_secs(30);
/// Pause while there is no metadata.
const NO_METADATA: Duration = Duration::from_secs(10);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let start = agent.clock.now();
    // Asked for now, so that it is there when it is needed.
    if let Err(error) = tokens::request(agent).await {
        agent.log.error(format!("Error in requesting identity token: {{{error}}}"));
    }
    pace.sleep_until(start.checked_add(FIRST).unwrap_or(start)).await;
    let mut backoff = Backoff::up_to(agent.config.resync_after);
    loop {
        let pause = match push(agent, pace).await {
            Ok(true) => {
                backoff.reset();
                agent.log.info("Resources synced with Azure");
                agent.config.resync_after
            }
            Ok(false) => {
                agent.log.warn(format!("ConnectedCluster \"{NAME}\" has no status yet"));
                NO_METADATA
            }
            Err(error) => {
                agent.log.error(format!("Error in syncing resources: {{{error}}}"));
                if error.is_rejection() { backoff.longest() } else { backoff.pause() }
            }
        };
        pace.sleep(pause).await;
    }
}

/// Pushes the metadata; false when there is none.
async fn push(agent: &Agent, pace: &mut Pace) -> Result<bool, CallError> {
    let Some(object) = clusters(agent).get_opt(NAME).await? else { return Ok(false) };
    if !object.data["status"].is_object() {
        return Ok(false);
    }
    let token = tokens::token(agent, pace).await?;
    let unreadable = |error: serde_json::Error| CallError::Unreadable(NAME.into(), error.to_string());
    let value = serde_json::to_value(&object).map_err(unreadable)?;
    let resource: SyncedResource = serde_json::from_value(value).map_err(unreadable)?;
    let request = SyncRequest { resources: vec![resource] };
    data_plane::post(agent, &token, AgentCall::SyncResources, &request).await?;
    Ok(true)
}
