//! How namespaces register, and where their registrations stand.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sim_core::journal::Entry;
use sim_core::ledger::{Txn, View};
use uuid::Uuid;

use super::problem::{Problem, parse};
use crate::lro::{self, State as OperationState};
use crate::profile::RegistrationOutcome;
use crate::providers::catalog::{self, Namespace};
use crate::store::key;
use crate::store::registrations::{self, Registration};
use crate::world::World;

/// A namespace, as the control API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    namespace: &'static str,
    /// World seconds from the request to the outcome.
    delay_seconds: u64,
    outcome: RegistrationOutcome,
    /// World seconds that unregistering takes.
    unregister_delay_seconds: u64,
    /// State by subscription.
    states: BTreeMap<Uuid, Registration>,
}

/// What to change. What is left out stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    delay_seconds: Option<u64>,
    outcome: Option<RegistrationOutcome>,
    unregister_delay_seconds: Option<u64>,
    state: Option<Registration>,
}

fn find(name: &str) -> Result<&'static Namespace, Problem> {
    catalog::find(name).ok_or_else(|| {
        Problem::not_found(
            format!("there is no namespace '{name}'"),
            "`dryarc provider list` (GET /v1/providers) shows the namespaces",
        )
    })
}

fn show(world: &World, view: &View<'_>, namespace: &'static Namespace) -> Shown {
    let plan = registrations::plan(view, &world.profile, namespace.name);
    let state = |id: &Uuid| {
        registrations::get(view, &id.to_string(), namespace.name)
            .map_or_else(|| namespace.initial(plan.registered), |standing| standing.state)
    };
    let states =
        world.profile.subscriptions.iter().map(|subscription| (subscription.id, state(&subscription.id)));
    Shown {
        namespace: namespace.name,
        delay_seconds: plan.seconds,
        outcome: plan.outcome,
        unregister_delay_seconds: plan.unregister_delay().as_secs(),
        states: states.collect(),
    }
}

pub(super) async fn list(State(world): State<World>) -> Json<Vec<Shown>> {
    Json(
        world
            .ledger
            .read(|view| catalog::namespaces().map(|namespace| show(&world, view, namespace)).collect()),
    )
}

pub(super) async fn read(
    State(world): State<World>,
    Path(name): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let namespace = find(&name)?;
    Ok(Json(world.ledger.read(|view| show(&world, view, namespace))))
}

/// Changes how a namespace registers from now on; `state` puts every subscription there at once and ends what was on
/// its way. A registration that is already on its way keeps its moment: hurry it as an operation.
pub(super) async fn set(
    State(world): State<World>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Shown>, Problem> {
    let namespace = find(&name)?;
    let change: Change =
        parse(&body, r#"{"delaySeconds":600,"outcome":"registered","state":"NotRegistered"}"#)?;
    let done: Result<(), std::convert::Infallible> = world.ledger.write(|txn| {
        let mut plan = registrations::plan(txn, &world.profile, namespace.name);
        plan.seconds = change.delay_seconds.unwrap_or(plan.seconds);
        plan.outcome = change.outcome.unwrap_or(plan.outcome);
        plan.unregister_seconds = change.unregister_delay_seconds.or(plan.unregister_seconds);
        registrations::set_plan(txn, namespace.name, &plan);
        if let Some(state) = change.state {
            put_state(&world, txn, namespace, state);
        }
        Ok(())
    });
    let Ok(()) = done;
    let mut entry = Entry::new("control", "provider").fact("namespace", namespace.name);
    if let Some(seconds) = change.delay_seconds {
        entry = entry.fact("delaySeconds", seconds);
    }
    if let Some(state) = change.state {
        entry = entry.fact("state", state.as_str());
    }
    world.journal.record(entry);
    Ok(Json(world.ledger.read(|view| show(&world, view, namespace))))
}

fn put_state(world: &World, txn: &mut Txn<'_>, namespace: &Namespace, state: Registration) {
    let now = world.clock.now();
    for subscription in &world.profile.subscriptions {
        let id = subscription.id.to_string();
        let key = key(&[&id, namespace.name]);
        let running = lro::list(txn).into_iter().filter(|operation| {
            operation.is_running() && operation.key == key && operation.name.ends_with("register/action")
        });
        for mut operation in running.collect::<Vec<_>>() {
            lro::finish(txn, &mut operation, OperationState::Canceled, now);
        }
        registrations::put(txn, &id, namespace.name, state, now);
    }
}
