//! The token endpoint: client credentials, by secret or by signed assertion.

use arm_wire::agent::{ASSERTION_TYPE, TokenReply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::DecodingKey;
use percent_encoding::percent_decode_str;
use serde_json::json;
use sim_core::journal::Entry;

use super::super::SurfaceRequest;
use super::super::agent_plane::identities;
use super::super::params::Params;
use super::super::reply::SurfaceReply;
use super::assertion::{self, Expectation};
use super::claims::{Claims, Proof, Subject, TOKEN_LIFE};
use super::discovery::Version;
use super::refusal::Refusal;
use super::resources;
use super::tenant::Tenant;
use crate::world::World;

/// Answers a token request.
pub(crate) async fn answer(
    world: &World,
    tenant: &Tenant,
    version: Version,
    request: SurfaceRequest<'_>,
) -> SurfaceReply {
    match grant(world, tenant, version, request) {
        Err(refusal) => refusal.reply(world, request),
        Ok((claims, resource)) => match world.tokens.issue(&claims).await {
            Err(error) => Refusal::NoKey(error.to_string()).reply(world, request),
            Ok(token) => {
                let entry = Entry::new("entra", "token")
                    .fact("clientId", claims.appid.to_string())
                    .fact("audience", claims.aud.as_str())
                    .fact("managedIdentity", claims.xms_mirid.is_some());
                world.journal.record(entry);
                granted(version, &claims, resource, token)
            }
        },
    }
}

fn granted(version: Version, claims: &Claims, resource: String, token: String) -> SurfaceReply {
    let life = u64::try_from(TOKEN_LIFE).unwrap_or_default();
    let reply = match version {
        Version::V2 => SurfaceReply::json(
            200,
            &TokenReply {
                token_type: "Bearer".into(),
                expires_in: life,
                ext_expires_in: life,
                access_token: token,
            },
        ),
        // The older endpoint writes its numbers as texts.
        Version::V1 => SurfaceReply::json(
            200,
            &json!({
                "token_type": "Bearer",
                "expires_in": life.to_string(),
                "ext_expires_in": life.to_string(),
                "expires_on": claims.exp.to_string(),
                "not_before": claims.nbf.to_string(),
                "resource": resource,
                "access_token": token,
            }),
        ),
    };
    reply.with("cache-control", "no-store, no-cache").with("pragma", "no-cache")
}

/// Claims for the token, and the resource in the caller's words.
fn grant(
    world: &World,
    tenant: &Tenant,
    version: Version,
    request: SurfaceRequest<'_>,
) -> Result<(Claims, String), Refusal> {
    let params = Params::parse(request.body);
    let grant = params.get("grant_type").ok_or(Refusal::Missing("grant_type"))?;
    if grant != "client_credentials" {
        return Err(Refusal::Grant(grant.into()));
    }
    let Tenant::Own { words, .. } = tenant else { return Err(Refusal::NoTenant) };
    let basic = basic_credentials(request);
    let client_id = params.get("client_id").or(basic.as_ref().map(|(id, _)| id.as_str()));
    let client_id = client_id.ok_or(Refusal::Missing("client_id"))?;
    let secret = params.get("client_secret").or(basic.as_ref().map(|(_, secret)| secret.as_str()));
    let client = Client::find(world, client_id)
        .ok_or_else(|| Refusal::UnknownApp { app: client_id.into(), tenant: words.clone() })?;
    let proof = client.prove(world, tenant, &params, secret, request)?;
    let resource = match version {
        Version::V1 => params.get("resource").ok_or(Refusal::Missing("resource"))?.to_owned(),
        Version::V2 => resource_of(params.get("scope").ok_or(Refusal::Missing("scope"))?)?,
    };
    if !resources::is_known(&resource, request) {
        return Err(Refusal::Resource { resource, tenant: words.clone() });
    }
    let subject = Subject { proof, ..client.subject };
    Ok((Claims::new(&subject, &resource, world.clock.wall()), resource))
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

/// Who may ask for tokens, and by which credentials.
struct Client {
    subject: Subject,
    secret: Option<String>,
    keys: Vec<DecodingKey>,
    expired: bool,
}

impl Client {
    fn find(world: &World, client_id: &str) -> Option<Self> {
        let tenant = world.profile.tenant.id;
        if let Some(principal) = world.profile.principal(client_id) {
            let subject = Subject {
                tenant,
                appid: principal.client_id,
                oid: principal.object_id,
                mirid: None,
                proof: Proof::Secret,
            };
            let keys = principal.certificates.iter().filter_map(|pem| key_of_certificate(pem)).collect();
            return Some(Self { subject, secret: Some(principal.secret.clone()), keys, expired: false });
        }
        let identity = identities::find(world, client_id)?;
        let subject = Subject {
            tenant,
            appid: identity.client_id,
            oid: identity.object_id,
            mirid: Some(identity.arm_id),
            proof: Proof::Certificate,
        };
        let keys = vec![DecodingKey::from_rsa_der(&identity.public_key)];
        Some(Self { subject, secret: None, keys, expired: identity.expired })
    }

    fn prove(
        &self,
        world: &World,
        tenant: &Tenant,
        params: &Params,
        secret: Option<&str>,
        request: SurfaceRequest<'_>,
    ) -> Result<Proof, Refusal> {
        let app = self.subject.appid.to_string();
        if let Some(assertion) = params.get("client_assertion") {
            if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                return Err(Refusal::Missing("client_assertion_type"));
            }
            let audiences = assertion_audiences(tenant, request);
            let expected = Expectation {
                client_id: &app,
                audiences: &audiences,
                keys: &self.keys,
                now: world.clock.wall(),
            };
            assertion::check(assertion, &expected)?;
            if self.expired {
                return Err(Refusal::CertificateExpired);
            }
            return Ok(Proof::Certificate);
        }
        let given = secret.ok_or(Refusal::NoCredential)?;
        let right = self.secret.as_deref().is_some_and(|secret| {
            aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_bytes(), given.as_bytes()).is_ok()
        });
        if right { Ok(Proof::Secret) } else { Err(Refusal::Secret(app)) }
    }
}

/// Where an assertion may say that it is for: the endpoint as the caller addressed it, and the public cloud's names of
/// it.
fn assertion_audiences(tenant: &Tenant, request: SurfaceRequest<'_>) -> Vec<String> {
    let Tenant::Own { id, words } = tenant else { return Vec::new() };
    let mut audiences = vec![format!("https://sts.windows.net/{id}/")];
    for base in [request.base_url, "https://login.microsoftonline.com"] {
        for tenant in [id.to_string(), words.clone()] {
            for path in ["oauth2/v2.0/token", "oauth2/token", "v2.0"] {
                audiences.push(format!("{base}/{tenant}/{path}"));
            }
        }
    }
    audiences
}

/// The public key inside a PEM certificate or a PEM public key.
fn key_of_certificate(pem: &str) -> Option<DecodingKey> {
    DecodingKey::from_rsa_pem(pem.as_bytes()).ok()
}

#[cfg(test)]
#[path = "grant_tests.rs"]
mod tests;
