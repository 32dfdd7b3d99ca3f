//! Entra ID: OpenID configuration, instance discovery, published keys, and tokens for service principals and for the
//! managed identities of connected clusters. Logins of people and federated credentials are refused by name.

use super::SurfaceRequest;
use super::reply::SurfaceReply;
use crate::world::World;

mod assertion;
pub mod claims;
mod discovery;
mod grant;
mod refusal;
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
        other if other.starts_with("userrealm/") => Route::Realm,
        _ => Route::Unmodelled,
    }
}

/// Answers a request to Entra ID.
pub(crate) async fn answer(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    if request.path == "/" && matches!(*request.method, http::Method::GET | http::Method::HEAD) {
        // Nobody logs in here; probes of connectivity take any answer but prefer this one.
        return SurfaceReply::text(404, "");
    }
    let (segment, below) = request.path.trim_start_matches('/').split_once('/').unwrap_or((request.path, ""));
    let route = route(request.method, below);
    let refuse = |refusal: Refusal| refusal.reply(world, request);
    let tenant = Tenant::of(segment, &world.profile);
    let tenant = match route {
        Route::Instance => return discovery::instance(world, request),
        Route::NotPosted => return refuse(Refusal::NotPosted(request.method.to_string())),
        Route::Realm => return refuse(Refusal::Realm(request.path.into())),
        Route::Unmodelled => {
            return refuse(Refusal::Interactive(format!("{} {}", request.method, request.path)));
        }
        Route::Configuration(_) | Route::Keys | Route::Token(_) => tenant,
    };
    let Some(tenant) = tenant else { return refuse(Refusal::UnknownTenant(segment.into())) };
    match route {
        Route::Configuration(version) => discovery::openid_configuration(&tenant, version, request),
        Route::Token(version) => grant::answer(world, &tenant, version, request).await,
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
