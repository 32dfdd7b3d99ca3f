//! Tokens for people: by device code, by password, by refresh token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sim_core::keys::KeyError;
use uuid::Uuid;

use super::super::claims::Claims;
use super::super::discovery::Version;
use super::super::refusal::Refusal;
use super::super::tenant::Tenant;
use super::super::{devices, public_clients, refresh};
use super::{Asked, Grant, known, resources};
use crate::profile::User;

/// What people get beside the access token.
pub(super) struct Person {
    user: User,
    client: Uuid,
    scope: String,
    refreshable: bool,
    named: bool,
}

/// What a scope of a person asks for.
struct Wanted {
    resource: String,
    refreshable: bool,
    named: bool,
}

/// Scopes are those of one resource, and those of OpenID.
fn wanted(scope: &str) -> Result<Wanted, Refusal> {
    let has = |name: &str| scope.split_whitespace().any(|one| one == name);
    let openid = ["openid", "profile", "email", "offline_access"];
    let mut resources =
        scope.split_whitespace().filter(|one| !openid.contains(one)).map(|one| match one.rsplit_once('/') {
            Some((resource, _)) if !resource.is_empty() && !resource.ends_with(':') => Ok(resource),
            _ => Err(Refusal::Scope(one.into())),
        });
    let resource = resources.next().unwrap_or(Ok(resources::GRAPH))?;
    if resources.any(|other| other != Ok(resource)) {
        return Err(Refusal::Scope(scope.into()));
    }
    Ok(Wanted { resource: resource.into(), refreshable: has("offline_access"), named: has("openid") })
}

/// The public client that asks; applications of the profile may ask for people too.
fn client(asked: Asked<'_>) -> Result<Uuid, Refusal> {
    let text = asked.params.get("client_id").ok_or(Refusal::Missing("client_id"))?;
    public_clients::find(asked.world, text)
        .ok_or_else(|| Refusal::UnknownApp { app: text.into(), tenant: asked.tenant.segment() })
}

fn grant(asked: Asked<'_>, user: &User, client: Uuid, wanted: Wanted) -> Result<Grant, Refusal> {
    let Asked { world, tenant, request, .. } = asked;
    known(&wanted.resource, tenant, request)?;
    let claims =
        Claims::of_person(world.profile.tenant.id, client, user, &wanted.resource, world.clock.wall());
    let person = Person {
        user: user.clone(),
        client,
        scope: format!("{0}/user_impersonation {0}/.default", wanted.resource),
        refreshable: wanted.refreshable,
        named: wanted.named,
    };
    Ok(Grant { claims, resource: wanted.resource, person: Some(person) })
}

/// The scope or, at the older endpoint, the resource of a request; what was said before where it says nothing.
fn scope_of(asked: Asked<'_>, before: Option<&str>) -> Result<Wanted, Refusal> {
    let Asked { version, params, .. } = asked;
    match (version, params.get("resource")) {
        (Version::V1, Some(resource)) => {
            Ok(Wanted { resource: resource.into(), refreshable: true, named: true })
        }
        _ => wanted(params.get("scope").or(before).ok_or(Refusal::Missing("scope"))?),
    }
}

/// Redeems a device code that somebody approved.
pub(super) fn by_device(asked: Asked<'_>) -> Result<Grant, Refusal> {
    let client = client(asked)?;
    let code = asked.params.get("device_code").or_else(|| asked.params.get("code"));
    let code = code.ok_or(Refusal::Missing("device_code"))?;
    let approved = devices::redeem(asked.world, code, client)?;
    let user = asked.world.profile.user(&approved.user).ok_or(Refusal::UnknownUser)?;
    grant(asked, user, client, scope_of(asked, Some(&approved.scope))?)
}

/// Checks name and password.
pub(super) fn by_password(asked: Asked<'_>) -> Result<Grant, Refusal> {
    let client = client(asked)?;
    let name = asked.params.get("username").ok_or(Refusal::Missing("username"))?;
    let password = asked.params.get("password").ok_or(Refusal::Missing("password"))?;
    if matches!(asked.tenant, Tenant::Any("common")) {
        return Err(Refusal::PasswordTenant);
    }
    let user = asked.world.profile.user(name).ok_or(Refusal::UnknownUser)?;
    let (right, given) = (user.password.as_bytes(), password.as_bytes());
    aws_lc_rs::constant_time::verify_slices_are_equal(right, given).map_err(|_| Refusal::Password)?;
    grant(asked, user, client, scope_of(asked, None)?)
}

/// Trades a refresh token in. The old one stays good, as Entra ID's do.
pub(super) fn by_refresh_token(asked: Asked<'_>) -> Result<Grant, Refusal> {
    let client = client(asked)?;
    let token = asked.params.get("refresh_token").ok_or(Refusal::Missing("refresh_token"))?;
    let name = refresh::redeem(asked.world, token, client)?;
    let user = asked.world.profile.user(&name).ok_or(Refusal::UnknownUser)?;
    let wanted = scope_of(asked, None)?;
    grant(asked, user, client, Wanted { refreshable: true, ..wanted })
}

impl Person {
    /// Adds refresh token, identity token and what MSAL keeps accounts by.
    ///
    /// # Errors
    /// [`KeyError`] when there is no key or randomness to be had.
    pub(super) async fn add_to(
        self,
        asked: Asked<'_>,
        access: &Claims,
        body: &mut Value,
    ) -> Result<(), KeyError> {
        let Asked { world, version, params, request, .. } = asked;
        body["scope"] = self.scope.clone().into();
        if self.refreshable {
            body["refresh_token"] = refresh::issue(world, &self.user.principal_name, self.client)?.into();
            if public_clients::is_family(self.client) {
                body["foci"] = "1".into();
            }
        }
        if self.named {
            let issuer = match version {
                Version::V1 => access.iss.clone(),
                Version::V2 => format!("{}/{}/v2.0", request.base_url, access.tid),
            };
            let claims = json!({
                "aud": self.client, "iss": issuer, "iat": access.iat, "nbf": access.nbf, "exp": access.exp,
                "name": self.user.name, "oid": self.user.object_id, "sub": self.user.object_id,
                "preferred_username": self.user.principal_name, "unique_name": self.user.principal_name,
                "upn": self.user.principal_name, "tid": access.tid,
                "ver": match version { Version::V1 => "1.0", Version::V2 => "2.0" },
            });
            body["id_token"] = world.tokens.sign(&claims).await?.into();
        }
        if params.get("client_info") == Some("1") {
            let info = json!({"uid": self.user.object_id, "utid": access.tid});
            body["client_info"] = URL_SAFE_NO_PAD.encode(info.to_string()).into();
        }
        Ok(())
    }
}
