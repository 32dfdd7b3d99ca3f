//! An agent's side: ask for a token, wait for it, use it until it expires.

use std::time::Duration;

use arm_wire::agent::DATA_PLANE_SCOPE;
use aws_lc_rs::digest;
use jiff::Timestamp;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;

use super::{TOKEN_KEY, object, requests, store};
use crate::agent::Agent;
use crate::error::{CallError, is_conflict};
use crate::pace::Pace;
use crate::role::Role;

/// Pause between two looks.
const RETRY: Duration = Duration::from_secs(10);
/// Looks before giving up: five minutes.
const TRIES: u32 = 30;

/// The audience of the data plane's tokens.
pub(crate) fn audience() -> &'static str {
    DATA_PLANE_SCOPE.trim_end_matches("/.default")
}

/// The name of an agent's request: `config-agent` has its own; the others share the one of their audience.
fn request_name(role: Role) -> String {
    if role == Role::ConfigAgent {
        return "config-agent-identity-request".into();
    }
    let hash = digest::digest(&digest::SHA256, audience().as_bytes());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("identity-request-{hex}")
}

/// Creates the request object, if it is not there.
pub(crate) async fn request(agent: &Agent) -> Result<(), CallError> {
    let spec =
        json!({ "audience": audience(), "resourceId": agent.config.arm_id(), "apiVersion": "2019-11-01" });
    let name = request_name(agent.role);
    let request = object("clusterconfig.azure.com/v1beta1", "AzureClusterIdentityRequest", &name, spec);
    match requests(agent).create(&PostParams::default(), &request).await {
        Err(error) if is_conflict(&error) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// A token for the data plane: asked for if need be, waited for up to five minutes of world time.
pub(crate) async fn token(agent: &Agent, pace: &mut Pace) -> Result<String, CallError> {
    for _ in 0..TRIES {
        let error = match look(agent).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        agent.log.error(
            "ClusterIdentityCRDTokenFetchFailed { message = Retrying token fetch in 00:00:10 seconds }",
        );
        agent.log.error(format!("Error in getting identity token: {{{error}}}"));
        pace.sleep(RETRY).await;
    }
    Err(CallError::NoToken)
}

/// One look: the token that the request's status refers to, if it is still valid.
async fn look(agent: &Agent) -> Result<String, CallError> {
    let name = request_name(agent.role);
    let found = match requests(agent).get_opt(&name).await? {
        Some(found) => found,
        None => {
            request(agent).await?;
            return Err(CallError::NoToken);
        }
    };
    let (secret, key) = reference(&found, agent.clock.wall()).ok_or(CallError::NoToken)?;
    store::read(&store::secrets(agent), &secret, &key).await
}

/// Secret and key of a request whose token is there and has not expired at wall time `now`.
pub(crate) fn reference(request: &DynamicObject, now: Timestamp) -> Option<(String, String)> {
    let status = &request.data["status"];
    let expiry: Timestamp = status["expirationTime"].as_str()?.parse().ok()?;
    let reference = &status["tokenReference"];
    let key = reference["dataName"].as_str().unwrap_or(TOKEN_KEY);
    (expiry > now).then_some((reference["secretName"].as_str()?.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_as_in_the_agents() {
        assert_eq!(request_name(Role::ConfigAgent), "config-agent-identity-request");
        let shared = request_name(Role::ResourceSyncAgent);
        assert_eq!(shared, request_name(Role::MetricsAgent));
        assert_eq!(shared.len(), "identity-request-".len() + 64);
    }

    #[test]
    fn a_token_is_used_until_it_expires_and_never_before_the_status_is_populated() {
        let mut request = object("v", "k", "n", json!({}));
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(reference(&request, now), None);
        request.data["status"] = json!({ "expirationTime": "2026-01-01T01:00:00Z", "tokenReference": { "secretName": "s", "dataName": "d" } });
        assert_eq!(reference(&request, now), Some(("s".into(), "d".into())));
        assert_eq!(reference(&request, "2026-01-01T01:00:00Z".parse().unwrap()), None);
    }
}
