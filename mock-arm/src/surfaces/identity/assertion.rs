//! Signed assertions by which an application or a cluster's identity proves itself (RFC 7523).

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::refusal::Refusal;

/// How far an assertion's times may lie beside our clock, as Entra ID allows.
const SKEW: i64 = 300;

/// The claims that are looked at. An issuer other than ourselves leaves some of them out.
#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: String,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
    exp: i64,
}

/// What an assertion must be to count.
pub(crate) struct Expectation<'a> {
    /// The client id that it must speak for.
    pub(crate) client_id: &'a str,
    /// Audiences under which the token endpoint goes.
    pub(crate) audiences: &'a [String],
    /// Keys of the client; one of them must have signed.
    pub(crate) keys: &'a [DecodingKey],
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
        let Claims { iss: issuer, sub: subject, aud: audience, .. } = claims;
        return Err(Refusal::Federated { issuer, subject, audience });
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
    let from = claims.nbf.or(claims.iat).unwrap_or(0);
    let now = expected.now.as_second();
    if now > claims.exp.saturating_add(SKEW) || now < from.saturating_sub(SKEW) {
        return Err(Refusal::AssertionTime { now: expected.now, from, until: claims.exp });
    }
    Ok(())
}

fn is_signed_by(assertion: &str, key: &DecodingKey) -> bool {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = vec![Algorithm::RS256, Algorithm::PS256];
    // Times and audience are checked by the caller, against the world's own clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Claims>(assertion, key, &validation).is_ok()
}
