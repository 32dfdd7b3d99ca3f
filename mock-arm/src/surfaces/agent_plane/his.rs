//! The hybrid identity service: discovery, and the certificate of a connected cluster's system-assigned identity.
//!
//! Host names, paths and the signature header follow public agent sources and the Azure Arc documentation; the reply's
//! form is the simulation's own (see [`arm_wire::agent`]).

use arm_wire::agent::{
    DATA_PLANE_SCOPE, DATE_HEADER, Discovery, HIS_SUFFIX, IdentityReply, SIGNED_MESSAGE_HEADER,
    identity_message, region_code, signature_of,
};
use arm_wire::ids::ResourceId;
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim_core::journal::Entry;
use sim_core::pki::Subject;

use super::identities::{self, Row};
use super::params::Params;
use super::reply::SurfaceReply;
use super::{SurfaceRequest, wrong_method};
use crate::providers::kubernetes::agent;
use crate::world::World;

/// How long a certificate is valid (Azure Arc documentation).
const LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// From which age on the agents try to renew (Azure Arc documentation).
const RENEW_AFTER: SignedDuration = SignedDuration::from_hours(24 * 46);
/// How far before its issue a certificate's life begins (observed in recordings).
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// How far a request's date may lie beside our clock.
const SKEW: SignedDuration = SignedDuration::from_mins(15);

/// Where the identity service of a region is. A caller who used an address of our own stays there.
pub(super) fn discovery(request: SurfaceRequest<'_>) -> SurfaceReply {
    if request.method != http::Method::GET {
        return wrong_method(request, "GET");
    }
    let params = Params::parse(request.query.as_bytes());
    let Some(location) = params.get("location") else {
        return SurfaceReply::error(400, "MissingParameter", "The query parameter 'location' is required.");
    };
    let url = if request.is_custom_cloud() {
        request.base_url.to_owned()
    } else {
        format!("https://{}{HIS_SUFFIX}", region_code(location))
    };
    SurfaceReply::json(200, &Discovery { url })
}

/// Issues the certificate of a cluster's identity to whoever signs with the cluster's onboarding key.
pub(super) fn identity(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    if request.method != http::Method::GET {
        return wrong_method(request, "GET");
    }
    issue(world, request).unwrap_or_else(|refusal| refusal)
}

fn issue(world: &World, request: SurfaceRequest<'_>) -> Result<SurfaceReply, SurfaceReply> {
    let params = Params::parse(request.query.as_bytes());
    let bad = |message: &str| SurfaceReply::error(400, "InvalidRequest", message);
    if params.get("api-version").is_none() {
        return Err(bad("The query parameter 'api-version' is required."));
    }
    let id = params.get("id").ok_or_else(|| bad("The query parameter 'id' is required."))?;
    let id: ResourceId = id.parse().map_err(|error| bad(&format!("{error}")))?;
    let cluster = agent::find(&world.ledger, &id).map_err(|missing| {
        SurfaceReply::error(404, "ResourceNotFound", format!("The Arc resource was not found: {missing}."))
    })?;
    let unusable = |what: &str| {
        SurfaceReply::error(409, "InvalidResource", format!("The resource '{id}' has no usable {what}."))
    };
    let key = identities::public_key_of(&cluster).ok_or_else(|| unusable("agentPublicKeyCertificate"))?;
    check_signature(world, request, &id, &key)?;
    let principal_id = identities::principal_of(&cluster).ok_or_else(|| unusable("identity"))?;
    let now = world.clock.now();
    if expiry_of(&cluster).is_some_and(|expiry| expiry <= now) {
        let message = format!(
            "The identity of '{id}' has expired and cannot be renewed. Delete the connected cluster and connect it again."
        );
        return Err(SurfaceReply::error(403, "IdentityExpired", message));
    }
    let client_id = identities::client_id_of(world, principal_id);
    let certificate = world
        .authority
        .certify_rsa(&Subject::client(client_id.to_string(), None), &key)
        .map_err(|_| unusable("agentPublicKeyCertificate"))?;
    let expiry = expiry_from(now);
    let row = Row { arm_id: id.to_string(), principal_id, expiry };
    identities::remember(&world.ledger, client_id, &row);
    let entry = Entry::new("his", "identity")
        .fact("cluster", id.to_string())
        .fact("expiry", expiry.to_string())
        .committed(true);
    world.journal.record(entry);
    let tenant = world.profile.tenant.id;
    let login =
        if request.is_custom_cloud() { request.base_url } else { "https://login.microsoftonline.com" };
    let reply = IdentityReply {
        certificate,
        expiration_time: expiry.to_string(),
        renew_after: now.saturating_add(RENEW_AFTER).unwrap_or(now).to_string(),
        client_id: client_id.to_string(),
        tenant_id: tenant.to_string(),
        token_endpoint: format!("{login}/{tenant}/oauth2/v2.0/token"),
        audience: DATA_PLANE_SCOPE.trim_end_matches("/.default").into(),
    };
    Ok(SurfaceReply::json(200, &reply))
}

fn expiry_of(cluster: &Value) -> Option<Timestamp> {
    cluster.pointer("/properties/managedIdentityCertificateExpirationTime")?.as_str()?.parse().ok()
}

/// When a certificate that is issued at `now` expires: 90 days from five minutes ago, in whole minutes.
fn expiry_from(now: Timestamp) -> Timestamp {
    let start = now.saturating_sub(BACKDATE).unwrap_or(now);
    let minute = Timestamp::from_second(start.as_second().div_euclid(60) * 60).unwrap_or(start);
    minute.saturating_add(LIFE).unwrap_or(minute)
}

fn check_signature(
    world: &World,
    request: SurfaceRequest<'_>,
    id: &ResourceId,
    key: &[u8],
) -> Result<(), SurfaceReply> {
    let refused = |message: String| SurfaceReply::error(401, "Unauthorized", message);
    let header = |name: &str| {
        request.header(name).ok_or_else(|| refused(format!("The header '{name}' is missing or not text.")))
    };
    let date = header(DATE_HEADER)?;
    let signed = header(SIGNED_MESSAGE_HEADER)?;
    let at: Timestamp =
        date.parse().map_err(|_| refused(format!("'{date}' in '{DATE_HEADER}' is not an RFC 3339 time.")))?;
    let now = world.clock.wall();
    if at.duration_since(now).abs() > SKEW {
        return Err(refused(format!("The request was signed at {at}, but it is {now} now.")));
    }
    let signature = signature_of(signed)
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or_else(|| refused(format!("'{SIGNED_MESSAGE_HEADER}' is not 'rsapss <base64>'.")))?;
    let message = identity_message(date, &id.to_string());
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key).verify(message.as_bytes(), &signature).map_err(
        |_| refused(format!("The signature is not by the onboarding key of '{id}' over this request.")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_ends_ninety_days_after_five_minutes_before_its_issue() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(expiry_from(at("2025-06-05T04:53:10Z")), at("2025-09-03T04:48:00Z"));
    }
}
