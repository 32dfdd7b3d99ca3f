//! The services that the Arc agents and onboarding talk to: the hybrid identity service (HIS), the Arc data plane, guest
//! notification, and the clusters' OIDC issuers. The on-behalf-of service, which only Azure RBAC over cluster connect needs, is refused by name.

use arm_wire::agent::{ClusterPath, HIS_DISCOVERY_PATH, HIS_IDENTITY_PATH};
use percent_encoding::percent_decode_str;

use super::reply::{self, SurfaceReply};
use super::{Surface, SurfaceRequest, params};
use crate::world::World;

mod data_plane;
mod his;
pub(crate) mod identities;
mod issuer;
mod notification;
mod onboarding;

/// No body that agents or onboarding send is longer. The limit is ours: the real one is not known.
const LONGEST_BODY: usize = 1024 * 1024;

/// The host of the on-behalf-of service.
const ON_BEHALF_OF: &str = ".obo.arc.azure.com";

/// Answers a request of an agent or of onboarding.
pub(crate) fn answer(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    if request.host.ends_with(ON_BEHALF_OF) {
        let message = format!(
            "'{} {}' at '{}': the on-behalf-of token service is not modelled by this simulated Azure, so Azure RBAC over \
             cluster connect does not work. Onboarding, heartbeats and cluster connect itself do not need it.",
            request.method, request.path, request.host
        );
        return SurfaceReply::error(501, "NotModelled", message);
    }
    if request.body.len() > LONGEST_BODY {
        let message = format!("The body has {} bytes; {LONGEST_BODY} are allowed.", request.body.len());
        return SurfaceReply::error(413, "RequestEntityTooLarge", message);
    }
    let path = percent_decode_str(request.path).decode_utf8_lossy();
    let path = path.trim_end_matches('/');
    if request.host.ends_with(issuer::HOSTS) {
        return issuer::document(world, path, request);
    }
    if path.eq_ignore_ascii_case(HIS_DISCOVERY_PATH) {
        return his::discovery(request);
    }
    if path.eq_ignore_ascii_case(HIS_IDENTITY_PATH) {
        return his::identity(world, request);
    }
    if let Some(reply) = notification::answer(world, path, request) {
        return reply;
    }
    if let Some((cluster, below)) = ClusterPath::parse(path) {
        return data_plane::answer(world, &cluster, below, request);
    }
    onboarding::answer(world, path, request)
}

/// The refusal of what a service does not do.
fn not_modelled(request: SurfaceRequest<'_>) -> SurfaceReply {
    reply::not_modelled(Surface::AgentPlane, request)
}

/// The refusal of a method that a known path does not take.
fn wrong_method(request: SurfaceRequest<'_>, allowed: &'static str) -> SurfaceReply {
    let message = format!("'{}' does not take {}; it takes {allowed}.", request.path, request.method);
    SurfaceReply::error(405, "MethodNotAllowed", message).with("allow", allowed)
}

#[cfg(test)]
mod issuer_tests;
#[cfg(test)]
mod tests;
