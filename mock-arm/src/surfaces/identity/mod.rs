//! Entra ID: OpenID configuration, instance discovery, user realms, published keys, and tokens for service principals, managed
//! identities and people. Logins of people by a browser's redirects are refused by name.

use super::SurfaceRequest;
use super::reply::SurfaceReply;
use crate::world::World;

pub mod claims;
mod devices;
mod discovery;
mod grant;
mod page;
mod public_clients;
mod realm;
mod refresh;
pub(crate) mod refusal;
pub mod resources;
mod tenant;
pub mod tokens;

use discovery::Version;
use refusal::Refusal;
use tenant::Tenant;

/// What a path below a tenant asks for.
enum Route {
    Configuration(Version),
    Keys,
    Token(Version),
    Instance,
    Realm,
    Device(Version),
    DevicePage,
    NotPosted,
    Unmodelled,
}

fn route(method: &http::Method, below: &str) -> Route {
    let lower = below.trim_end_matches('/').to_ascii_lowercase();
    let (get, post) = (method == http::Method::GET, method == http::Method::POST);
    match lower.as_str() {
        ".well-known/openid-configuration" if get => Route::Configuration(Version::V1),
        "v2.0/.well-known/openid-configuration" if get => Route::Configuration(Version::V2),
        "discovery/keys" | "discovery/v2.0/keys" if get => Route::Keys,
        "discovery/instance" if get => Route::Instance,
        "oauth2/token" if post => Route::Token(Version::V1),
        "oauth2/v2.0/token" if post => Route::Token(Version::V2),
        "oauth2/token" | "oauth2/v2.0/token" => Route::NotPosted,
        "oauth2/devicecode" if post => Route::Device(Version::V1),
        "oauth2/v2.0/devicecode" if post => Route::Device(Version::V2),
        "oauth2/deviceauth" if get || post => Route::DevicePage,
        other if other.starts_with("userrealm/") && get => Route::Realm,
        _ => Route::Unmodelled,
    }
}

/// Answers a request to Entra ID.
pub(crate) async fn answer(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    if request.path == "/" && matches!(*request.method, http::Method::GET | http::Method::HEAD) {
        // Nobody logs in here; probes of connectivity take any answer but prefer this one.
        return SurfaceReply::text(404, "");
    }
    if request.path.trim_end_matches('/').eq_ignore_ascii_case("/device") {
        return devices::approve(world, request);
    }
    let (segment, below) = request.path.trim_start_matches('/').split_once('/').unwrap_or((request.path, ""));
    let route = route(request.method, below);
    let refuse = |refusal: Refusal| refusal.reply(world, request);
    let tenant = Tenant::of(segment, &world.profile);
    let tenant = match route {
        Route::Instance => return discovery::instance(world, request),
        Route::NotPosted => return refuse(Refusal::NotPosted(request.method.to_string())),
        Route::Realm => {
            return realm::answer(world, below.split_once('/').map_or("", |(_, name)| name));
        }
        Route::DevicePage => return devices::approve(world, request),
        Route::Unmodelled => {
            return refuse(Refusal::Interactive(format!("{} {}", request.method, request.path)));
        }
        Route::Configuration(_) | Route::Keys | Route::Token(_) | Route::Device(_) => tenant,
    };
    let Some(tenant) = tenant else { return refuse(Refusal::UnknownTenant(segment.into())) };
    match route {
        Route::Configuration(version) => discovery::openid_configuration(&tenant, version, request),
        Route::Token(version) => grant::answer(world, &tenant, version, request).await,
        Route::Device(version) => devices::begin(world, &tenant, version, request).unwrap_or_else(refuse),
        _ => match world.tokens.jwks().await {
            Ok(keys) => SurfaceReply::json(200, &keys),
            Err(error) => refuse(Refusal::NoKey(error.to_string())),
        },
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::claims::{Claims, Proof, Subject};
    use crate::world::World;

    /// A token of the world's first principal.
    pub(crate) async fn token_for(world: &World, audience: &str) -> String {
        let principal = &world.profile.principals[0];
        let subject = Subject {
            tenant: world.profile.tenant.id,
            appid: principal.client_id,
            oid: principal.object_id,
            mirid: None,
            proof: Proof::Secret,
        };
        world.tokens.issue(&Claims::new(&subject, audience, world.clock.wall())).await.unwrap()
    }
}
