//! The Arc data plane, towards the agents.
//!
//! A caller is known by the token of its cluster's own identity. `syncResources` with the cluster's metadata is the
//! heartbeat. Configurations and extensions are not modelled, so there never are any pending.

use arm_wire::agent::{
    AgentCall, ClusterPath, ClusterStatus, PendingConfigs, SyncReply, SyncRequest, SyncedResource,
    UpdateConfig,
};
use arm_wire::ids::ResourceId;
use serde::Deserialize;
use serde_json::Value;
use sim_core::journal::Entry;

use super::issuer;
use super::onboarding::repository_path;
use super::reply::SurfaceReply;
use super::{SurfaceRequest, not_modelled, wrong_method};
use crate::providers::kubernetes::agent::{self, Report};
use crate::surfaces::bearer::{self, Bearer};
use crate::surfaces::identity::resources::arm_audiences;
use crate::world::World;

/// Answers an agent's call about its cluster.
pub(super) fn answer(
    world: &World,
    cluster: &ClusterPath<'_>,
    below: &str,
    request: SurfaceRequest<'_>,
) -> SurfaceReply {
    let Some(call) = AgentCall::at(below.trim_end_matches('/')) else { return not_modelled(request) };
    let expected = if call.is_post() { http::Method::POST } else { http::Method::GET };
    if *request.method != expected {
        return wrong_method(request, if call.is_post() { "POST" } else { "GET" });
    }
    perform(world, cluster, call, request).unwrap_or_else(|refusal| refusal)
}

fn perform(
    world: &World,
    cluster: &ClusterPath<'_>,
    call: AgentCall,
    request: SurfaceRequest<'_>,
) -> Result<SurfaceReply, SurfaceReply> {
    let arm_id = cluster.arm_id();
    let id: ResourceId =
        arm_id.parse().map_err(|error| SurfaceReply::error(400, "InvalidRequest", format!("{error}")))?;
    authorize(world, &arm_id, request, &arm_audiences(request.base_url))?;
    let stored = agent::find(&world.ledger, &id).map_err(|missing| gone(&missing))?;
    match call {
        AgentCall::PendingConfigs | AgentCall::ExtensionUpdateConfigs => {
            Ok(SurfaceReply::json(200, &PendingConfigs::default()))
        }
        AgentCall::UpdateConfig => Ok(SurfaceReply::json(200, &update_config(world, &stored))),
        AgentCall::SyncResources => sync(world, &id, request),
        AgentCall::SigningKeys => issuer::publish(world, &arm_id, &stored, request),
        AgentCall::PostMetrics | AgentCall::PostLogs => {
            let _: Value = body(request)?;
            Ok(SurfaceReply::json(200, &serde_json::json!({})))
        }
    }
}

pub(super) fn gone(missing: &agent::NotFound) -> SurfaceReply {
    SurfaceReply::error(404, "ResourceNotFound", format!("The Arc resource was not found: {missing}."))
}

/// Only the cluster's own identity may speak for it.
pub(super) fn authorize(
    world: &World,
    arm_id: &str,
    request: SurfaceRequest<'_>,
    audiences: &[String],
) -> Result<(), SurfaceReply> {
    let forbidden = |message: String| SurfaceReply::error(403, "Forbidden", message);
    let bearer = bearer::check(world, request, audiences)
        .map_err(|message| SurfaceReply::error(401, "Unauthorized", message))?;
    let Bearer::Known(caller) = bearer else { return Ok(()) };
    match &caller.mirid {
        Some(mirid) if mirid.eq_ignore_ascii_case(arm_id) => Ok(()),
        Some(other) => Err(forbidden(format!("The token is of '{other}', not of '{arm_id}'."))),
        None => Err(forbidden(format!("The token is not of the managed identity of '{arm_id}'."))),
    }
}

pub(super) fn body<T: for<'a> Deserialize<'a>>(request: SurfaceRequest<'_>) -> Result<T, SurfaceReply> {
    serde_json::from_slice(request.body).map_err(|error| {
        let message = format!("The request content was invalid and could not be deserialized: '{error}'.");
        SurfaceReply::error(400, "InvalidRequestContent", message)
    })
}

fn update_config(world: &World, cluster: &Value) -> UpdateConfig {
    let wanted = cluster.pointer("/properties/arcAgentProfile/desiredAgentVersion").and_then(Value::as_str);
    let upgrade = cluster.pointer("/properties/arcAgentProfile/agentAutoUpgrade").and_then(Value::as_str);
    let version = wanted.unwrap_or(&world.profile.release.agent_version);
    UpdateConfig {
        agent_version: version.to_owned(),
        repository_path: repository_path(world, version),
        auto_update: upgrade != Some("Disabled"),
    }
}

fn sync(world: &World, id: &ResourceId, request: SurfaceRequest<'_>) -> Result<SurfaceReply, SurfaceReply> {
    let request: SyncRequest = body(request)?;
    let mut synced = 0;
    for resource in &request.resources {
        if !resource.is_cluster() {
            let kind = format!("{}/{}", resource.api_version, resource.kind);
            let message = format!("Resources of kind '{kind}' are not modelled by this simulated Azure.");
            return Err(SurfaceReply::error(501, "NotModelled", message));
        }
        let report = report_of(resource)?;
        let version = report.kubernetes_version.clone();
        let before =
            agent::report(&world.ledger, id, &report, world.clock.now()).map_err(|missing| gone(&missing))?;
        let first = before.pointer("/properties/lastConnectivityTime").is_none();
        let entry = Entry::new("data-plane", "heartbeat")
            .fact("cluster", id.to_string())
            .fact("first", first)
            .fact("kubernetesVersion", version)
            .committed(true);
        world.journal.record(entry);
        synced += 1;
    }
    Ok(SurfaceReply::json(200, &SyncReply { synced }))
}

/// What the cluster's metadata says. Distribution and infrastructure are not taken over: the client that connected the
/// cluster sets them (Azure Arc data exchange documentation).
fn report_of(resource: &SyncedResource) -> Result<Report, SurfaceReply> {
    let invalid = |error: String| {
        let message = format!("The status of 'ConnectedCluster' is invalid: {error}.");
        SurfaceReply::error(400, "InvalidRequestContent", message)
    };
    let status = if resource.status.is_null() {
        ClusterStatus::default()
    } else {
        ClusterStatus::deserialize(&resource.status).map_err(|error| invalid(error.to_string()))?
    };
    let expiry = status.managed_identity_certificate_expiration_time.as_deref();
    let certificate_expiry =
        expiry.map(str::parse).transpose().map_err(|error: jiff::Error| invalid(error.to_string()))?;
    Ok(Report {
        kubernetes_version: status.kubernetes_api_server_version,
        total_node_count: status.node_count,
        total_core_count: status.core_count,
        agent_version: status.arc_agent_version,
        distribution: None,
        infrastructure: None,
        offering: None,
        certificate_expiry,
        oidc_issuer_url: status.oidc_issuer_url,
    })
}
