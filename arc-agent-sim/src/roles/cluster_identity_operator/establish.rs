//! The identity certificate: fetched with the onboarding key, kept in its Secret, renewed in time.

use std::time::Duration;

use arm_wire::agent::IdentityReply;
use jiff::Timestamp;

use super::SLOWEST;
use crate::agent::Agent;
use crate::error::CallError;
use crate::identity::{CERTIFICATE_EXPIRY, CERTIFICATE_SECRET, store};
use crate::pace::{Backoff, Pace};
use crate::protocol::entra::Identity;
use crate::protocol::his;
use crate::protocol::key::OnboardingKey;

/// Keys of the Secret besides the expiry (public agent sources).
const CERTIFICATE: &str = "azure-identity-certificate";
const CLIENT_ID: &str = "azure-identity-client-id";
const RENEW_AFTER: &str = "cert-renew-after";
/// Pause after a renewal that failed.
const RENEWAL_RETRY: Duration = Duration::from_secs(3600);

/// What the operator works with.
pub(super) struct State {
    pub(super) key: OnboardingKey,
    pub(super) identity: Identity,
    /// World time from which on the certificate is to be renewed.
    renew_after: Timestamp,
}

/// True when the certificate should be renewed at world time `now`.
pub(super) fn is_due(state: &State, now: Timestamp) -> bool {
    now >= state.renew_after
}

/// Tries until there is an identity: the one of an earlier life of this process, or a new one.
pub(super) async fn establish(agent: &Agent, pace: &mut Pace) -> State {
    let mut backoff = Backoff::up_to(SLOWEST);
    loop {
        let error = match attempt(agent).await {
            Ok(state) => return state,
            Err(error) => error,
        };
        agent.log.error(error.to_string());
        let pause = if error.is_rejection() { backoff.longest() } else { backoff.pause() };
        pace.sleep(pause).await;
    }
}

/// Fetches a new certificate; a failure is logged, and the old one is used on.
pub(super) async fn renew(agent: &Agent, state: &mut State) {
    match fetch(agent, &state.key).await {
        Ok((identity, renew_after)) => {
            state.identity = identity;
            state.renew_after = renew_after;
        }
        Err(error) => {
            agent.log.error(format!("Failed to renew the identity certificate: {{{error}}}"));
            state.renew_after = later(agent.clock.now(), RENEWAL_RETRY);
        }
    }
}

fn later(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(now)
}

async fn attempt(agent: &Agent) -> Result<State, CallError> {
    let key = onboarding_key(agent).await?;
    let (identity, renew_after) = match stored(agent).await {
        Some(found) => found,
        None => fetch(agent, &key).await?,
    };
    Ok(State { key, identity, renew_after })
}

async fn onboarding_key(agent: &Agent) -> Result<OnboardingKey, CallError> {
    let (name, namespace) = &agent.config.onboarding_secret;
    let secrets = kube::Api::namespaced(agent.kube.clone(), namespace);
    OnboardingKey::from_pem(store::read(&secrets, name, "privateKey").await?.as_bytes())
}

/// The identity that an earlier process stored. The token endpoint is not stored, so it is formed from the directory.
async fn stored(agent: &Agent) -> Option<(Identity, Timestamp)> {
    let secret = store::secrets(agent).get_opt(CERTIFICATE_SECRET).await.ok()??;
    let data = secret.data?;
    let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    let config = &agent.config;
    let identity = Identity {
        client_id: text(CLIENT_ID)?,
        certificate: text(CERTIFICATE)?,
        token_endpoint: format!("{}/{}/oauth2/v2.0/token", config.active_directory, config.tenant),
    };
    Some((identity, text(RENEW_AFTER)?.parse().ok()?))
}

async fn fetch(agent: &Agent, key: &OnboardingKey) -> Result<(Identity, Timestamp), CallError> {
    let base = his::discover(agent).await.inspect_err(|error| {
        agent.log.error(format!("Failed to get regional uri with error: {{{error}}}"));
    })?;
    agent.log.info(format!("Regional identity service: {base}"));
    let reply = his::identity(agent, &base, key).await.inspect_err(|error| {
        agent.log.error(format!("CertificatePulldownFailed: {error}"));
    })?;
    let unreadable = |error: jiff::Error| CallError::Unreadable("renewAfter".into(), error.to_string());
    let renew_after = reply.renew_after.parse().map_err(unreadable)?;
    keep(agent, &reply).await?;
    let IdentityReply { certificate, client_id, token_endpoint, expiration_time, .. } = reply;
    agent.log.info(format!("Identity certificate obtained, valid until {expiration_time}"));
    Ok((Identity { client_id, certificate, token_endpoint }, renew_after))
}

async fn keep(agent: &Agent, reply: &IdentityReply) -> Result<(), CallError> {
    let entries = [
        (CERTIFICATE, reply.certificate.as_str()),
        (CERTIFICATE_EXPIRY, &reply.expiration_time),
        (CLIENT_ID, &reply.client_id),
        (RENEW_AFTER, &reply.renew_after),
    ];
    store::write(&store::secrets(agent), CERTIFICATE_SECRET, "Opaque", &entries).await
}
