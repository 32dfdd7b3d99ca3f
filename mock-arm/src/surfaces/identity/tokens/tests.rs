use super::*;
use crate::surfaces::identity::claims::{Proof, Subject};
use jiff::SignedDuration;
use sim_core::seed::Seed;

const ARM: &str = "https://management.core.windows.net/";

fn service() -> (TokenService, Arc<Profile>) {
    let profile = Arc::new(Profile::default().filled(Seed::new(1)));
    (TokenService::new(KeySource::fresh(), profile.clone(), clock()), profile)
}

fn claims(profile: &Profile, now: Timestamp) -> Claims {
    let principal = &profile.principals[0];
    let subject = Subject {
        tenant: profile.tenant.id,
        appid: principal.client_id,
        oid: principal.object_id,
        mirid: None,
        proof: Proof::Secret,
    };
    Claims::new(&subject, ARM, now)
}

fn clock() -> Clock {
    Clock::new(sim_core::clock::Mode::Manual, now())
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn a_signature_is_checked_once_per_token() {
    let (tokens, profile) = service();
    let token = tokens.issue(&claims(&profile, now())).await.unwrap();
    let first = tokens.verify(&token, &["other", ARM], now()).unwrap();
    let second = tokens.verify(&token, &[ARM], now()).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(tokens.signatures_checked(), 1);
    assert_eq!(first.appid, profile.principals[0].client_id);
    assert_eq!(first.kind, CallerKind::Application);
}

#[tokio::test]
async fn a_remembered_token_still_expires_and_still_has_one_audience() {
    let (tokens, profile) = service();
    let token = tokens.issue(&claims(&profile, now())).await.unwrap();
    tokens.verify(&token, &[ARM], now()).unwrap();
    let wrong = tokens.verify(&token, &["https://graph.microsoft.com"], now());
    assert_eq!(wrong, Err(TokenError::Audience(ARM.into())));
    let late = now() + SignedDuration::from_mins(61);
    assert!(matches!(tokens.verify(&token, &[ARM], late), Err(TokenError::Expired { .. })));
    let early = now() - SignedDuration::from_mins(61);
    assert_eq!(tokens.verify(&token, &[ARM], early), Err(TokenError::Invalid));
}

#[tokio::test]
async fn a_token_of_another_signer_or_a_changed_one_is_refused() {
    let (tokens, profile) = service();
    let (others, _) = service();
    let foreign = others.issue(&claims(&profile, now())).await.unwrap();
    assert_eq!(tokens.verify(&foreign, &[ARM], now()), Err(TokenError::Invalid));
    let token = tokens.issue(&claims(&profile, now())).await.unwrap();
    assert_eq!(tokens.verify(&foreign, &[ARM], now()), Err(TokenError::Invalid));
    let (head, signature) = token.rsplit_once('.').unwrap();
    let changed = claims(&profile, now() + SignedDuration::from_hours(9));
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&changed).unwrap());
    let forged = format!("{}.{payload}.{signature}", head.split_once('.').unwrap().0);
    assert_eq!(tokens.verify(&forged, &[ARM], now()), Err(TokenError::Invalid));
    for text in ["", ".", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", &"x".repeat(20_000)] {
        assert_eq!(tokens.verify(text, &[ARM], now()), Err(TokenError::Invalid));
    }
}

#[tokio::test]
async fn a_token_of_another_tenant_is_named_as_such() {
    let (tokens, profile) = service();
    let other = Claims { iss: issuer(Uuid::from_u128(5)), ..claims(&profile, now()) };
    let token = tokens.issue(&other).await.unwrap();
    assert!(matches!(tokens.verify(&token, &[ARM], now()), Err(TokenError::Tenant(_))));
}

#[test]
fn the_memory_of_checked_tokens_is_bounded() {
    let caller = Arc::new(Caller {
        oid: Uuid::nil(),
        appid: Uuid::nil(),
        tenant: Uuid::nil(),
        audience: String::new(),
        kind: CallerKind::Application,
        mirid: None,
    });
    let mut cache = cache::Cache::default();
    for count in 0..=cache::REMEMBERED {
        let token: Box<str> = format!("{count:016}").into();
        let (tail, caller) = (cache::tail(&token).unwrap(), caller.clone());
        cache.insert(tail, Arc::new(cache::Checked { token, caller, issuer: String::new(), nbf: 0, exp: 0 }));
    }
    assert_eq!((cache.sizes().0, cache.sizes().1), (cache::REMEMBERED, cache::REMEMBERED));
    assert!(cache.get(cache::tail("0000000000000000").unwrap(), "0000000000000000").is_none());
    assert!(cache.get(cache::tail("0000000000000001").unwrap(), "0000000000000001").is_some());
    assert!(cache.get(cache::tail("0000000000000001").unwrap(), "other0000000000000001").is_none());
}

#[tokio::test]
async fn keys_change_on_the_worlds_clock_and_older_tokens_stay_good() {
    let profile =
        Arc::new(Profile { key_rotation_seconds: Some(86_400), ..Profile::default() }.filled(Seed::new(1)));
    let clock = clock();
    let tokens = TokenService::new(KeySource::fresh(), profile.clone(), clock.clone());
    let ids = |keys: &Value| -> Vec<String> {
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let first = tokens.issue(&claims(&profile, now())).await.unwrap();
    let before = ids(&tokens.jwks().await.unwrap());
    assert_eq!(before.len(), 2, "the next key is published ahead of its use");
    clock.advance(std::time::Duration::from_secs(90_000)).await;
    let second = tokens.issue(&claims(&profile, now())).await.unwrap();
    let after = ids(&tokens.jwks().await.unwrap());
    assert_eq!(after[..2], before[..], "the key before stays published");
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    assert_eq!([kid(&first), kid(&second)], [before[0].clone(), before[1].clone()]);
    for token in [first, second] {
        assert!(tokens.verify(&token, &[ARM], now()).is_ok());
    }
}
