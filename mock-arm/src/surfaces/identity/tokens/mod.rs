//! Issues and checks access tokens.
//!
//! Tokens are real RS256 JWTs, so that any client can check them against the published keys. Checking one costs an RSA
//! operation once: a token whose signature was good is remembered as a whole, within bounds, and found by its end. The keys change
//! on the world's clock; a token is good as long as it says, whatever key signed it.

mod cache;
mod keyring;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use serde::Serialize;
use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::keys::{KeyError, KeySource};
use uuid::Uuid;

use super::claims::{Claims, issuer};
use crate::profile::Profile;
use cache::{Cache, Checked, tail};
use keyring::Keyring;

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
    /// A person.
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

struct Inner {
    ring: Keyring,
    profile: Arc<Profile>,
    issuer: String,
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
    pub fn new(keys: KeySource, profile: Arc<Profile>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            ring: Keyring::new(keys, clock, profile.key_rotation()),
            issuer: issuer(profile.tenant.id),
            profile,
            cache: Mutex::default(),
            signatures_checked: AtomicU64::new(0),
            counter: AtomicU64::new(0),
        }))
    }

    /// Starts making the signing key in the background. Call it within a tokio runtime.
    pub fn prefetch(&self) {
        self.0.ring.prefetch();
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
        let claims = Claims { uti: URL_SAFE_NO_PAD.encode(self.next_id().as_bytes()), ..claims.clone() };
        self.sign(&claims).await
    }

    /// Signs any claims, such as those of an identity token.
    ///
    /// # Errors
    /// [`KeyError`] when there is no signing key to be had.
    pub async fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let signing = self.0.ring.current().await?;
        let header = json!({"typ": "JWT", "alg": "RS256", "x5t": signing.id, "kid": signing.id});
        // Claims are texts and numbers only: they always have a JSON form.
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = signing.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The published keys (RFC 7517), as `discovery/v2.0/keys` returns them: those in use, and the next one. The certificate
    /// chain that the real document carries (`x5c`) is not modelled.
    ///
    /// # Errors
    /// [`KeyError`] when there is no signing key to be had.
    pub async fn jwks(&self) -> Result<Value, KeyError> {
        let keys: Vec<Value> = self.0.ring.published().await?.iter().map(|signing| signing.jwk()).collect();
        Ok(json!({ "keys": keys }))
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
        let key_id = jsonwebtoken::decode_header(bearer).ok().and_then(|header| header.kid);
        // Without a key nothing was ever signed.
        let signing = key_id.and_then(|id| self.0.ring.find(&id)).ok_or(TokenError::Invalid)?;
        let mut validation = Validation::new(Algorithm::RS256);
        // Times and audience are held against the caller's values, on every use.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        self.0.signatures_checked.fetch_add(1, Ordering::Relaxed);
        let claims = jsonwebtoken::decode::<Claims>(bearer, &signing.public, &validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let kind = match (claims.idtyp.as_str(), &claims.xms_mirid) {
            ("user", _) => CallerKind::User,
            (_, Some(_)) => CallerKind::ManagedIdentity,
            _ => CallerKind::Application,
        };
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
