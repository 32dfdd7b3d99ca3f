//! Who calls Resource Manager.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::address::Address;
use crate::profile::Authentication;
use crate::providers::refusal::{Kind, Refusal};
use crate::surfaces::identity::tokens::{Caller, CallerKind, TokenError};
use crate::world::World;

/// The audiences that Resource Manager of the public cloud takes.
const AUDIENCES: &[&str] = &[
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
];

/// A caller that is not let in: what to say, and the challenge for `WWW-Authenticate`.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) refusal: Refusal,
    pub(super) challenge: String,
}

/// The caller, if its token is good.
pub(super) fn authenticate(
    world: &World,
    headers: &HeaderMap,
    address: &Address,
) -> Result<Arc<Caller>, Denied> {
    if world.profile.authentication == Authentication::None {
        return Ok(Arc::new(first_principal(world)));
    }
    // `to_str` looks at every byte by itself; tokens are long.
    let header = headers.get(AUTHORIZATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let Some(header) = header else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        let why = "The authentication failed because of missing 'Authorization' header.";
        return Err(denied(world, address, "AuthenticationFailed", message, why));
    };
    let bearer = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = bearer else {
        let message = "Authentication failed. The 'Authorization' header is not of the 'Bearer' scheme.";
        return Err(denied(world, address, "AuthenticationFailedInvalidHeader", message, message));
    };
    verify(world, token.trim(), address).map_err(|error| explain(world, address, &error))
}

/// Under an address of its own, a cloud is also its own audience.
fn verify(world: &World, token: &str, address: &Address) -> Result<Arc<Caller>, TokenError> {
    let now = world.clock.wall();
    match world.tokens.verify(token, AUDIENCES, now) {
        Err(TokenError::Audience(audience)) => {
            let own = address.base_url();
            if audience.trim_end_matches('/') == own {
                return world.tokens.verify(token, &[&audience], now);
            }
            Err(TokenError::Audience(audience))
        }
        other => other,
    }
}

fn first_principal(world: &World) -> Caller {
    let principal = world.profile.principals.first().cloned().unwrap_or_default();
    Caller {
        oid: principal.object_id,
        appid: principal.client_id,
        tenant: world.profile.tenant.id,
        audience: String::new(),
        kind: CallerKind::Application,
        mirid: None,
    }
}

fn explain(world: &World, address: &Address, error: &TokenError) -> Denied {
    let tenant = world.profile.tenant.id;
    let (code, message) = match error {
        TokenError::Invalid => ("InvalidAuthenticationToken", "The access token is invalid.".to_owned()),
        TokenError::Expired { expiry, now } => {
            let text = |time: &jiff::Timestamp| time.strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string();
            let message = format!(
                "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
                text(expiry),
                text(now)
            );
            return denied(
                world,
                address,
                "ExpiredAuthenticationToken",
                &message,
                "The access token has expired.",
            );
        }
        TokenError::Audience(audience) => (
            "InvalidAuthenticationTokenAudience",
            format!(
                "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly \
                 match with one of the allowed audiences '{}'.",
                AUDIENCES.join("','")
            ),
        ),
        TokenError::Tenant(issuer) => (
            "InvalidAuthenticationTokenTenant",
            format!(
                "The access token is from the wrong issuer '{issuer}'. It must match the tenant \
                 'https://sts.windows.net/{tenant}/' associated with this subscription. Please use the authority (URL) \
                 'https://login.windows.net/{tenant}' to get the token."
            ),
        ),
    };
    denied(world, address, code, &message, &message)
}

fn denied(world: &World, address: &Address, code: &'static str, message: &str, why: &str) -> Denied {
    let login = match address.host() {
        "management.azure.com" | "" => "https://login.windows.net".to_owned(),
        _ => address.base_url(),
    };
    let tenant = world.profile.tenant.id;
    Denied {
        refusal: Refusal::gateway(Kind::Unauthenticated, code, message),
        challenge: format!(
            "Bearer authorization_uri=\"{login}/{tenant}\", error=\"invalid_token\", error_description=\"{}\"",
            why.replace('"', "'")
        ),
    }
}
