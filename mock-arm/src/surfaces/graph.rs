//! Microsoft Graph: only the look-up of a service principal by its application id, which onboarding does for custom
//! locations, and which logins do for themselves. Everything else is refused by name.

use serde_json::{Value, json};
use uuid::Uuid;

use super::params::Params;
use super::reply::{self, SurfaceReply};
use super::{Surface, SurfaceRequest, bearer};
use crate::surfaces::identity::resources;
use crate::world::World;

/// Application id of the resource provider of custom locations, a first-party application that every tenant has.
const CUSTOM_LOCATIONS: Uuid = Uuid::from_u128(0xbc313c14_388c_4e7d_a58e_70017303ee3b);

/// Answers a request to Graph.
pub(crate) fn answer(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    let path = request.path.trim_end_matches('/');
    if request.method != http::Method::GET || !path.eq_ignore_ascii_case("/v1.0/servicePrincipals") {
        return reply::not_modelled(Surface::Graph, request);
    }
    if let Err(message) = bearer::check(world, request, &resources::graph_audiences(request)) {
        return SurfaceReply::error(401, "InvalidAuthenticationToken", message);
    }
    let params = Params::parse(request.query.as_bytes());
    let Some(filter) = params.get("$filter") else {
        return reply::not_modelled(Surface::Graph, request);
    };
    let Some(app_id) = app_id_of(filter) else {
        let message = format!("The filter \"{filter}\" is not modelled; only appId eq '<guid>' is.");
        return SurfaceReply::error(400, "Request_UnsupportedQuery", message);
    };
    let found: Vec<Value> = find(world, app_id).into_iter().collect();
    SurfaceReply::json(
        200,
        &json!({"@odata.context": format!("{}/v1.0/$metadata#servicePrincipals", request.base_url), "value": found}),
    )
}

/// The id in `appId eq '<guid>'`.
fn app_id_of(filter: &str) -> Option<Uuid> {
    let mut words = filter.split_whitespace();
    let (field, operator, value) = (words.next()?, words.next()?, words.next()?);
    if !field.eq_ignore_ascii_case("appId") || operator != "eq" || words.next().is_some() {
        return None;
    }
    Uuid::try_parse(value.strip_prefix('\'')?.strip_suffix('\'')?).ok()
}

fn find(world: &World, app_id: Uuid) -> Option<Value> {
    let (id, name) = if app_id == CUSTOM_LOCATIONS {
        (world.seed.uuid("entra/custom-locations"), "Custom Locations RP")
    } else {
        let principal = world.profile.principals.iter().find(|principal| principal.client_id == app_id)?;
        (principal.object_id, principal.name.as_str())
    };
    Some(json!({
        "id": id,
        "accountEnabled": true,
        "appId": app_id,
        "appDisplayName": name,
        "displayName": name,
        "servicePrincipalType": "Application",
    }))
}

#[cfg(test)]
mod tests {
    use crate::profile::Profile;
    use crate::surfaces::identity::testing::token_for;
    use crate::surfaces::testing::Call;
    use crate::world::World;

    const URL: &str = "https://graph.microsoft.com/v1.0/servicePrincipals?$filter=appId%20eq%20%27";

    #[tokio::test]
    async fn the_custom_locations_application_is_found_with_a_graph_token_only() {
        let world = World::for_tests(Profile::default());
        let url = format!("{URL}bc313c14-388c-4e7d-a58e-70017303ee3b%27");
        assert_eq!(Call::new("GET", &url).send(&world).await.status, 401);
        let arm = token_for(&world, "https://management.azure.com").await;
        assert_eq!(Call::new("GET", &url).bearer(&arm).send(&world).await.status, 401);
        let token = token_for(&world, "https://graph.microsoft.com").await;
        let found = Call::new("GET", &url).bearer(&token).send(&world).await;
        assert_eq!(found.status, 200);
        assert_eq!(found.value()["value"][0]["id"], world.seed.uuid("entra/custom-locations").to_string());
        let unknown = format!("{URL}11111111-1111-1111-1111-111111111111%27");
        let none = Call::new("GET", &unknown).bearer(&token).send(&world).await;
        assert_eq!(none.value()["value"], serde_json::json!([]));
        let other =
            Call::new("GET", "https://graph.microsoft.com/v1.0/users").bearer(&token).send(&world).await;
        assert_eq!(other.status, 501);
    }
}
