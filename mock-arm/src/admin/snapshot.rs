//! The whole state of a cloud as one document, and a fresh start.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sim_core::faults::Rule;
use sim_core::journal::Entry;
use sim_core::ledger;
use sim_core::seed::Seed;

use super::problem::{Problem, parse};
use crate::store::buckets;
use crate::world::World;

/// The form of the document. The first one held resources as trees; they are text now.
const FORMAT: u32 = 2;

/// What a snapshot holds. Keys, secrets and tokens are not part of it, nor is the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    format: u32,
    /// World time at which it was taken.
    time: Timestamp,
    seed: Seed,
    ledger: ledger::Snapshot,
    #[serde(default)]
    buckets: buckets::Saved,
    #[serde(default)]
    faults: Vec<Rule>,
}

pub(super) async fn save(State(world): State<World>) -> Json<Snapshot> {
    let faults = world.faults.list().into_iter().map(|status| status.rule).collect();
    Json(Snapshot {
        format: FORMAT,
        time: world.clock.now(),
        seed: world.seed,
        ledger: world.ledger.snapshot(),
        buckets: world.buckets.save(),
        faults,
    })
}

/// Puts a snapshot in the place of everything that is stored. World time never goes back: a snapshot of a later time moves the clock
/// there first, and what was due in a snapshot of an earlier time is due now.
pub(super) async fn load(State(world): State<World>, body: Bytes) -> Result<Json<Value>, Problem> {
    let snapshot: Snapshot = parse(&body, "what GET /v1/snapshot answered")?;
    if snapshot.format != FORMAT {
        return Err(Problem::invalid(
            format!("this snapshot has the format {}; this version reads {FORMAT}", snapshot.format),
            "load it with the version that saved it",
        ));
    }
    if snapshot.seed != world.seed {
        return Err(Problem::invalid(
            format!(
                "this snapshot is of a world with the seed {}; this one has {}",
                snapshot.seed, world.seed
            ),
            format!(
                "start a world with --seed {}: ids of tenant and subscriptions follow from it",
                snapshot.seed
            ),
        ));
    }
    if let Ok(ahead) = std::time::Duration::try_from(snapshot.time.duration_since(world.clock.now())) {
        world.clock.advance(ahead).await;
    }
    world
        .ledger
        .restore(&snapshot.ledger)
        .map_err(|error| Problem::invalid(error.to_string(), "load it with the version that saved it"))?;
    world.buckets.load(&snapshot.buckets);
    world.faults.clear(None);
    for rule in snapshot.faults {
        world.faults.add(rule);
    }
    world.journal.record(Entry::new("control", "snapshot-loaded").fact("taken", snapshot.time.to_string()));
    Ok(Json(json!({"now": world.clock.now(), "taken": snapshot.time})))
}

/// Forgets everything that is stored, every fault rule and every count. Time, seed, profile and journal stay.
pub(super) async fn reset(State(world): State<World>) -> Result<Json<Value>, Problem> {
    let empty = ledger::Snapshot {
        format: ledger::SNAPSHOT_FORMAT,
        revision: world.ledger.revision(),
        tables: Default::default(),
    };
    world
        .ledger
        .restore(&empty)
        .map_err(|error| Problem::invalid(error.to_string(), "start another world"))?;
    world.buckets.load(&buckets::Saved::default());
    let faults = world.faults.clear(None);
    world.journal.record(Entry::new("control", "reset").fact("faults", faults));
    Ok(Json(json!({"now": world.clock.now(), "faultsRemoved": faults})))
}
