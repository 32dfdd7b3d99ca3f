use arm_wire::agent::{
    ASSERTION_TYPE, AgentCall, AssertionClaims, ClusterPath, DATE_HEADER, IdentityReply, ListenReply,
    SIGNED_MESSAGE_HEADER, discovery_url, identity_message, identity_url, signed_message,
};
use arm_wire::ids::ResourceId;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sim_core::keys::{Bits, KeySource, RsaKey};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::profile::Profile;
use crate::providers::kubernetes::agent;
use crate::providers::kubernetes::connectivity;
use crate::store::resources;
use crate::surfaces::identity::testing::token_for;
use crate::surfaces::testing::Call;

const HIS: &str = "https://eus.his.arc.azure.com";
const DATA_PLANE: &str = "https://eastus.dp.kubernetesconfiguration.azure.com";
const SUBSCRIPTION: &str = "11111111-1111-1111-1111-111111111111";

pub(super) fn cluster() -> ClusterPath<'static> {
    ClusterPath { subscription: SUBSCRIPTION, group: "G", name: "C" }
}

/// A world with one connected cluster, and the key it was onboarded with.
pub(super) async fn world() -> (World, Arc<RsaKey>) {
    let world = World::for_tests(Profile::default());
    let key = KeySource::fresh().rsa("onboarding", Bits::Rsa2048).await.unwrap();
    put(&world, &key, "33333333-3333-3333-3333-333333333333");
    (world, key)
}

fn put(world: &World, key: &RsaKey, principal: &str) {
    let id: ResourceId = cluster().arm_id().parse().unwrap();
    let resource = json!({
        "id": id.to_string(), "name": "C", "location": "eastus",
        "identity": {"type": "SystemAssigned", "principalId": principal},
        "systemData": {},
        "properties": {
            "provisioningState": "Succeeded", "connectivityStatus": "Connecting",
            "agentPublicKeyCertificate": STANDARD.encode(key.public_pkcs1_der()),
        },
    });
    let done: Result<(), ()> = world.ledger.write(|txn| {
        resources::put(txn, &agent::key(&id).unwrap(), &resource, None);
        Ok(())
    });
    done.unwrap();
}

fn stored(world: &World) -> Value {
    agent::find(&world.ledger, &cluster().arm_id().parse().unwrap()).unwrap()
}

fn status(world: &World) -> &'static str {
    connectivity::status(&stored(world)["properties"], world.clock.now()).as_str()
}

fn identity_call(world: &World, key: &RsaKey) -> Call {
    let id = cluster().arm_id();
    let date = world.clock.wall().to_string();
    let mut signature = vec![0; key.pair().public_modulus_len()];
    let message = identity_message(&date, &id);
    key.pair().sign(&RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    Call::new("GET", &identity_url(HIS, &id))
        .header(DATE_HEADER, &date)
        .header(SIGNED_MESSAGE_HEADER, &signed_message(&STANDARD.encode(signature)))
}

async fn identity(world: &World, key: &RsaKey) -> IdentityReply {
    let reply = identity_call(world, key).send(world).await;
    assert_eq!(reply.status, 200, "{}", reply.value());
    serde_json::from_slice(&reply.body).unwrap()
}

async fn token(world: &World, key: &RsaKey, identity: &IdentityReply) -> SurfaceReply {
    let now = world.clock.wall().as_second();
    let claims = AssertionClaims {
        iss: identity.client_id.clone(),
        sub: identity.client_id.clone(),
        aud: identity.token_endpoint.clone(),
        jti: "1".into(),
        nbf: now,
        exp: now + 600,
    };
    let signer = EncodingKey::from_rsa_pem(key.pkcs8_pem().as_bytes()).unwrap();
    let assertion = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &signer).unwrap();
    let form = arm_wire::agent::assertion_form(
        &identity.client_id,
        &format!("{}/.default", identity.audience),
        &assertion,
    );
    assert!(form.contains(&ASSERTION_TYPE.replace(':', "%3A")));
    Call::new("POST", &identity.token_endpoint).body(form).send(world).await
}

