//! Leader leases, as controllers take them before they act.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};

use crate::agent::Agent;
use crate::config::NAMESPACE;
use crate::error::{CallError, is_conflict};

/// How long a lease is good without renewal; the slow setting of large controllers, so that a world that is stepped
/// through its deadlines is not stepped through renewals mostly.
const LEASE_SECONDS: i32 = 137;
/// How often the holder renews, and a candidate looks.
pub(crate) const RENEW: Duration = Duration::from_secs(60);

/// Takes or renews the lease `name`; false when somebody else holds it.
pub(crate) async fn lead(agent: &Agent, name: &str) -> Result<bool, CallError> {
    let leases: Api<Lease> = Api::namespaced(agent.kube.clone(), NAMESPACE);
    let (me, now) = (&agent.config.pod_name, agent.clock.now());
    let outcome = match leases.get_opt(name).await? {
        None => leases.create(&PostParams::default(), &fresh(name, me, now)).await,
        Some(mut lease) => {
            let spec = lease.spec.get_or_insert_default();
            if !may_take(spec, me, now) {
                return Ok(false);
            }
            take(spec, me, now);
            leases.replace(name, &PostParams::default(), &lease).await
        }
    };
    match outcome {
        Ok(_) => Ok(true),
        // Somebody else was faster.
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn fresh(name: &str, me: &str, now: Timestamp) -> Lease {
    let mut spec = LeaseSpec::default();
    take(&mut spec, me, now);
    let metadata =
        ObjectMeta { name: Some(name.into()), namespace: Some(NAMESPACE.into()), ..Default::default() };
    Lease { metadata, spec: Some(spec) }
}

fn may_take(spec: &LeaseSpec, me: &str, now: Timestamp) -> bool {
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    let life = SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or(LEASE_SECONDS).into());
    let expired =
        spec.renew_time.as_ref().and_then(|at| at.0.checked_add(life).ok()).is_none_or(|end| end < now);
    holder.is_empty() || holder == me || expired
}

fn take(spec: &mut LeaseSpec, me: &str, now: Timestamp) {
    if spec.holder_identity.as_deref() != Some(me) {
        spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count.saturating_add(1)));
        spec.acquire_time = Some(MicroTime(now));
    }
    spec.holder_identity = Some(me.into());
    spec.lease_duration_seconds = Some(LEASE_SECONDS);
    spec.renew_time = Some(MicroTime(now));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_kept_by_its_holder_and_taken_when_it_has_run_out() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut spec = fresh("l", "one", at(0)).spec.unwrap();
        assert!(may_take(&spec, "one", at(10)));
        assert!(!may_take(&spec, "two", at(137)));
        assert!(may_take(&spec, "two", at(138)));
        take(&mut spec, "two", at(138));
        assert_eq!(spec.lease_transitions, Some(1));
    }
}
