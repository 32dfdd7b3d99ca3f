//! The token endpoint: applications by secret or signed assertion, people by device code, password or refresh token.

mod assertion;
mod client;
mod confirmation;
mod federated;
mod person;

use arm_wire::agent::TokenReply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sim_core::journal::Entry;
use sim_core::keys::KeyError;

use super::super::SurfaceRequest;
use super::super::params::Params;
use super::super::reply::SurfaceReply;
use super::claims::{Claims, Subject, TOKEN_LIFE};
use super::discovery::Version;
use super::refusal::Refusal;
use super::resources;
use super::tenant::Tenant;
use crate::world::World;
use client::Client;
use person::Person;

/// What a token request earned.
struct Grant {
    claims: Claims,
    /// The resource in the caller's words.
    resource: String,
    /// What else people get.
    person: Option<Person>,
}

/// A token request.
#[derive(Clone, Copy)]
struct Asked<'a> {
    world: &'a World,
    tenant: &'a Tenant,
    version: Version,
    params: &'a Params,
    request: SurfaceRequest<'a>,
}

/// Answers a token request.
pub(crate) async fn answer(
    world: &World,
    tenant: &Tenant,
    version: Version,
    request: SurfaceRequest<'_>,
) -> SurfaceReply {
    let params = Params::parse(request.body);
    let asked = Asked { world, tenant, version, params: &params, request };
    match grant(asked) {
        Err(refusal) => refusal.reply(world, request),
        Ok(grant) => match granted(asked, grant).await {
            Ok(reply) => reply,
            Err(error) => Refusal::NoKey(error.to_string()).reply(world, request),
        },
    }
}

async fn granted(asked: Asked<'_>, grant: Grant) -> Result<SurfaceReply, KeyError> {
    let Grant { claims, resource, person } = grant;
    let token = asked.world.tokens.issue(&claims).await?;
    let entry = Entry::new("entra", "token")
        .fact("clientId", claims.appid.to_string())
        .fact("audience", claims.aud.as_str())
        .fact("managedIdentity", claims.xms_mirid.is_some());
    let entry = if person.is_some() { entry.fact("user", claims.oid.to_string()) } else { entry };
    asked.world.journal.record(entry);
    let life = u64::try_from(TOKEN_LIFE).unwrap_or_default();
    let reply = TokenReply {
        token_type: if claims.cnf.is_some() { "pop" } else { "Bearer" }.into(),
        expires_in: life,
        ext_expires_in: life,
        access_token: token.clone(),
    };
    let reply = match (asked.version, person) {
        (Version::V2, None) => SurfaceReply::json(200, &reply),
        (Version::V2, Some(person)) => {
            let mut body = serde_json::to_value(&reply).unwrap_or_default();
            person.add_to(asked, &claims, &mut body).await?;
            SurfaceReply::json(200, &body)
        }
        (Version::V1, person) => {
            let mut body = older(&claims, resource, token);
            if let Some(person) = person {
                person.add_to(asked, &claims, &mut body).await?;
            }
            SurfaceReply::json(200, &body)
        }
    };
    Ok(reply.with("cache-control", "no-store, no-cache").with("pragma", "no-cache"))
}

/// The older endpoint writes its numbers as texts.
fn older(claims: &Claims, resource: String, token: String) -> Value {
    json!({
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFE.to_string(),
        "ext_expires_in": TOKEN_LIFE.to_string(),
        "expires_on": claims.exp.to_string(),
        "not_before": claims.nbf.to_string(),
        "resource": resource,
        "access_token": token,
    })
}

fn grant(asked: Asked<'_>) -> Result<Grant, Refusal> {
    let mut grant = match asked.params.get("grant_type").ok_or(Refusal::Missing("grant_type"))? {
        "client_credentials" => application(asked),
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => person::by_device(asked),
        "refresh_token" => person::by_refresh_token(asked),
        "password" => person::by_password(asked),
        other => Err(Refusal::Grant(other.into())),
    }?;
    grant.claims.cnf = confirmation::of(asked.params)?;
    Ok(grant)
}

/// A token for an application or for a cluster's identity.
fn application(asked: Asked<'_>) -> Result<Grant, Refusal> {
    let Asked { world, tenant, version, params, request } = asked;
    let Tenant::Own { words, .. } = tenant else { return Err(Refusal::NoTenant) };
    let basic = basic_credentials(request);
    let client_id = params.get("client_id").or(basic.as_ref().map(|(id, _)| id.as_str()));
    let client_id = client_id.ok_or(Refusal::Missing("client_id"))?;
    let secret = params.get("client_secret").or(basic.as_ref().map(|(_, secret)| secret.as_str()));
    let client = Client::find(world, client_id)
        .ok_or_else(|| Refusal::UnknownApp { app: client_id.into(), tenant: words.clone() })?;
    let proof = client.prove(world, tenant, params, secret, request)?;
    let resource = match version {
        Version::V1 => params.get("resource").ok_or(Refusal::Missing("resource"))?.to_owned(),
        Version::V2 => resource_of(params.get("scope").ok_or(Refusal::Missing("scope"))?)?,
    };
    known(&resource, tenant, request)?;
    let subject = Subject { proof, ..client.subject };
    Ok(Grant { claims: Claims::new(&subject, &resource, world.clock.wall()), resource, person: None })
}

/// Refuses resources that nobody plays.
fn known(resource: &str, tenant: &Tenant, request: SurfaceRequest<'_>) -> Result<(), Refusal> {
    if resources::is_known(resource, request) {
        return Ok(());
    }
    Err(Refusal::Resource { resource: resource.into(), tenant: tenant.segment() })
}

/// The resource in a scope: everything before `/.default`. Its own trailing slash belongs to the resource.
fn resource_of(scope: &str) -> Result<String, Refusal> {
    let mut scopes = scope.split_whitespace();
    let (Some(only), None) = (scopes.next(), scopes.next()) else {
        return Err(Refusal::Scope(scope.into()));
    };
    let resource = only.strip_suffix("/.default").ok_or_else(|| Refusal::NotDefault(only.into()))?;
    if resource.is_empty() {
        return Err(Refusal::Scope(scope.into()));
    }
    Ok(resource.to_owned())
}

/// Client id and secret of an `Authorization: Basic` header (RFC 6749 section 2.3.1).
fn basic_credentials(request: SurfaceRequest<'_>) -> Option<(String, String)> {
    let (scheme, encoded) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((plain(id), plain(secret)))
}

#[cfg(test)]
mod person_tests;
#[cfg(test)]
mod tests;
