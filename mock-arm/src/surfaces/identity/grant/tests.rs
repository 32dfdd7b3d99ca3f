use super::super::resources;
use super::*;
use crate::profile::{Principal, Profile};
use crate::surfaces::testing::Call;
use arm_wire::agent::{ASSERTION_TYPE, AssertionClaims};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::Value;
use sim_core::keys::{Bits, RsaKey, pem};
use std::sync::Arc;

const LOGIN: &str = "https://login.microsoftonline.com";
const ARM_SCOPE: &str = "https://management.core.windows.net//.default";

fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

async fn post(world: &World, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let call = Call::new("POST", &format!("{LOGIN}/{path}")).body(form(parameters));
    let reply = call.send(world).await;
    (reply.status, reply.value())
}

/// Asks with the first principal's secret, some parameters replaced.
async fn ask(world: &World, changes: &[(&str, &str)]) -> (u16, Value) {
    let principal = &world.profile.principals[0];
    let client = principal.client_id.to_string();
    let mut parameters = vec![
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_secret", principal.secret.as_str()),
        ("scope", ARM_SCOPE),
    ];
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    post(world, &format!("{}/oauth2/v2.0/token", world.profile.tenant.id), &parameters).await
}

fn code(reply: &(u16, Value)) -> u64 {
    reply.1["error_codes"][0].as_u64().unwrap()
}

#[tokio::test]
async fn a_secret_buys_a_token_that_resource_manager_accepts() {
    let world = World::for_tests(Profile::default());
    let (status, reply) = ask(&world, &[]).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!((&reply["token_type"], &reply["expires_in"]), (&"Bearer".into(), &3599.into()));
    let token = reply["access_token"].as_str().unwrap();
    let caller = world.tokens.verify(token, &resources::ARM_AUDIENCES, world.clock.wall()).unwrap();
    assert_eq!(caller.audience, "https://management.core.windows.net/");
    let journal = world.journal.read(&Default::default());
    assert_eq!(journal.len(), 1);
    assert!(!serde_json::to_string(&journal).unwrap().contains(token));
}

#[tokio::test]
async fn the_older_endpoint_takes_a_resource_and_writes_numbers_as_texts() {
    let world = World::for_tests(Profile::default());
    let principal = world.profile.principals[0].clone();
    let client = principal.client_id.to_string();
    let parameters = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_secret", principal.secret.as_str()),
        ("resource", "https://management.azure.com/"),
    ];
    let path = format!("{}/oauth2/token", world.profile.tenant.default_domain);
    let (status, reply) = post(&world, &path, &parameters).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["expires_in"], "3599");
    assert_eq!(reply["resource"], "https://management.azure.com/");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_by_its_aadsts_code() {
    let world = World::for_tests(Profile::default());
    let secret = ask(&world, &[("client_secret", "wrong")]).await;
    assert_eq!((secret.0, code(&secret)), (401, 7_000_215));
    assert_eq!(secret.1["error"], "invalid_client");
    assert!(
        secret.1["error_description"].as_str().unwrap().starts_with("AADSTS7000215: Invalid client secret")
    );
    assert_eq!(code(&ask(&world, &[("client_id", "11111111-1111-1111-1111-111111111111")]).await), 700_016);
    assert_eq!(code(&ask(&world, &[("scope", "https://management.azure.com")]).await), 1_002_012);
    assert_eq!(code(&ask(&world, &[("scope", "a/.default b/.default")]).await), 70011);
    assert_eq!(code(&ask(&world, &[("scope", "https://vault.azure.net/.default")]).await), 500_011);
    assert_eq!(code(&ask(&world, &[("client_secret", "")]).await), 7_000_218);
    for grant in ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        let refused = ask(&world, &[("grant_type", grant)]).await;
        assert_eq!((code(&refused), &refused.1["error"]), (70003, &"unsupported_grant_type".into()));
        assert!(refused.1["error_description"].as_str().unwrap().contains(grant));
    }
    let tenant = post(&world, "22222222-2222-2222-2222-222222222222/oauth2/v2.0/token", &[]).await;
    assert_eq!((code(&tenant), &tenant.1["error"]), (90002, &"invalid_tenant".into()));
    let common = post(&world, "common/oauth2/v2.0/token", &[("grant_type", "client_credentials")]).await;
    assert_eq!(code(&common), 50059);
    let empty = post(&world, &format!("{}/oauth2/v2.0/token", world.profile.tenant.id), &[]).await;
    assert_eq!(code(&empty), 900_144);
}

#[tokio::test]
async fn logins_by_a_browsers_redirects_are_refused_by_name() {
    let world = World::for_tests(Profile::default());
    let tenant = world.profile.tenant.id;
    let path = format!("{tenant}/oauth2/v2.0/authorize");
    let reply = Call::new("GET", &format!("{LOGIN}/{path}")).send(&world).await;
    assert_eq!(reply.status, 400);
    assert!(reply.value()["error_description"].as_str().unwrap().contains(&path));
    let got = Call::new("GET", &format!("{LOGIN}/{tenant}/oauth2/token")).send(&world).await;
    assert_eq!(got.value()["error_codes"][0], 900_561);
}

fn world_with_certificate(key: &RsaKey) -> World {
    let public = pem("RSA PUBLIC KEY", key.public_pkcs1_der());
    let principal = Principal { certificates: vec![public], ..Principal::default() };
    World::for_tests(Profile { principals: vec![principal], ..Profile::default() })
}

