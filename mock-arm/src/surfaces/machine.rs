//! Tokens for the managed identities of the machine on which clients run, in the three forms in which machines hand them out.
//!
//! - `http://169.254.169.254/metadata/identity/oauth2/token` with `Metadata: true`: the instance metadata service of virtual machines.
//! - `/msi/token` at the cloud's own address, named by `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` (App Service 2019-08-01) or by
//!   `MSI_ENDPOINT` and `MSI_SECRET` (2017-09-01). The header has to be there; any value is taken.
//! - the same by POST with `Metadata: true`, named by `MSI_ENDPOINT` alone (Cloud Shell).
//!
//! Source: Microsoft's documentation of managed identities on virtual machines and on App Service. Everything else that the instance
//! metadata service knows of a machine is not modelled.

use serde_json::{Value, json};
use sim_core::journal::Entry;
use uuid::Uuid;

use super::identity::claims::{Claims, Proof, Subject};
use super::identity::refusal::Refusal;
use super::identity::resources;
use super::params::Params;
use super::reply::{self, SurfaceReply};
use super::{Surface, SurfaceRequest};
use crate::profile::ManagedIdentity;
use crate::world::World;

/// How long these tokens live, in seconds of wall time.
const LIFE: i64 = 24 * 3600;

/// In which form a token is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Instance,
    AppService,
    CloudShell,
}

fn form(request: SurfaceRequest<'_>) -> Option<Form> {
    let (get, post) = (request.method == http::Method::GET, request.method == http::Method::POST);
    match request.path.trim_end_matches('/').to_ascii_lowercase().as_str() {
        "/metadata/identity/oauth2/token" if get => Some(Form::Instance),
        "/msi/token" if get => Some(Form::AppService),
        "/msi/token" if post => Some(Form::CloudShell),
        _ => None,
    }
}

fn refused(error: &str, description: &str) -> SurfaceReply {
    SurfaceReply::json(400, &json!({"error": error, "error_description": description}))
}

/// Answers a request to the machine.
pub(crate) async fn answer(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    let instance = request.path.to_ascii_lowercase().starts_with("/metadata/");
    if let Err(reply) = admit(request, instance) {
        return reply;
    }
    let Some(form) = form(request) else { return reply::not_modelled(Surface::Machine, request) };
    let asked = if form == Form::CloudShell { request.body } else { request.query.as_bytes() };
    let params = Params::parse(asked);
    if form != Form::CloudShell && params.get("api-version").is_none() {
        let error = "Bad request: api-version is invalid or was not specified in the request";
        return SurfaceReply::json(
            400,
            &json!({"error": error, "newest-versions": ["2021-02-01", "2018-02-01"]}),
        );
    }
    let Some(resource) = params.get("resource") else {
        return refused("invalid_request", "Required query variable 'resource' is missing");
    };
    if !resources::is_known(resource, request) {
        let refusal =
            Refusal::Resource { resource: resource.into(), tenant: world.profile.tenant.id.to_string() };
        return refusal.reply(world, request);
    }
    match find(&world.profile.managed_identities, &params) {
        Ok(identity) => token(world, identity, resource, form, request).await,
        Err(description) => refused("invalid_request", description),
    }
}

/// Keeps out what a browser or a forwarding server could be made to send.
fn admit(request: SurfaceRequest<'_>, instance: bool) -> Result<(), SurfaceReply> {
    let has = |name: &str| request.header(name).is_some_and(|value| !value.is_empty());
    if instance && has("x-forwarded-for") {
        return Err(refused("invalid_request", "Requests with the header X-Forwarded-For are rejected"));
    }
    let metadata = request.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let marked = metadata || (!instance && (has("x-identity-header") || has("secret")));
    if marked {
        return Ok(());
    }
    Err(refused("invalid_request", "Required metadata header not specified"))
}

/// The identity that a request names, or the machine's own, or the only one there is.
fn find<'a>(all: &'a [ManagedIdentity], params: &Params) -> Result<&'a ManagedIdentity, &'static str> {
    const NONE: &str = "Identity not found";
    let id = |name: &str| params.get(name).map(|text| Uuid::try_parse(text).map_err(|_| NONE));
    if let Some(client) = id("client_id").or_else(|| id("clientid")) {
        let client = client?;
        return all.iter().find(|one| one.client_id == client).ok_or(NONE);
    }
    if let Some(object) = id("object_id").or_else(|| id("principal_id")) {
        let object = object?;
        return all.iter().find(|one| one.object_id == object).ok_or(NONE);
    }
    if let Some(resource) = params.get("msi_res_id").or_else(|| params.get("mi_res_id")) {
        return all.iter().find(|one| one.resource_id.eq_ignore_ascii_case(resource)).ok_or(NONE);
    }
    if let Some(own) = all.iter().find(|one| !one.user_assigned) {
        return Ok(own);
    }
    match all {
        [only] => Ok(only),
        [] => Err(NONE),
        _ => Err(
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        ),
    }
}

