//! `clusteridentityoperator`: makes the very first outbound call, keeps the identity certificate, serves tokens, and
//! reconciles `ArcCertificate` and `SigningKey` objects.
//!
//! Renewals go by the world's clock, but a token that is about to expire in wall time is renewed too, because that is
//! what its receiver checks. Not modelled: `AzureExtensionIdentity`, rotation of the onboarding key.

mod certificates;
mod establish;
mod requests;
pub(in crate::roles) mod signing_keys;

use std::convert::Infallible;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use kube::api::{Api, DynamicObject, WatchEvent, WatchParams};

use crate::agent::Agent;
use crate::error::{AgentError, CallError};
use crate::identity;
use crate::pace::{Backoff, Pace};

/// How often everything is looked at though nothing changed.
const LOOK: Duration = Duration::from_secs(300);
/// The longest pause between attempts.
const SLOWEST: Duration = Duration::from_secs(300);

pub(super) async fn run(agent: &Agent, pace: &mut Pace) -> Result<Infallible, AgentError> {
    let mut state = establish::establish(agent, pace).await;
    let mut backoff = Backoff::up_to(SLOWEST);
    let mut tokens = requests::Tokens::default();
    let requested = identity::requests(agent);
    let certificates =
        identity::custom(agent, "clusterconfig.azure.com", "ArcCertificate", "arccertificates");
    let (mut synced, keys) = (signing_keys::Synced::default(), signing_keys::objects(agent));
    loop {
        if establish::is_due(&state, agent.clock.now()) {
            establish::renew(agent, &mut state).await;
        }
        let seen = reconcile(agent, &state, &mut tokens, &requested, &certificates).await;
        let (revisions, mut settled) = match seen {
            Ok(revisions) => (revisions, true),
            Err(failed) => (failed.revisions, false),
        };
        if agent.config.oidc_issuer
            && let Err(error) = signing_keys::reconcile(agent, &state, &mut synced, &keys).await
        {
            agent.log.error(format!("Reconciler error: {{{error}}}"));
            settled = false;
        }
        if settled {
            backoff.reset();
        }
        let limit = if settled { LOOK } else { backoff.pause() };
        wait_for_change(pace, [&requested, &certificates], revisions, limit).await;
    }
}

/// The list revisions of both kinds, where known.
type Revisions = [Option<String>; 2];

/// Something was left undone.
struct Unsettled {
    revisions: Revisions,
}

async fn reconcile(
    agent: &Agent,
    state: &establish::State,
    tokens: &mut requests::Tokens,
    requested: &Api<DynamicObject>,
    certificates: &Api<DynamicObject>,
) -> Result<Revisions, Unsettled> {
    let first = requests::reconcile(agent, state, tokens, requested).await;
    let second = certificates::reconcile(agent, certificates).await;
    let settled = first.is_ok() && second.is_ok();
    let revision = |result: Result<String, CallError>| match result {
        Ok(revision) => Some(revision),
        Err(error) => {
            agent.log.error(format!("Reconciler error: {{{error}}}"));
            None
        }
    };
    let revisions = [revision(first), revision(second)];
    if settled { Ok(revisions) } else { Err(Unsettled { revisions }) }
}

/// Waits until an object of one of the kinds changes, or for `limit` of world time.
async fn wait_for_change(
    pace: &mut Pace,
    kinds: [&Api<DynamicObject>; 2],
    revisions: Revisions,
    limit: Duration,
) {
    let mut watches: Vec<BoxStream<'_, ()>> = Vec::new();
    for (api, revision) in kinds.into_iter().zip(revisions) {
        let Some(revision) = revision else { continue };
        if let Ok(events) = api.watch(&WatchParams::default(), &revision).await {
            // An error ends the watch, and the next look starts another one.
            let changes = events
                .filter_map(async |event| (!matches!(event, Ok(WatchEvent::Bookmark(_)))).then_some(()));
            watches.push(changes.boxed());
        }
    }
    if watches.is_empty() {
        pace.sleep(limit).await;
        return;
    }
    let mut any = futures::stream::select_all(watches);
    pace.wait(limit, any.next()).await;
}