fn assertion(key: &RsaKey, claims: &AssertionClaims, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_rsa_pem(key.pkcs8_pem().as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn claims(world: &World) -> AssertionClaims {
    let client = world.profile.principals[0].client_id.to_string();
    let now = world.clock.wall().as_second();
    AssertionClaims {
        iss: client.clone(),
        sub: client,
        aud: format!("{LOGIN}/{}/oauth2/v2.0/token", world.profile.tenant.id),
        jti: "1".into(),
        nbf: now,
        exp: now + 600,
    }
}

async fn ask_with(world: &World, assertion: &str) -> (u16, Value) {
    ask(
        world,
        &[("client_secret", ""), ("client_assertion", assertion), ("client_assertion_type", ASSERTION_TYPE)],
    )
    .await
}

async fn key() -> Arc<RsaKey> {
    sim_core::keys::KeySource::fresh().rsa("test", Bits::Rsa2048).await.unwrap()
}

#[tokio::test]
async fn an_assertion_by_a_registered_key_buys_a_token() {
    let key = key().await;
    let world = world_with_certificate(&key);
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        let (status, reply) = ask_with(&world, &assertion(&key, &claims(&world), algorithm)).await;
        assert_eq!(status, 200, "{reply}");
    }
}

#[tokio::test]
async fn a_certificate_made_by_an_authority_counts_as_its_key() {
    let key = key().await;
    let subject = sim_core::pki::Subject::client("sp", None);
    let scratch = World::for_tests(Profile::default());
    let certificate = scratch.authority.certify_rsa(&subject, key.public_pkcs1_der()).unwrap();
    let principal = Principal { certificates: vec![certificate], ..Principal::default() };
    let world = World::for_tests(Profile { principals: vec![principal], ..Profile::default() });
    let (status, reply) = ask_with(&world, &assertion(&key, &claims(&world), Algorithm::RS256)).await;
    assert_eq!(status, 200, "{reply}");
}

#[tokio::test]
async fn an_assertion_must_be_signed_timely_and_meant_for_us() {
    let key = key().await;
    let world = world_with_certificate(&key);
    let good = claims(&world);
    let refused = async |claims: AssertionClaims| {
        code(&ask_with(&world, &assertion(&key, &claims, Algorithm::RS256)).await)
    };
    let old = AssertionClaims { nbf: good.nbf - 7200, exp: good.nbf - 3600, ..good.clone() };
    assert_eq!(refused(old).await, 700_024);
    let elsewhere = AssertionClaims { aud: "https://example.com/token".into(), ..good.clone() };
    assert_eq!(refused(elsewhere).await, 700_023);
    let other = "11111111-1111-1111-1111-111111111111".to_string();
    assert_eq!(refused(AssertionClaims { sub: other, ..good.clone() }).await, 700_021);
    let foreign = AssertionClaims { iss: "https://kubernetes.default.svc".into(), ..good.clone() };
    assert_eq!(refused(foreign).await, 70021);
    let strangers = sim_core::keys::KeySource::fresh().rsa("other", Bits::Rsa2048).await.unwrap();
    let forged = ask_with(&world, &assertion(&strangers, &good, Algorithm::RS256)).await;
    assert_eq!((forged.0, code(&forged)), (401, 700_027));
    assert_eq!(code(&ask_with(&world, "not.a.jwt").await), 50027);
}

#[tokio::test]
async fn discovery_leads_from_the_tenant_to_the_keys_that_check_a_token() {
    let world = World::for_tests(Profile::default());
    let tenant = world.profile.tenant.id;
    let get = async |url: String| Call::new("GET", &url).send(&world).await;
    let document = get(format!("{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration")).await.value();
    assert_eq!(document["token_endpoint"], format!("{LOGIN}/{tenant}/oauth2/v2.0/token"));
    assert_eq!(document["issuer"], format!("{LOGIN}/{tenant}/v2.0"));
    let v1 = get(format!("{LOGIN}/{tenant}/.well-known/openid-configuration")).await.value();
    assert_eq!(v1["issuer"], format!("https://sts.windows.net/{tenant}/"));
    let common = get(format!("{LOGIN}/organizations/v2.0/.well-known/openid-configuration")).await.value();
    assert!(common["issuer"].as_str().unwrap().contains("{tenantid}"));
    let keys = get(document["jwks_uri"].as_str().unwrap().to_owned()).await.value();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(keys["keys"][0].clone()).unwrap();
    let token = ask(&world, &[]).await.1["access_token"].as_str().unwrap().to_owned();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::RS256);
    validation.set_audience(&["https://management.core.windows.net/"]);
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap().claims;
    assert_eq!((&claims["idtyp"], &claims["ver"]), (&"app".into(), &"1.0".into()));
    assert_eq!(claims["tid"], tenant.to_string());
}

#[tokio::test]
async fn instance_discovery_knows_the_public_cloud_and_this_machine_only() {
    let world = World::for_tests(Profile::default());
    let tenant = world.profile.tenant.id;
    let ask = async |base: &str, authority: &str| {
        let url = format!(
            "{base}/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2F{authority}%2F{tenant}%2Foauth2%2Fv2.0%2Fauthorize"
        );
        Call::new("GET", &url).send(&world).await
    };
    let known = ask(LOGIN, "login.microsoftonline.com").await.value();
    let endpoint = format!("{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration");
    assert_eq!(known["tenant_discovery_endpoint"], endpoint);
    let own = ask("https://127.0.0.1:8443", "127.0.0.1").await.value();
    assert!(own["tenant_discovery_endpoint"].as_str().unwrap().starts_with("https://127.0.0.1:8443/"));
    let unknown = ask(LOGIN, "login.example.com").await;
    assert_eq!((unknown.status, &unknown.value()["error"]), (400, &"invalid_instance".into()));
}