pub(super) async fn bearer(world: &World, key: &RsaKey) -> String {
    let reply = token(world, key, &identity(world, key).await).await;
    assert_eq!(reply.status, 200, "{}", reply.value());
    reply.value()["access_token"].as_str().unwrap().to_owned()
}

pub(super) fn agent_call(call: AgentCall, token: &str) -> Call {
    let method = if call.is_post() { "POST" } else { "GET" };
    Call::new(method, &format!("{DATA_PLANE}{}", cluster().path(call))).bearer(token)
}

fn heartbeat(token: &str, expiry: Option<&str>) -> Call {
    let body = json!({"resources": [{
        "apiVersion": "arc.azure.com/v1beta1", "kind": "ConnectedCluster",
        "metadata": {"name": "clustermetadata", "namespace": "azure-arc"},
        "status": {
            "nodeCount": 1, "coreCount": 4, "kubernetesAPIServerVersion": "1.34.4", "arcAgentVersion": "1.37.2",
            "managedIdentityCertificateExpirationTime": expiry,
        },
    }]});
    agent_call(AgentCall::SyncResources, token).body(body.to_string())
}

#[tokio::test]
async fn discovery_names_the_regional_host_or_the_address_the_caller_used() {
    let (world, _) = world().await;
    let ask = async |base: &str| Call::new("GET", &discovery_url(base, "eastus")).send(&world).await.value();
    assert_eq!(ask("https://gbl.his.arc.azure.com").await["url"], HIS);
    assert_eq!(ask("https://127.0.0.1:9").await["url"], "https://127.0.0.1:9");
}

