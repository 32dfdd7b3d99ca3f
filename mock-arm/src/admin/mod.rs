//! The control API of a cloud: clock, journal, faults, namespaces, operations, seed.
//!
//! [`router`] has the routes under `/v1` and asks for no token: whoever serves it puts it behind a guard, its own or
//! [`guarded`]. Bodies are JSON; errors look like [`problem::Problem`]. Nothing here holds the world's clock busy, so
//! that an `advance` can wait for quiet.

mod clock;
pub mod description;
mod doubts;
mod faults;
pub mod guard;
mod journal;
mod nearest;
mod operations;
pub mod problem;
mod providers;
mod snapshot;
mod unmatched;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub use doubts::doubts;
pub use guard::{VERSION, VERSION_HEADER, guarded};

use crate::world::World;

/// How long a snapshot may be, in bytes.
const SNAPSHOT_LIMIT: usize = 1 << 30;

/// The routes of `world`, to be merged into a server. They have no fallback of their own.
///
/// | route | what |
/// |---|---|
/// | `GET /v1/clock` | world time and mode |
/// | `PUT /v1/clock` | `{"mode":"scaled","speed":60}`, `{"speed":60}`, `{"mode":"manual"}` |
/// | `POST /v1/clock/advance` | `{"span":"11m"}` or `{"span":660}`; answers when the world is quiet there |
/// | `GET /v1/journal` | events as an array; `after`, `actor`, `kind`, `text` filter; `follow=true` streams JSON lines |
/// | `GET`, `POST`, `DELETE /v1/faults`, `GET`, `DELETE /v1/faults/{id}` | fault rules; one with what it saw; one that names what there is not is added with `warnings` |
/// | `GET /v1/providers`, `GET`, `PUT /v1/providers/{namespace}` | registration: `{"delaySeconds","outcome","state"}` |
/// | `GET /v1/operations`, `GET /v1/operations/{id}`, `POST /v1/operations/{id}/{advance,fail,cancel}` | long-running operations |
/// | `GET /v1/journal/unmatched` | requests that nobody answered as meant, with the nearest and what differs |
/// | `GET`, `PUT /v1/snapshot`, `POST /v1/reset` | everything that is stored |
/// | `GET /v1/openapi.json` | the description of these routes |
/// | `GET /v1/seed` | the seed |
pub fn router(world: World) -> Router {
    Router::new()
        .route("/v1/clock", get(clock::read).put(clock::set))
        .route("/v1/clock/advance", post(clock::advance))
        .route("/v1/journal", get(journal::read))
        .route("/v1/journal/unmatched", get(unmatched::list))
        .route("/v1/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/v1/faults/{id}", get(faults::explain).delete(faults::remove))
        .route("/v1/providers", get(providers::list))
        .route("/v1/providers/{namespace}", get(providers::read).put(providers::set))
        .route("/v1/operations", get(operations::list))
        .route("/v1/operations/{id}", get(operations::read))
        .route("/v1/operations/{id}/{action}", post(operations::act))
        .route("/v1/seed", get(seed))
        .route(
            "/v1/snapshot",
            get(snapshot::save).put(snapshot::load).layer(DefaultBodyLimit::max(SNAPSHOT_LIMIT)),
        )
        .route("/v1/reset", post(snapshot::reset))
        .route("/v1/openapi.json", get(description::read))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(world)
}

async fn seed(State(world): State<World>) -> Json<Value> {
    Json(json!({"seed": world.seed}))
}

#[cfg(test)]
mod description_tests;
#[cfg(test)]
mod tests;
