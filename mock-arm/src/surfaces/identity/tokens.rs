//! Issues and checks access tokens.
//!
//! Tokens are real RS256 JWTs, so that any client can check them against the published keys. Checking one costs an RSA
//! operation once: a token whose signature was good is remembered as a whole, within bounds, and found by its end. The signing key is
//! made in the background or by the first token; nobody else waits for it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use sim_core::keys::{Bits, KeyError, KeySource, RsaKey};
use uuid::Uuid;

use super::claims::{Claims, issuer};
use crate::profile::Profile;

/// Under which name the signing key is made.
const KEY_LABEL: &str = "entra/signing";

/// How many checked tokens are remembered. The oldest is forgotten first; it costs one more check when it comes back.
const REMEMBERED: usize = 4096;

/// No token of ours is longer; longer ones are not looked at.
const LONGEST: usize = 16 * 1024;

/// How far ahead of our clock a token's start may lie.
const SKEW: i64 = 300;

/// What kind of principal a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// A service principal.
    Application,
    /// The system-assigned identity of a resource.
    ManagedIdentity,
    /// A person. No flow that this cloud models issues such a token yet.
    User,
}

/// Who calls, as a checked token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Object id.
    pub oid: Uuid,
    /// Application id.
    pub appid: Uuid,
    /// Tenant.
    pub tenant: Uuid,
    /// Audience.
    pub audience: String,
    /// Kind.
    pub kind: CallerKind,
    /// The resource whose managed identity this is.
    pub mirid: Option<String>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token that this world signed, or one that is not valid yet.
    #[error("the access token is invalid")]
    Invalid,
    /// It was valid once.
    #[error("the access token expired at {expiry}; it is {now} now")]
    Expired {
        /// When it ended.
        expiry: Timestamp,
        /// The wall time of the check.
        now: Timestamp,
    },
    /// It is for somebody else.
    #[error("the access token is for '{0}'")]
    Audience(String),
    /// It is of another tenant.
    #[error("the access token was issued by '{0}'")]
    Tenant(String),
}

/// The key that signs, with what is published of it.
struct Signing {
    key: Arc<RsaKey>,
    id: String,
    public: DecodingKey,
}

impl Signing {
    fn new(key: Arc<RsaKey>) -> Self {
        let thumbprint = digest::digest(&digest::SHA256, key.public_pkcs1_der());
        let id = URL_SAFE_NO_PAD.encode(thumbprint.as_ref().get(..20).unwrap_or_default());
        let public = DecodingKey::from_rsa_der(key.public_pkcs1_der());
        Self { key, id, public }
    }
}

/// A token whose signature was found good.
struct Checked {
    token: Box<str>,
    caller: Arc<Caller>,
    issuer: String,
    nbf: i64,
    exp: i64,
}

/// The end of a token, which lies in its signature: as good as random, so that few tokens share it.
type Tail = [u8; 16];

fn tail(token: &str) -> Option<Tail> {
    token.as_bytes().last_chunk().copied()
}

#[derive(Default)]
struct Cache {
    by_tail: HashMap<Tail, Arc<Checked>>,
    order: VecDeque<Tail>,
}

impl Cache {
    /// What is known of exactly this token.
    fn get(&self, tail: Tail, token: &str) -> Option<Arc<Checked>> {
        self.by_tail.get(&tail).filter(|checked| *checked.token == *token).cloned()
    }

    fn insert(&mut self, tail: Tail, checked: Arc<Checked>) {
        if self.by_tail.insert(tail, checked).is_none() {
            self.order.push_back(tail);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.by_tail.remove(&oldest);
            }
        }
    }
}

struct Inner {
    keys: KeySource,
    profile: Arc<Profile>,
    issuer: String,
    signing: OnceLock<Signing>,
    cache: Mutex<Cache>,
    signatures_checked: AtomicU64,
    counter: AtomicU64,
}

/// Issues and checks the tokens of one world. Cheap to clone; clones are the same service.
#[derive(Clone)]
pub struct TokenService(Arc<Inner>);

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService")
            .field("signatures_checked", &self.signatures_checked())
            .finish_non_exhaustive()
    }
}

impl TokenService {
    /// A service for the tenant of `profile`, which must be filled. Makes no key yet; see [`TokenService::prefetch`].
    #[must_use]
    pub fn new(keys: KeySource, profile: Arc<Profile>) -> Self {
        Self(Arc::new(Inner {
            keys,
            issuer: issuer(profile.tenant.id),
            profile,
            signing: OnceLock::new(),
            cache: Mutex::default(),
            signatures_checked: AtomicU64::new(0),
            counter: AtomicU64::new(0),
        }))
    }

    /// Starts making the signing key in the background. Call it within a tokio runtime.
    pub fn prefetch(&self) {
        self.0.keys.prefetch(KEY_LABEL, Bits::Rsa2048);
    }

    async fn signing(&self) -> Result<&Signing, KeyError> {
        if let Some(signing) = self.0.signing.get() {
            return Ok(signing);
        }
        let key = self.0.keys.rsa(KEY_LABEL, Bits::Rsa2048).await?;
        Ok(self.0.signing.get_or_init(|| Signing::new(key)))
    }

