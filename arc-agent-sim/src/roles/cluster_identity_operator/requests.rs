//! Token requests: each `AzureClusterIdentityRequest` gets a Secret with a token, and a status that says where.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::json;

use super::establish::State;
use crate::agent::Agent;
use crate::error::CallError;
use crate::identity::{TOKEN_KEY, store, tokens};
use crate::protocol::entra;

/// Age in world time at which a token is replaced: well before its hour is over.
const LIFE: Duration = Duration::from_secs(50 * 60);
/// Wall time before expiry at which a token is replaced whatever the world's clock says.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// When which token is to be replaced (world time), by request.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<String, Timestamp>);

/// Serves every request that has no good token. Returns the list's revision.
///
/// # Errors
/// The first failure; the other requests are served all the same.
pub(super) async fn reconcile(
    agent: &Agent,
    state: &State,
    due: &mut Tokens,
    requests: &Api<DynamicObject>,
) -> Result<String, CallError> {
    let list = requests.list(&ListParams::default()).await?;
    let mut outcome = Ok(());
    due.0.retain(|name, _| list.items.iter().any(|request| request.name_any() == *name));
    for request in &list.items {
        let name = request.name_any();
        if !is_due(agent, due, &name, request) {
            continue;
        }
        match serve(agent, state, requests, &name, request).await {
            Ok(()) => {
                let next = agent.clock.now().checked_add(LIFE).unwrap_or(Timestamp::MAX);
                due.0.insert(name, next);
            }
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    outcome.map(|()| list.metadata.resource_version.unwrap_or_default())
}

fn is_due(agent: &Agent, due: &mut Tokens, name: &str, request: &DynamicObject) -> bool {
    let soon = agent.clock.wall().checked_add(MARGIN).unwrap_or(Timestamp::MAX);
    if tokens::reference(request, soon).is_none() {
        return true;
    }
    let now = agent.clock.now();
    // A token of an earlier process: its age is not known.
    let next =
        *due.0.entry(name.to_owned()).or_insert_with(|| now.checked_add(LIFE).unwrap_or(Timestamp::MAX));
    now >= next
}

async fn serve(
    agent: &Agent,
    state: &State,
    requests: &Api<DynamicObject>,
    name: &str,
    request: &DynamicObject,
) -> Result<(), CallError> {
    let audience = request.data["spec"]["audience"].as_str().unwrap_or_else(|| tokens::audience());
    let token = entra::token(agent, &state.identity, &state.key, audience).await?;
    let life = SignedDuration::from_secs(i64::try_from(token.expires_in).unwrap_or(i64::MAX));
    // What the receiver checks is wall time, so this is wall time too.
    let expiry = agent.clock.wall().checked_add(life).unwrap_or(Timestamp::MAX);
    let secret = format!("{name}-token");
    let entries = [(TOKEN_KEY, token.access_token.as_str())];
    store::write(&store::secrets(agent), &secret, "Opaque", &entries).await?;
    let status = json!({
        "status": {
            "expirationTime": expiry.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "tokenReference": { "secretName": secret, "dataName": TOKEN_KEY },
        },
    });
    requests.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
    agent.log.info(format!("Token for {name} written to secret {secret}"));
    Ok(())
}
