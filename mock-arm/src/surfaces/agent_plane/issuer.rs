//! The OIDC issuers of connected clusters: the agents hand in the keys by which their cluster signs service account tokens, and
//! Azure publishes them, for workload identity federation.
//!
//! The issuer's address follows the Azure Arc documentation (`https://REGION.oic.prod-arc.azure.com/TENANT/ID/`), its documents
//! OpenID Connect Discovery 1.0, as an API server's own do. The call by which agents hand in the keys is the simulation's own (see
//! [`arm_wire::agent::SigningKeys`]): the real one is not public. Not modelled: rotation of the keys.

use arm_wire::agent::{IssuerReply, SigningKeys};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sim_core::journal::Entry;

use super::reply::SurfaceReply;
use super::{SurfaceRequest, data_plane, identities, wrong_method};
use crate::world::World;

/// The hosts of issuers.
pub(super) const HOSTS: &str = ".oic.prod-arc.azure.com";

/// Keys by the issuer's path, `TENANT/ID`.
const TABLE: &str = "arc/issuers";

const CONFIGURATION: &str = ".well-known/openid-configuration";
const KEYS: &str = "openid/v1/jwks";

/// What is kept of an issuer.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// Its URL, with a slash at the end.
    issuer: String,
    /// The public keys (RFC 7517).
    keys: Value,
}

/// Takes the keys of a cluster whose issuer is switched on, and says where they are published.
pub(super) fn publish(
    world: &World,
    arm_id: &str,
    cluster: &Value,
    request: SurfaceRequest<'_>,
) -> Result<SurfaceReply, SurfaceReply> {
    let sent: SigningKeys = data_plane::body(request)?;
    if cluster.pointer("/properties/oidcIssuerProfile/enabled") != Some(&Value::Bool(true)) {
        let message = format!("The OIDC issuer of '{arm_id}' is not enabled.");
        return Err(SurfaceReply::error(409, "OidcIssuerNotEnabled", message));
    }
    let private = |key: &Value| ["d", "p", "q", "k"].iter().any(|member| key.get(member).is_some());
    let keys = sent.jwks.get("keys").and_then(Value::as_array).filter(|keys| !keys.iter().any(private));
    let Some(keys) = keys else {
        let message = "'jwks' is not a set of public keys.";
        return Err(SurfaceReply::error(400, "InvalidRequestContent", message));
    };
    let principal = identities::principal_of(cluster).ok_or_else(|| {
        SurfaceReply::error(
            409,
            "InvalidResource",
            format!("The resource '{arm_id}' has no usable identity."),
        )
    })?;
    // A cluster that is made anew has another identity, and with it another issuer.
    let path = format!("{}/{}", world.profile.tenant.id, world.seed.uuid(&format!("arc/issuer/{principal}")));
    let region = cluster.get("location").and_then(Value::as_str).unwrap_or_default();
    let row = Row { issuer: format!("https://{region}{HOSTS}/{path}/"), keys: json!({ "keys": keys }) };
    let done: Result<(), std::convert::Infallible> = world.ledger.write(|txn| {
        // A row is plain data: it always has a JSON form.
        if let Ok(value) = serde_json::to_value(&row) {
            txn.put(TABLE, &path, value);
        }
        Ok(())
    });
    let Ok(()) = done;
    let entry = Entry::new("data-plane", "issuer").fact("cluster", arm_id).fact("issuer", &row.issuer);
    world.journal.record(entry.committed(true));
    Ok(SurfaceReply::json(
        200,
        &IssuerReply { jwks_uri: format!("{}{KEYS}", row.issuer), issuer_url: row.issuer },
    ))
}

/// The documents of an issuer, which anybody may read.
pub(super) fn document(world: &World, path: &str, request: SurfaceRequest<'_>) -> SurfaceReply {
    if request.method != http::Method::GET {
        return wrong_method(request, "GET");
    }
    let path = path.trim_start_matches('/');
    let found = [CONFIGURATION, KEYS].into_iter().find_map(|name| {
        let of = path.strip_suffix(name)?.trim_end_matches('/').to_ascii_lowercase();
        let row = world.ledger.read(|view| Row::deserialize(&*view.get(TABLE, &of)?.value).ok())?;
        Some((name, row))
    });
    match found {
        Some((KEYS, row)) => SurfaceReply::json(200, &row.keys),
        Some((_, row)) => SurfaceReply::json(
            200,
            &json!({
                "issuer": row.issuer,
                "jwks_uri": format!("{}{KEYS}", row.issuer),
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }),
        ),
        None => {
            let message = format!("There is no issuer document at '{}'.", request.path);
            SurfaceReply::error(404, "NotFound", message)
        }
    }
}
