//! Signed HTTP requests (draft-ietf-oauth-signed-http-request, as MSAL makes them): a token within a token, signed with the key
//! that the inner one is bound to.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

use crate::protocol::jwk::Jwk;

/// How old a proof may be, and how far ahead of this clock.
const FRESH: i64 = 15 * 60;

/// What a proof says.
#[derive(Debug, Serialize, Deserialize)]
struct Proof {
    /// The access token.
    at: String,
    /// When it was signed, in seconds of wall time since 1970.
    ts: i64,
    /// With which key.
    cnf: Confirmation,
}

#[derive(Debug, Serialize, Deserialize)]
struct Confirmation {
    jwk: Jwk,
}

/// The access token in a proof, and the id of the key that signed the proof.
///
/// # Errors
/// Why it proves nothing, for people.
pub(super) fn open(proof: &str, now: i64) -> Result<(String, String), String> {
    let said: Proof = claims(proof).ok_or("the proof of possession is unreadable")?;
    let key = DecodingKey::from_rsa_components(&said.cnf.jwk.n, &said.cnf.jwk.e)
        .map_err(|error| format!("the key of the proof of possession: {error}"))?;
    jsonwebtoken::decode::<Proof>(proof, &key, &signature_only())
        .map_err(|_| "the proof of possession is not signed with the key that it names")?;
    if (now - said.ts).abs() > FRESH {
        return Err("the proof of possession is too old".into());
    }
    Ok((said.at, said.cnf.jwk.thumbprint()))
}

/// Checks the signature and nothing else: times are held against the clock that the caller has.
pub(super) fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

/// The claims of a token, unchecked.
pub(super) fn claims<T: for<'a> Deserialize<'a>>(token: &str) -> Option<T> {
    use base64::Engine as _;
    let payload = token.split('.').nth(1)?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&json).ok()
}
