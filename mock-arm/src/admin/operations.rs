//! Long-running operations: look at them, hurry them, let them fail or be cancelled.

use arm_wire::error::ArmError;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use sim_core::journal::Entry;

use super::problem::{Problem, parse};
use crate::lro::control::{self, ControlError};
use crate::lro::{self, Operation};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Failure {
    code: String,
    message: String,
}

impl Default for Failure {
    fn default() -> Self {
        Self { code: "InternalServerError".into(), message: "The operation was failed on request.".into() }
    }
}

pub(super) async fn list(State(world): State<World>) -> Json<Vec<Operation>> {
    Json(world.ledger.read(|view| lro::list(view)))
}

pub(super) async fn read(
    State(world): State<World>,
    Path(id): Path<String>,
) -> Result<Json<Operation>, Problem> {
    let found = world.ledger.read(|view| lro::get(view, &id));
    found.map(Json).ok_or_else(|| problem(&ControlError::Unknown(id)))
}

/// Decides how an operation goes on. It ends a moment later, when whoever drives the clock comes by.
pub(super) async fn act(
    State(world): State<World>,
    Path((id, action)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Operation>, Problem> {
    let now = world.clock.now();
    let done = match action.as_str() {
        "advance" => control::advance(&world.ledger, &id, now),
        "cancel" => control::cancel(&world.ledger, &id, now),
        "fail" => {
            let failure = if body.is_empty() {
                Failure::default()
            } else {
                parse(&body, r#"{"code":"QuotaExceeded","message":"No more clusters."}"#)?
            };
            control::fail(&world.ledger, &id, ArmError::new(failure.code, failure.message), now)
        }
        other => {
            return Err(Problem::not_found(
                format!("'{other}' cannot be done to an operation"),
                "use advance, fail or cancel",
            ));
        }
    };
    let operation = done.map_err(|error| problem(&error))?;
    let entry = Entry::new("control", "operation").fact("operation", id).fact("action", action);
    world.journal.record(entry);
    Ok(Json(operation))
}

fn problem(error: &ControlError) -> Problem {
    let (status, code) = match error {
        ControlError::Unknown(_) => (StatusCode::NOT_FOUND, "NotFound"),
        ControlError::Ended(_) => (StatusCode::CONFLICT, "OperationEnded"),
    };
    Problem::new(status, code, error.to_string(), "GET /v1/operations lists the operations and their states")
}