#[tokio::test]
async fn an_identity_is_issued_for_ninety_days_to_the_onboarding_key_only() {
    let (world, key) = world().await;
    let issued = identity(&world, &key).await;
    assert_eq!(issued.expiration_time, "2026-03-31T23:55:00Z");
    assert!(issued.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(issued.client_id, identity(&world, &key).await.client_id);
    let other = KeySource::fresh().rsa("other", Bits::Rsa2048).await.unwrap();
    assert_eq!(identity_call(&world, &other).send(&world).await.status, 401);
    let mut late = identity_call(&world, &key);
    late = late.header(DATE_HEADER, "2020-01-01T00:00:00Z");
    assert_eq!(late.send(&world).await.status, 401);
    let unsigned = Call::new("GET", &identity_url(HIS, &cluster().arm_id())).send(&world).await;
    assert_eq!(unsigned.status, 401);
    let missing = Call::new("GET", &identity_url(HIS, &cluster().arm_id().replace("/C", "/D")));
    assert_eq!(missing.send(&world).await.status, 404);
}

#[tokio::test]
async fn the_first_heartbeat_connects_and_the_second_shows_the_expiry() {
    let (world, key) = world().await;
    assert_eq!(status(&world), "Connecting");
    let token = bearer(&world, &key).await;
    let expiry = Some("2026-03-31T23:55:00Z");
    assert_eq!(heartbeat(&token, expiry).send(&world).await.value()["synced"], 1);
    let first = stored(&world);
    assert_eq!(status(&world), "Connected");
    assert_eq!(first["properties"]["kubernetesVersion"], "1.34.4");
    assert_eq!(first["properties"]["totalNodeCount"], 1);
    assert_eq!(first["properties"]["totalCoreCount"], 4);
    assert_eq!(first["properties"]["agentVersion"], "1.37.2");
    assert!(first["properties"].get("managedIdentityCertificateExpirationTime").is_none());
    assert_eq!(first["systemData"]["lastModifiedBy"], "64b12d6e-6549-484c-8cc6-6281839ba394");
    world.clock.advance(Duration::from_secs(300)).await;
    heartbeat(&token, expiry).send(&world).await;
    let second = stored(&world);
    assert_eq!(second["properties"]["managedIdentityCertificateExpirationTime"], "2026-03-31T23:55:00Z");
    assert_ne!(first["properties"]["lastConnectivityTime"], second["properties"]["lastConnectivityTime"]);
    world.clock.advance(Duration::from_secs(900)).await;
    assert_eq!(status(&world), "Offline");
    heartbeat(&token, expiry).send(&world).await;
    assert_eq!(status(&world), "Connected");
    world.clock.advance(Duration::from_secs(91 * 24 * 3600)).await;
    assert_eq!(status(&world), "Expired");
}

#[tokio::test]
async fn an_expired_identity_gets_neither_a_token_nor_a_new_certificate() {
    let (world, key) = world().await;
    let issued = identity(&world, &key).await;
    let token = bearer(&world, &key).await;
    for _ in 0..2 {
        heartbeat(&token, Some(&issued.expiration_time)).send(&world).await;
    }
    world.clock.advance(Duration::from_secs(91 * 24 * 3600)).await;
    let refused = self::token(&world, &key, &issued).await;
    assert_eq!((refused.status, refused.value()["error_codes"][0].as_u64()), (401, Some(700_027)));
    assert_eq!(identity_call(&world, &key).send(&world).await.status, 403);
}

#[tokio::test]
async fn only_the_clusters_own_identity_may_speak_for_it() {
    let (world, key) = world().await;
    let principal = token_for(&world, "https://management.azure.com").await;
    assert_eq!(heartbeat(&principal, None).send(&world).await.status, 403);
    assert_eq!(heartbeat("nonsense", None).send(&world).await.status, 401);
    let token = bearer(&world, &key).await;
    let other = cluster().path(AgentCall::PendingConfigs).replace("/C/", "/D/");
    let stranger = Call::new("GET", &format!("{DATA_PLANE}{other}")).bearer(&token).send(&world).await;
    assert_eq!(stranger.status, 403);
}

#[tokio::test]
async fn a_cluster_that_is_gone_or_made_anew_knows_its_old_identity_no_more() {
    let (world, key) = world().await;
    let issued = identity(&world, &key).await;
    let token = bearer(&world, &key).await;
    put(&world, &key, "44444444-4444-4444-4444-444444444444");
    let refused = self::token(&world, &key, &issued).await;
    assert_eq!(refused.value()["error_codes"][0], 700_016);
    let done: Result<(), ()> = world.ledger.write(|txn| {
        resources::delete(txn, &agent::key(&cluster().arm_id().parse().unwrap()).unwrap());
        Ok(())
    });
    done.unwrap();
    assert_eq!(heartbeat(&token, None).send(&world).await.status, 404);
    assert_eq!(identity_call(&world, &key).send(&world).await.status, 404);
}

#[tokio::test]
async fn agents_find_nothing_pending_and_may_post_what_they_like_within_bounds() {
    let (world, key) = world().await;
    let token = bearer(&world, &key).await;
    let pending = agent_call(AgentCall::PendingConfigs, &token).send(&world).await;
    assert_eq!(pending.value(), json!({"value": []}));
    let update = agent_call(AgentCall::UpdateConfig, &token).send(&world).await.value();
    assert_eq!((&update["agentVersion"], &update["autoUpdate"]), (&"1.37.2".into(), &true.into()));
    let logs = agent_call(AgentCall::PostLogs, &token).body("[1]").send(&world).await;
    assert_eq!(logs.status, 200);
    assert_eq!(agent_call(AgentCall::PostLogs, &token).body("{").send(&world).await.status, 400);
    let long = agent_call(AgentCall::PostLogs, &token).body(vec![b' '; LONGEST_BODY + 1]);
    assert_eq!(long.send(&world).await.status, 413);
    let path = cluster().path(AgentCall::PostLogs);
    let wrong = Call::new("GET", &format!("{DATA_PLANE}{path}")).bearer(&token).send(&world).await;
    assert_eq!(wrong.status, 405);
    let unknown = path.replace("postLogs", "postDreams");
    let unknown = Call::new("POST", &format!("{DATA_PLANE}{unknown}")).bearer(&token).send(&world).await;
    assert_eq!(unknown.status, 501);
}

#[tokio::test]
async fn onboarding_learns_chart_and_values_and_keeps_its_secrets() {
    let (world, _) = world().await;
    let base = format!("{DATA_PLANE}/azure-arc-k8sagents");
    let token = token_for(&world, "https://management.core.windows.net/").await;
    let query = "api-version=2024-07-01-preview&releaseTrain=stable";
    let health = Call::new("POST", &format!("{base}/healthCheck?{query}")).bearer(&token).send(&world).await;
    assert_eq!((health.status, &health.body[..]), (200, b"Health check passed.".as_slice()));
    let mut cluster = stored(&world);
    cluster["properties"]["arcAgentryConfigurations"] = json!([{
        "feature": "proxy", "settings": {},
        "protectedSettings": {"https_proxy": "redacted:proxy:https_proxy", "http_proxy": ""},
    }]);
    cluster["properties"]["oidcIssuerProfile"] = json!({"enabled": true});
    let settings = Call::new("POST", &format!("{base}/GetHelmSettings?{query}")).bearer(&token);
    let reply = settings.body(cluster.to_string()).send(&world).await.value();
    let path = reply["repositoryPath"].as_str().unwrap();
    assert_eq!((path.matches(':').count(), path.ends_with(":1.37.2")), (1, true));
    let values = reply["helmValuesContent"].as_object().unwrap();
    assert!(values.values().all(Value::is_string));
    assert_eq!(values["global.resourceName"], "C");
    assert_eq!(values["global.httpsProxy"], "redacted:proxy:https_proxy");
    assert_eq!(
        (&values["global.isProxyEnabled"], &values["global.enableOidcIssuer"]),
        (&"true".into(), &"true".into())
    );
    assert!(values.get("global.httpProxy").is_none());
    let anonymous = Call::new("POST", &format!("{base}/GetHelmSettings?{query}")).send(&world).await;
    assert_eq!(anonymous.status, 401);
    let train = format!("{base}/GetLatestHelmPackagePath?api-version=1&releaseTrain=preview");
    assert_eq!(Call::new("POST", &train).bearer(&token).send(&world).await.status, 404);
}

#[tokio::test]
async fn an_agent_is_told_where_to_listen_and_nobody_else_is() {
    let (world, key) = world().await;
    let service = "https://guestnotificationservice.azure.com";
    let relays = Call::new("GET", &format!("{service}/urls/allowlist?location=eastus")).send(&world).await;
    assert_eq!(relays.value(), serde_json::json!(["azgnrelay-ph0-l1.servicebus.windows.net"]));
    let ask = |token: &str| {
        let body = serde_json::json!({ "resourceId": cluster().arm_id() });
        Call::new("POST", &format!("{service}/listeners")).bearer(token).body(body.to_string())
    };
    assert_eq!(ask("x").send(&world).await.status, 401);
    let reply = ask(&bearer(&world, &key).await).send(&world).await;
    assert_eq!(reply.status, 200, "{}", reply.value());
    let told: ListenReply = serde_json::from_slice(&reply.body).unwrap();
    let (name, now) = (&told.hybrid_connection_name, world.clock.wall());
    assert_eq!(*name, crate::relay::connection_of(world.seed, &stored(&world)));
    assert!(world.relay.allows(&told.token, name, crate::relay::Right::Listen, now));
    assert!(!world.relay.allows(&told.token, name, crate::relay::Right::Send, now));
}

#[tokio::test]
async fn the_on_behalf_of_service_is_refused_by_name() {
    let (world, _) = world().await;
    let reply = Call::new("GET", "https://eastus.obo.arc.azure.com/").send(&world).await;
    assert_eq!(reply.status, 501);
    assert!(reply.value()["error"]["message"].as_str().unwrap().contains("on-behalf-of"));
}
