//! The cluster's OIDC issuer: hands the public keys of the API server's service account tokens to Azure, which publishes them, and
//! writes into the status of `SigningKey` where that is.
//!
//! The object is there only when the issuer was asked for. Keys are handed in again when they change, or when
//! `syncToHisRequestedAt` does. Not modelled: rotation of the keys (`rotateKeysRequestedAt`), which is the API server's.

use arm_wire::agent::{AgentCall, IssuerReply, SigningKeys};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::establish::State;
use crate::agent::Agent;
use crate::error::CallError;
use crate::identity::tokens;
use crate::protocol::{data_plane, entra};

/// The object's name.
const NAME: &str = "signingkey";
/// Where an API server publishes the keys of its service account tokens.
const KEYS: &str = "/openid/v1/jwks";

/// What was handed in last: the keys, and the request that it was for.
#[derive(Debug, Default)]
pub(super) struct Synced(Option<(Value, Value)>);

/// Hands the keys in if that is due.
///
/// # Errors
/// When the cluster or Azure does not answer as meant.
pub(super) async fn reconcile(
    agent: &Agent,
    state: &State,
    synced: &mut Synced,
    objects: &Api<DynamicObject>,
) -> Result<(), CallError> {
    let Some(object) = objects.get_opt(NAME).await? else { return Ok(()) };
    let unreadable = |error: http::Error| CallError::Unreadable(KEYS.into(), error.to_string());
    let request = http::Request::get(KEYS).body(Vec::new()).map_err(unreadable)?;
    let keys: Value = agent.kube.request(request).await?;
    let due = (keys, object.data["spec"]["syncToHisRequestedAt"].clone());
    if synced.0.as_ref() == Some(&due) {
        return Ok(());
    }
    let token = entra::token(agent, &state.identity, &state.key, tokens::audience()).await?;
    let body = SigningKeys { jwks: due.0.clone() };
    let reply: IssuerReply =
        data_plane::ask(agent, &token.access_token, AgentCall::SigningKeys, &body).await?;
    let now = agent.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let status = json!({
        "status": {
            "clusterIssuerUrl": reply.issuer_url,
            "jwksUri": reply.jwks_uri,
            "openIdConfiguration": format!("{}.well-known/openid-configuration", reply.issuer_url),
            "lastHisSyncSuccessTime": now,
        },
    });
    objects.patch_status(NAME, &PatchParams::default(), &Patch::Merge(status)).await?;
    agent.log.info(format!("Signing keys synced; the cluster's issuer is {}", reply.issuer_url));
    synced.0 = Some(due);
    Ok(())
}

/// The issuer that Azure publishes for this cluster, if there is one.
pub(in crate::roles) async fn issuer(agent: &Agent) -> Result<Option<String>, CallError> {
    let object = objects(agent).get_opt(NAME).await?;
    Ok(object.and_then(|object| object.data["status"]["clusterIssuerUrl"].as_str().map(str::to_owned)))
}

/// The objects of this kind.
pub(super) fn objects(agent: &Agent) -> Api<DynamicObject> {
    crate::identity::custom(agent, "clusterconfig.azure.com", "SigningKey", "signingkeys")
}
