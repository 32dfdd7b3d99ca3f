//! Fault rules.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use sim_core::faults::{Effect, Explanation, Rule, RuleStatus};
use sim_core::journal::Entry;

use super::doubts::doubts;
use super::problem::{Problem, parse};
use crate::world::World;

const EXAMPLE: &str = r#"{"hook":"before","match":{"facts":{"method":"PUT","path":"*/connectedClusters/*"},"nth":[1]},"effect":"respond","status":429,"code":"TooManyRequests","message":"slow down","retryAfter":5}"#;

pub(super) async fn list(State(world): State<World>) -> Json<Vec<RuleStatus>> {
    Json(world.faults.list())
}

/// A rule that was added.
#[derive(Debug, Serialize)]
pub(super) struct Added {
    #[serde(flatten)]
    status: RuleStatus,
    /// Why it will probably never fire.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Adds a rule, or replaces the one of the same id. A rule without an id gets one.
pub(super) async fn add(
    State(world): State<World>,
    body: Bytes,
) -> Result<(StatusCode, Json<Added>), Problem> {
    let value: Value = parse(&body, EXAMPLE)?;
    let mut rule: Rule = serde_json::from_slice(&body).map_err(|error| {
        Problem::invalid(format!("this is no fault rule: {error}"), format!("send, for example, {EXAMPLE}"))
    })?;
    if value.get("id").is_none() {
        rule.id = free_id(&world);
    }
    let chance = rule.matcher.probability;
    if chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
        return Err(Problem::invalid("the probability is not between 0 and 1", "give, for example, 0.5"));
    }
    if rule.id.is_empty() {
        return Err(Problem::invalid("the id is empty", "leave 'id' out to get one"));
    }
    if let Effect::Respond { status, .. } = rule.effect
        && !(200..=599).contains(&status)
    {
        return Err(Problem::invalid(
            format!("{status} is no status of a reply"),
            "give one from 200 to 599",
        ));
    }
    let (id, warnings) = (rule.id.clone(), doubts(&rule));
    let entry = Entry::new("control", "fault-added").fact("rule", id.as_str()).fact("definition", &rule);
    world.faults.add(rule);
    world.journal.record(entry);
    world
        .faults
        .explain(&id)
        .map(|told| (StatusCode::CREATED, Json(Added { status: told.status, warnings })))
        .ok_or_else(|| Problem::not_found(format!("the rule '{id}' was removed meanwhile"), "add it again"))
}

fn free_id(world: &World) -> String {
    (1u64..).map(|count| format!("fault-{count}")).find(|id| !world.faults.contains(id)).unwrap_or_default()
}

pub(super) async fn clear(State(world): State<World>) -> Json<Value> {
    let removed = world.faults.clear(None);
    world.journal.record(Entry::new("control", "faults-cleared").fact("removed", removed));
    Json(json!({"removed": removed}))
}

/// Why a rule fired or did not.
pub(super) async fn explain(
    State(world): State<World>,
    Path(id): Path<String>,
) -> Result<Json<Explanation>, Problem> {
    world.faults.explain(&id).map(Json).ok_or_else(|| unknown(&id))
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(
        format!("there is no fault rule '{id}'"),
        "`dryarc fault list` (GET /v1/faults) shows the rules",
    )
}

pub(super) async fn remove(
    State(world): State<World>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let removed = world.faults.clear(Some(&id));
    if removed == 0 {
        return Err(unknown(&id));
    }
    world.journal.record(Entry::new("control", "faults-cleared").fact("rule", id));
    Ok(Json(json!({"removed": removed})))
}
