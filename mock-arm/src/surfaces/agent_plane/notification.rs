//! The guest notification service: which relays there are (documented), and where a cluster's agent listens.
//!
//! In Azure a notification tells the agent when to listen; here it listens from the start.

use std::time::Duration;

use arm_wire::agent::{LISTENERS_PATH, ListenReply, ListenRequest, RELAY_SUFFIX};
use arm_wire::ids::ResourceId;
use http::Method;
use serde_json::json;
use sim_core::clock::later;
use sim_core::journal::Entry;

use super::data_plane::{authorize, body, gone};
use super::params::Params;
use super::reply::SurfaceReply;
use super::{SurfaceRequest, wrong_method};
use crate::providers::kubernetes::agent;
use crate::relay::{self, Right};
use crate::surfaces::identity::resources::arm_audiences;
use crate::world::World;

/// Which relays a network has to let through.
const ALLOWLIST_PATH: &str = "/urls/allowlist";

/// How long an agent may listen before it has to ask again, in wall time: as long as users' credentials.
const LISTEN: Duration = Duration::from_secs(3 * 60 * 60);

/// Answers a call to the service; `None` for a path that is not its own.
pub(super) fn answer(world: &World, path: &str, request: SurfaceRequest<'_>) -> Option<SurfaceReply> {
    if path.eq_ignore_ascii_case(ALLOWLIST_PATH) {
        if request.method != Method::GET {
            return Some(wrong_method(request, "GET"));
        }
        let params = Params::parse(request.query.as_bytes());
        if params.get("location").is_none() {
            let message = "The query parameter 'location' is required.";
            return Some(SurfaceReply::error(400, "InvalidRequest", message));
        }
        return Some(SurfaceReply::json(200, &json!([format!("{}{RELAY_SUFFIX}", relay::RELAY)])));
    }
    if !path.eq_ignore_ascii_case(LISTENERS_PATH) {
        return None;
    }
    if request.method != Method::POST {
        return Some(wrong_method(request, "POST"));
    }
    Some(listen(world, request).unwrap_or_else(|refusal| refusal))
}

fn listen(world: &World, request: SurfaceRequest<'_>) -> Result<SurfaceReply, SurfaceReply> {
    let asked: ListenRequest = body(request)?;
    let id: ResourceId = asked
        .resource_id
        .parse()
        .map_err(|error| SurfaceReply::error(400, "InvalidRequest", format!("{error}")))?;
    authorize(world, &asked.resource_id, request, &arm_audiences(request.base_url))?;
    let cluster = agent::find(&world.ledger, &id).map_err(|missing| gone(&missing))?;
    let name = relay::connection_of(world.seed, &cluster);
    let until = later(world.clock.wall(), LISTEN);
    let token = world.relay.token(&name, Right::Listen, until);
    let token = token
        .ok_or_else(|| SurfaceReply::error(500, "InternalServerError", "There is no key to sign with."))?;
    let entry = Entry::new("guest-notification", "listener").fact("cluster", id.to_string());
    world.journal.record(entry);
    let reply = ListenReply {
        relay: relay::RELAY.into(),
        hybrid_connection_name: name,
        token,
        expiration_time: until.as_second(),
    };
    Ok(SurfaceReply::json(200, &reply))
}
