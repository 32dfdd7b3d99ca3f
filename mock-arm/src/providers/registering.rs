//! Registration of namespaces as clients meet it: what a read shows, and where writes pass.
//!
//! While a namespace is Registering, region after region opens: Microsoft tells clients not to wait for Registered before
//! they create resources, because registration completes region by region. The moment of each region is drawn from the
//! world's seed, within the registration's delay.

use sim_core::clock::later;
use sim_core::ledger::Txn;
use sim_core::seed::Seed;

use super::catalog::{self, Access, Namespace};
use super::refusal::Refusal;
use super::seam::Call;
use super::target::Target;
use crate::profile::{Profile, Registration as Plan, RegistrationOutcome};
use crate::store::registrations::{self, Registration, Standing};
use crate::store::{Rows, resources};

/// Where the registration of a namespace stands, and since when; `None` for the moment of a state nobody has touched.
pub(super) fn standing(
    profile: &Profile,
    txn: &Txn<'_>,
    subscription: &str,
    namespace: &Namespace,
) -> (Registration, Option<Standing>) {
    let stored = registrations::get(txn, subscription, namespace.name);
    let initial = || namespace.initial(registrations::plan(txn, profile, namespace.name).registered);
    (stored.map_or_else(initial, |standing| standing.state), stored)
}

fn draw(seed: Seed, label: &str) -> u64 {
    (seed.uuid(label).as_u128() & u128::from(u64::MAX)) as u64
}

/// Whether the replica that answers this second has not heard that the namespace is registered.
fn is_behind(call: &Call<'_>, namespace: &Namespace, plan: &Plan, standing: Option<Standing>) -> bool {
    let Some(standing) = standing else { return false };
    let unsettled = plan.outcome == RegistrationOutcome::Flapping
        && standing.state == Registration::Registered
        && call.now < later(standing.since, plan.delay());
    let replica = || draw(call.seed, &format!("replica/{}/{}", namespace.name, call.now.as_second()));
    unsettled && replica().is_multiple_of(2)
}

/// The state that a read shows.
pub(super) fn shown(
    call: &Call<'_>,
    subscription: &str,
    namespace: &Namespace,
    txn: &Txn<'_>,
) -> Registration {
    let (state, stored) = standing(call.profile, txn, subscription, namespace);
    let plan = registrations::plan(txn, call.profile, namespace.name);
    if is_behind(call, namespace, &plan, stored) { Registration::Registering } else { state }
}

/// Whether `region` is open while the namespace registers.
fn is_open(call: &Call<'_>, namespace: &Namespace, plan: &Plan, standing: Standing, region: &str) -> bool {
    use RegistrationOutcome::{Flapping, Regional, Registered};
    if !matches!(plan.outcome, Registered | Regional | Flapping) {
        return false;
    }
    // Between a fifth and the whole of the delay.
    let share = 20 + draw(call.seed, &format!("region/{}/{region}", namespace.name)) % 81;
    let after = plan.delay().mul_f64(share as f64 / 100.0);
    call.now >= later(standing.since, after)
}

/// The region that a write is about: that of the body, or else of what is there, or of what it extends.
fn region(call: &Call<'_>, txn: &Txn<'_>) -> Option<String> {
    let given = call.body.and_then(|body| body.get("location")).and_then(serde_json::Value::as_str);
    if let Some(given) = given {
        return Some(catalog::regions::normalize(given));
    }
    let (Target::Resource(typed) | Target::Action(typed)) = call.target else { return None };
    let mut place = Some(typed);
    while let Some(typed) = place {
        let row = txn.row(crate::store::RESOURCES, &typed.key());
        let resource = row.map(resources::resource).unwrap_or_default();
        if let Some(location) = resource.get("location").and_then(serde_json::Value::as_str) {
            return Some(catalog::regions::normalize(location));
        }
        place = typed.host.as_deref();
    }
    None
}

/// Refuses a write to a namespace that the subscription has not registered, or not yet in the region it is about.
pub(super) fn check(call: &Call<'_>, txn: &Txn<'_>) -> Result<(), Refusal> {
    let (Some(subscription), Some(namespace)) =
        (call.target.subscription(), catalog::find(call.target.namespace()))
    else {
        return Ok(());
    };
    if namespace.access == Access::RegistrationFree {
        return Ok(());
    }
    let (state, stored) = standing(call.profile, txn, subscription, namespace);
    let plan = registrations::plan(txn, call.profile, namespace.name);
    let open = match (state, stored) {
        (Registration::Registered, stored) => !is_behind(call, namespace, &plan, stored),
        (Registration::Registering, Some(stored)) => {
            region(call, txn).is_some_and(|region| is_open(call, namespace, &plan, stored, &region))
        }
        _ => false,
    };
    if open { Ok(()) } else { Err(Refusal::not_registered(namespace.name)) }
}