    /// A number in the layout of a GUID that this service has not given out before: trace ids, token ids.
    #[must_use]
    pub fn next_id(&self) -> Uuid {
        let count = self.0.counter.fetch_add(1, Ordering::Relaxed);
        Uuid::new_v5(&self.0.profile.tenant.id, &count.to_be_bytes())
    }

    /// Signs a token. Its `uti` is filled in.
    ///
    /// # Errors
    /// [`KeyError`] when there is no signing key to be had.
    pub async fn issue(&self, claims: &Claims) -> Result<String, KeyError> {
        let signing = self.signing().await?;
        let claims = Claims { uti: URL_SAFE_NO_PAD.encode(self.next_id().as_bytes()), ..claims.clone() };
        let header = json!({"typ": "JWT", "alg": "RS256", "x5t": signing.id, "kid": signing.id});
        // Claims are texts and numbers only: they always have a JSON form.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let pair = signing.key.pair();
        let mut signature = vec![0; pair.public_modulus_len()];
        // Signing fails only for a buffer of the wrong size.
        let _ = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The published keys (RFC 7517), as `discovery/v2.0/keys` returns them. The certificate chain that the real
    /// document carries (`x5c`) is not modelled.
    ///
    /// # Errors
    /// [`KeyError`] when there is no signing key to be had.
    pub async fn jwks(&self) -> Result<Value, KeyError> {
        let signing = self.signing().await?;
        let (modulus, exponent) = signing.key.jwk_parts();
        Ok(json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": signing.id, "x5t": signing.id, "n": modulus, "e": exponent,
        }]}))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the bearer of a token is, if it is signed by this world, of its tenant, for one of `audiences`, and valid at
    /// the wall time `now`. The signature of a token is checked once and remembered.
    ///
    /// # Errors
    /// [`TokenError`] says what is wrong.
    pub fn verify(
        &self,
        bearer: &str,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<Arc<Caller>, TokenError> {
        if bearer.len() > LONGEST {
            return Err(TokenError::Invalid);
        }
        let tail = tail(bearer).ok_or(TokenError::Invalid)?;
        let known = self.cache().get(tail, bearer);
        let checked = match known {
            Some(checked) => checked,
            None => {
                let checked = Arc::new(self.check_signature(bearer)?);
                self.cache().insert(tail, checked.clone());
                checked
            }
        };
        if checked.issuer != self.0.issuer {
            return Err(TokenError::Tenant(checked.issuer.clone()));
        }
        if !audiences.iter().any(|audience| *audience == checked.caller.audience) {
            return Err(TokenError::Audience(checked.caller.audience.clone()));
        }
        if checked.exp <= now.as_second() {
            let expiry = Timestamp::from_second(checked.exp).unwrap_or(Timestamp::MIN);
            return Err(TokenError::Expired { expiry, now });
        }
        if checked.nbf > now.as_second().saturating_add(SKEW) {
            return Err(TokenError::Invalid);
        }
        Ok(checked.caller.clone())
    }

    /// How many signatures were checked so far. Tokens that came back are not counted again.
    #[must_use]
    pub fn signatures_checked(&self) -> u64 {
        self.0.signatures_checked.load(Ordering::Relaxed)
    }

    fn check_signature(&self, bearer: &str) -> Result<Checked, TokenError> {
        // Without a key nothing was ever signed.
        let signing = self.0.signing.get().ok_or(TokenError::Invalid)?;
        let mut validation = Validation::new(Algorithm::RS256);
        // Times and audience are held against the caller's values, on every use.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        self.0.signatures_checked.fetch_add(1, Ordering::Relaxed);
        let claims = jsonwebtoken::decode::<Claims>(bearer, &signing.public, &validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let kind =
            if claims.xms_mirid.is_some() { CallerKind::ManagedIdentity } else { CallerKind::Application };
        let caller = Caller {
            oid: claims.oid,
            appid: claims.appid,
            tenant: claims.tid,
            audience: claims.aud,
            kind,
            mirid: claims.xms_mirid,
        };
        Ok(Checked {
            token: bearer.into(),
            caller: Arc::new(caller),
            issuer: claims.iss,
            nbf: claims.nbf,
            exp: claims.exp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surfaces::identity::claims::{Proof, Subject};
    use jiff::SignedDuration;
    use sim_core::seed::Seed;

    const ARM: &str = "https://management.core.windows.net/";

    fn service() -> (TokenService, Arc<Profile>) {
        let profile = Arc::new(Profile::default().filled(Seed::new(1)));
        (TokenService::new(KeySource::fresh(), profile.clone()), profile)
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
        let mut cache = Cache::default();
        for count in 0..=REMEMBERED {
            let token: Box<str> = format!("{count:016}").into();
            let (tail, caller) = (tail(&token).unwrap(), caller.clone());
            cache.insert(tail, Arc::new(Checked { token, caller, issuer: String::new(), nbf: 0, exp: 0 }));
        }
        assert_eq!((cache.by_tail.len(), cache.order.len()), (REMEMBERED, REMEMBERED));
        assert!(cache.get(tail("0000000000000000").unwrap(), "0000000000000000").is_none());
        assert!(cache.get(tail("0000000000000001").unwrap(), "0000000000000001").is_some());
        assert!(cache.get(tail("0000000000000001").unwrap(), "other0000000000000001").is_none());
    }
}
