//! User realms: whether a name is one that this directory checks the password of.

use serde_json::json;

use super::super::reply::SurfaceReply;
use crate::world::World;

/// The document for a name: `Managed` in the tenant's domain, `Unknown` elsewhere. Federated domains are not modelled.
pub(super) fn answer(world: &World, name: &str) -> SurfaceReply {
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    let domain = name.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase()).unwrap_or_default();
    let own = world.profile.user(&name).is_some()
        || world.profile.tenant.default_domain.eq_ignore_ascii_case(&domain);
    let kind = if own { "Managed" } else { "Unknown" };
    SurfaceReply::json(
        200,
        &json!({
            "ver": "1.0",
            "account_type": kind,
            "domain_name": domain,
            "cloud_instance_name": "microsoftonline.com",
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        }),
    )
}
