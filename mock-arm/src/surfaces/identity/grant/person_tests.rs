use super::*;
use crate::profile::{FederatedCredential, Principal, Profile};
use crate::surfaces::testing::Call;
use arm_wire::agent::ASSERTION_TYPE;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sim_core::keys::{Bits, KeySource, RsaKey, pem};
use std::sync::Arc;
use std::time::Duration;

const LOGIN: &str = "https://login.microsoftonline.com";
const AZ: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const SCOPE: &str = "https://management.core.windows.net//.default offline_access openid profile";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn post(world: &World, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let reply = Call::new("POST", &format!("{LOGIN}/{path}")).body(body).send(world).await;
    (reply.status, reply.value())
}

async fn token(world: &World, parameters: &[(&str, &str)]) -> (u16, Value) {
    post(world, "organizations/oauth2/v2.0/token", parameters).await
}

fn code(reply: &(u16, Value)) -> u64 {
    reply.1["error_codes"][0].as_u64().unwrap_or_default()
}

async fn begin(world: &World) -> (String, String) {
    let parameters = [("client_id", AZ), ("scope", SCOPE)];
    let (status, begun) = post(world, "organizations/oauth2/v2.0/devicecode", &parameters).await;
    assert_eq!(status, 200, "{begun}");
    assert_eq!(begun["verification_uri"], "https://login.microsoft.com/device");
    assert!(begun["message"].as_str().unwrap().contains(begun["user_code"].as_str().unwrap()));
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

async fn decide(world: &World, body: String) -> u16 {
    Call::new("POST", "https://login.microsoft.com/device").body(body).send(world).await.status
}

async fn redeem(world: &World, device_code: &str) -> (u16, Value) {
    token(
        world,
        &[("grant_type", DEVICE), ("client_id", AZ), ("device_code", device_code), ("client_info", "1")],
    )
    .await
}

#[tokio::test]
async fn a_device_code_waits_for_a_person_and_is_redeemed_once() {
    let world = World::for_tests(Profile::default());
    let (device_code, user_code) = begin(&world).await;
    let pending = redeem(&world, &device_code).await;
    assert_eq!((code(&pending), &pending.1["error"]), (70016, &"authorization_pending".into()));
    let page = Call::new("GET", &format!("https://login.microsoft.com/device?otc={user_code}"));
    let page = String::from_utf8(page.send(&world).await.body.to_vec()).unwrap();
    assert!(page.contains(&user_code) && page.contains("developer1@dryarc.onmicrosoft.com"), "{page}");
    assert_eq!(decide(&world, "user_code=WRONG".into()).await, 400);
    assert_eq!(decide(&world, format!("user_code={}", user_code.to_lowercase())).await, 200);
    let (status, granted) = redeem(&world, &device_code).await;
    assert_eq!(status, 200, "{granted}");
    for member in ["access_token", "refresh_token", "id_token", "client_info", "scope"] {
        assert!(granted[member].is_string(), "{member}");
    }
    let access = granted["access_token"].as_str().unwrap();
    let caller = world.tokens.verify(access, &resources::ARM_AUDIENCES, world.clock.wall()).unwrap();
    assert_eq!(caller.kind, super::super::tokens::CallerKind::User);
    assert_eq!(caller.oid, world.profile.users[0].object_id);
    assert_eq!(code(&redeem(&world, &device_code).await), 54005);
    let journal = serde_json::to_string(&world.journal.read(&Default::default())).unwrap();
    let snapshot = serde_json::to_string(&world.ledger.snapshot()).unwrap();
    for secret in [&device_code, granted["refresh_token"].as_str().unwrap()] {
        assert!(!journal.contains(secret) && !snapshot.contains(secret));
    }
}

#[tokio::test]
async fn a_device_code_can_be_declined_and_belongs_to_its_client() {
    let world = World::for_tests(Profile::default());
    let (device_code, user_code) = begin(&world).await;
    assert_eq!(decide(&world, format!("user_code={user_code}&decline=1")).await, 200);
    assert_eq!(code(&redeem(&world, &device_code).await), 65004);
    assert_eq!(decide(&world, format!("user_code={user_code}")).await, 400);
    assert_eq!(code(&redeem(&world, "none").await), 70018);
    let other = [("client_id", "11111111-1111-1111-1111-111111111111"), ("scope", SCOPE)];
    assert_eq!(code(&post(&world, "organizations/oauth2/v2.0/devicecode", &other).await), 700_016);
}

#[tokio::test]
async fn a_refresh_token_lives_on_as_long_as_it_is_used() {
    let world = World::for_tests(Profile::default());
    let user = world.profile.users[0].clone();
    let login = [
        ("grant_type", "password"),
        ("client_id", AZ),
        ("scope", SCOPE),
        ("username", user.principal_name.as_str()),
        ("password", user.password.as_str()),
    ];
    let (status, granted) = token(&world, &login).await;
    assert_eq!(status, 200, "{granted}");
    let refresh = granted["refresh_token"].as_str().unwrap().to_owned();
    let again = [
        ("grant_type", "refresh_token"),
        ("client_id", AZ),
        ("scope", "https://graph.microsoft.com/.default"),
        ("refresh_token", refresh.as_str()),
    ];
    for _ in 0..2 {
        let (status, granted) = token(&world, &again).await;
        assert_eq!(status, 200, "{granted}");
        world.clock.advance(Duration::from_secs(80 * 24 * 3600)).await;
    }
    world.clock.advance(Duration::from_secs(20 * 24 * 3600)).await;
    assert_eq!(code(&token(&world, &again).await), 700_082);
    let forged = [again[0], again[1], again[2], ("refresh_token", "1.none")];
    assert_eq!(code(&token(&world, &forged).await), 9_002_313);
}

#[tokio::test]
async fn passwords_are_checked_and_realms_say_whose_names_are_known() {
    let world = World::for_tests(Profile::default());
    let name = world.profile.users[0].principal_name.clone();
    let ask = async |tenant: &str, user: &str| {
        let parameters = [
            ("grant_type", "password"),
            ("client_id", AZ),
            ("scope", SCOPE),
            ("username", user),
            ("password", "wrong"),
        ];
        code(&post(&world, &format!("{tenant}/oauth2/v2.0/token"), &parameters).await)
    };
    assert_eq!(ask("organizations", &name).await, 50126);
    assert_eq!(ask("organizations", "nobody@example.com").await, 50034);
    assert_eq!(ask("common", &name).await, 9_001_023);
    let realm = async |name: &str| {
        let url = format!("{LOGIN}/common/userrealm/{name}?api-version=1.0");
        Call::new("GET", &url).send(&world).await.value()["account_type"].clone()
    };
    assert_eq!(realm(&name).await, "Managed");
    assert_eq!(realm("nobody@example.com").await, "Unknown");
}

fn federated(issuer: &RsaKey, claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(issuer.pkcs8_pem().as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

#[tokio::test]
async fn a_token_of_a_registered_issuer_is_an_applications_proof() {
    let keys = KeySource::fresh();
    let issuer: Arc<RsaKey> = keys.rsa("issuer", Bits::Rsa2048).await.unwrap();
    let stranger = keys.rsa("stranger", Bits::Rsa2048).await.unwrap();
    let credential = FederatedCredential {
        issuer: "https://token.actions.githubusercontent.com".into(),
        subject: "repo:contoso/fleet:ref:refs/heads/main".into(),
        keys: vec![pem("RSA PUBLIC KEY", issuer.public_pkcs1_der())],
        ..FederatedCredential::default()
    };
    let principal = Principal { federated_credentials: vec![credential.clone()], ..Principal::default() };
    let world = World::for_tests(Profile { principals: vec![principal], ..Profile::default() });
    let now = world.clock.wall().as_second();
    let good = json!({
        "iss": credential.issuer, "sub": credential.subject, "aud": "api://AzureADTokenExchange",
        "iat": now, "nbf": now, "exp": now + 300,
    });
    let client = world.profile.principals[0].client_id.to_string();
    let ask = async |key: &RsaKey, changes: &[(&str, Value)]| {
        let mut claims = good.clone();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        let assertion = federated(key, &claims);
        let parameters = [
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("scope", "https://management.azure.com/.default"),
            ("client_assertion", assertion.as_str()),
            ("client_assertion_type", ASSERTION_TYPE),
        ];
        post(&world, &format!("{}/oauth2/v2.0/token", world.profile.tenant.id), &parameters).await
    };
    assert_eq!(ask(&issuer, &[]).await.0, 200);
    assert_eq!(ask(&issuer, &[("aud", json!(["api://AzureADTokenExchange"]))]).await.0, 200);
    assert_eq!(code(&ask(&issuer, &[("iss", "https://example.com".into())]).await), 700_211);
    assert_eq!(code(&ask(&issuer, &[("aud", "else".into())]).await), 700_212);
    assert_eq!(code(&ask(&issuer, &[("sub", "repo:contoso/other".into())]).await), 700_213);
    assert_eq!(code(&ask(&stranger, &[]).await), 50013);
    let late = [("nbf", json!(now - 7200)), ("exp", json!(now - 3600))];
    assert_eq!(code(&ask(&issuer, &late).await), 700_024);
}

#[tokio::test]
async fn a_secret_expires_in_world_time() {
    let principal = Principal { secret_expires: "2026-01-02T00:00:00Z".parse().ok(), ..Principal::default() };
    let world = World::for_tests(Profile { principals: vec![principal], ..Profile::default() });
    let principal = world.profile.principals[0].clone();
    let client = principal.client_id.to_string();
    let parameters = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_secret", principal.secret.as_str()),
        ("scope", "https://management.azure.com/.default"),
    ];
    let path = format!("{}/oauth2/v2.0/token", world.profile.tenant.id);
    assert_eq!(post(&world, &path, &parameters).await.0, 200);
    world.clock.advance(Duration::from_secs(25 * 3600)).await;
    assert_eq!(code(&post(&world, &path, &parameters).await), 7_000_222);
}
