//! Signed assertions by which an application or a cluster's identity proves itself (RFC 7523).

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::super::refusal::Refusal;
use super::federated;
use crate::profile::FederatedCredential;

/// How far an assertion's times may lie beside our clock, as Entra ID allows.
const SKEW: i64 = 300;

/// The claims that are looked at. An issuer other than ourselves leaves some of them out.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    pub(super) iss: String,
    #[serde(default)]
    pub(super) sub: String,
    #[serde(default, deserialize_with = "first")]
    pub(super) aud: String,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    exp: f64,
}

/// An audience is a text or a list of texts.
fn first<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(from)? {
        Audience::One(audience) => audience,
        Audience::Many(audiences) => audiences.into_iter().next().unwrap_or_default(),
    })
}

/// What an assertion must be to count.
pub(crate) struct Expectation<'a> {
    /// The client id that it must speak for.
    pub(crate) client_id: &'a str,
    /// Audiences under which the token endpoint goes.
    pub(crate) audiences: &'a [String],
    /// Keys of the client; one of them must have signed.
    pub(crate) keys: &'a [DecodingKey],
    /// Other issuers whose tokens count for the client.
    pub(crate) federated: &'a [FederatedCredential],
    /// The wall time.
    pub(crate) now: Timestamp,
}

/// Who an assertion says it is by: issuer, subject, audience. Nothing is checked.
fn read(assertion: &str) -> Result<Claims, Refusal> {
    jsonwebtoken::dangerous::insecure_decode::<Claims>(assertion)
        .map(|data| data.claims)
        .map_err(|_| Refusal::Malformed)
}

/// Checks an assertion.
///
/// # Errors
/// The [`Refusal`] that Entra ID would give.
pub(crate) fn check(assertion: &str, expected: &Expectation<'_>) -> Result<(), Refusal> {
    let claims = read(assertion)?;
    if claims.iss != expected.client_id && claims.iss.contains("://") {
        federated::check(assertion, &claims, expected.federated)?;
        return timely(&claims, expected.now);
    }
    let same = |id: &str| id.eq_ignore_ascii_case(expected.client_id);
    if !same(&claims.iss) || !same(&claims.sub) {
        return Err(Refusal::AssertionClient);
    }
    if !expected.audiences.iter().any(|audience| audience.eq_ignore_ascii_case(&claims.aud)) {
        return Err(Refusal::AssertionAudience);
    }
    if !expected.keys.iter().any(|key| is_signed_by(assertion, key)) {
        return Err(Refusal::AssertionSignature);
    }
    timely(&claims, expected.now)
}

fn timely(claims: &Claims, now: Timestamp) -> Result<(), Refusal> {
    // Some libraries write fractions of seconds, which RFC 7519 allows.
    let whole = |seconds: f64| (seconds as i64).clamp(0, i64::from(u32::MAX) << 2);
    let (from, until) = (claims.nbf.or(claims.iat).map_or(0, whole), whole(claims.exp));
    let second = now.as_second();
    if second > until.saturating_add(SKEW) || second < from.saturating_sub(SKEW) {
        return Err(Refusal::AssertionTime { now, from, until });
    }
    Ok(())
}

/// Whether a token's signature is by this key.
pub(super) fn is_signed_by(assertion: &str, key: &DecodingKey) -> bool {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = vec![Algorithm::RS256, Algorithm::PS256];
    // Times and audience are checked by the caller, against the world's own clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Claims>(assertion, key, &validation).is_ok()
}