async fn token(
    world: &World,
    identity: &ManagedIdentity,
    resource: &str,
    form: Form,
    request: SurfaceRequest<'_>,
) -> SurfaceReply {
    let subject = Subject {
        tenant: world.profile.tenant.id,
        appid: identity.client_id,
        oid: identity.object_id,
        mirid: Some(identity.resource_id.clone()),
        proof: Proof::Certificate,
    };
    let now = world.clock.wall();
    let claims = Claims { exp: now.as_second() + LIFE, ..Claims::new(&subject, resource, now) };
    let token = match world.tokens.issue(&claims).await {
        Ok(token) => token,
        Err(error) => return Refusal::NoKey(error.to_string()).reply(world, request),
    };
    let entry = Entry::new("entra", "token").fact("clientId", claims.appid.to_string());
    world.journal.record(entry.fact("audience", claims.aud.as_str()).fact("managedIdentity", true));
    let mut body = json!({
        "access_token": token,
        "client_id": identity.client_id,
        "expires_on": claims.exp.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    if form != Form::AppService {
        let times: [(&str, Value); 3] = [
            ("expires_in", LIFE.to_string().into()),
            ("ext_expires_in", LIFE.to_string().into()),
            ("not_before", claims.nbf.to_string().into()),
        ];
        for (name, value) in times {
            body[name] = value;
        }
    }
    SurfaceReply::json(200, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::surfaces::testing::Call;
    use sim_core::seed::Seed;

    const TOKEN: &str = "https://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";

    async fn get(world: &World, url: &str) -> SurfaceReply {
        Call::new("GET", url).header("metadata", "true").send(world).await
    }

    #[tokio::test]
    async fn the_machine_hands_out_tokens_of_its_own_identity() {
        let world = World::for_tests(Profile::default());
        let url = format!("{TOKEN}&resource=https://management.azure.com/");
        let reply = get(&world, &url).await;
        assert_eq!(reply.status, 200);
        let body = reply.value();
        assert_eq!((&body["expires_in"], &body["token_type"]), (&"86400".into(), &"Bearer".into()));
        let token = body["access_token"].as_str().unwrap();
        let caller = world.tokens.verify(token, &resources::ARM_AUDIENCES, world.clock.wall()).unwrap();
        assert!(caller.mirid.as_ref().unwrap().contains("Microsoft.Compute/virtualMachines"));
        let bare = Call::new("GET", &url).send(&world).await;
        assert_eq!(bare.value()["error_description"], "Required metadata header not specified");
        assert_eq!(get(&world, &format!("{url}&client_id={}", Uuid::from_u128(9))).await.status, 400);
        assert_eq!(get(&world, TOKEN).await.status, 400);
        let forwarded =
            Call::new("GET", &url).header("metadata", "true").header("x-forwarded-for", "1.2.3.4");
        assert_eq!(forwarded.send(&world).await.status, 400);
        let other = get(&world, "https://169.254.169.254/metadata/instance?api-version=2021-02-01").await;
        assert_eq!(other.status, 501);
    }

    #[tokio::test]
    async fn app_service_and_cloud_shell_have_forms_of_their_own() {
        let world = World::for_tests(Profile::default());
        let url =
            "https://127.0.0.1:8443/msi/token?api-version=2019-08-01&resource=https://management.azure.com/";
        let app = Call::new("GET", url).header("x-identity-header", "x").send(&world).await;
        assert!(app.value().get("expires_in").is_none());
        let shell = Call::new("POST", "https://127.0.0.1:8443/msi/token")
            .header("metadata", "true")
            .body("resource=https%3A%2F%2Fmanagement.azure.com%2F")
            .send(&world)
            .await;
        assert_eq!(shell.value()["expires_in"], "86400");
    }

    #[test]
    fn several_identities_have_to_be_told_apart() {
        let assigned = ManagedIdentity { user_assigned: true, ..ManagedIdentity::default() };
        let profile = Profile { managed_identities: vec![assigned.clone(), assigned], ..Profile::default() };
        let all = profile.filled(Seed::new(1)).managed_identities;
        assert!(find(&all, &Params::parse(b"")).unwrap_err().starts_with("Multiple"));
        let by_id = format!("msi_res_id={}", all[1].resource_id.to_uppercase());
        assert_eq!(find(&all, &Params::parse(by_id.as_bytes())).unwrap().client_id, all[1].client_id);
        assert_eq!(find(&all[..1], &Params::parse(b"")).unwrap().client_id, all[0].client_id);
    }
}
