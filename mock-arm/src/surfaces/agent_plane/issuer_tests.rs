use arm_wire::agent::{AgentCall, IssuerReply};
use arm_wire::ids::ResourceId;
use serde_json::{Value, json};

use super::tests::{agent_call, bearer, cluster, world};
use crate::providers::kubernetes::agent;
use crate::store::resources;
use crate::surfaces::testing::Call;
use crate::world::World;

fn enable(world: &World) {
    let id: ResourceId = cluster().arm_id().parse().unwrap();
    let mut resource = agent::find(&world.ledger, &id).unwrap();
    resource["properties"]["oidcIssuerProfile"] = json!({ "enabled": true });
    let done: Result<(), ()> = world.ledger.write(|txn| {
        resources::put(txn, &agent::key(&id).unwrap(), &resource, None);
        Ok(())
    });
    done.unwrap();
}

#[tokio::test]
async fn the_keys_of_a_clusters_issuer_are_published_for_anybody() {
    let (world, key) = world().await;
    let token = bearer(&world, &key).await;
    let send = async |jwks: Value| {
        let body = json!({ "jwks": jwks }).to_string();
        agent_call(AgentCall::SigningKeys, &token).body(body).send(&world).await
    };
    let keys = json!({ "keys": [{ "kty": "RSA", "kid": "1", "n": "AQ", "e": "AQAB", "alg": "RS256", "use": "sig" }] });
    assert_eq!(send(keys.clone()).await.status, 409);
    enable(&world);
    assert_eq!(send(json!({ "keys": [{ "kty": "RSA", "d": "secret" }] })).await.status, 400);
    let reply = send(keys.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.value());
    let reply: IssuerReply = serde_json::from_slice(&reply.body).unwrap();
    let issuer = &reply.issuer_url;
    assert!(
        issuer.starts_with("https://eastus.oic.prod-arc.azure.com/") && issuer.ends_with('/'),
        "{issuer}"
    );
    let get = async |url: &str| Call::new("GET", url).send(&world).await;
    let configuration = get(&format!("{issuer}.well-known/openid-configuration")).await.value();
    assert_eq!(
        (&configuration["issuer"], &configuration["jwks_uri"]),
        (&json!(issuer), &json!(reply.jwks_uri))
    );
    assert_eq!(get(&reply.jwks_uri).await.value(), keys);
    assert_eq!(get(&format!("{issuer}other")).await.status, 404);
    assert_eq!(Call::new("PUT", &reply.jwks_uri).send(&world).await.status, 405);
    // The same keys again have the same place.
    assert_eq!(send(keys).await.value()["issuerUrl"], json!(issuer));
}
