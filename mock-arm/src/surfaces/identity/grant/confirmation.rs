//! Tokens that are bound to a key, so that who finds one cannot use it (RFC 7800).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::super::params::Params;
use super::super::refusal::Refusal;

/// The key that a token is to be bound to: `token_type=pop`, with the key's id in `req_cnf`, as MSAL sends it.
///
/// # Errors
/// [`Refusal::Missing`] for a request for a bound token that names no key.
pub(super) fn of(params: &Params) -> Result<Option<Value>, Refusal> {
    if !params.get("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("pop")) {
        return Ok(None);
    }
    let encoded = params.get("req_cnf").ok_or(Refusal::Missing("req_cnf"))?.trim_end_matches('=');
    let decoded = URL_SAFE_NO_PAD.decode(encoded).ok();
    let cnf: Option<Value> = decoded.and_then(|json| serde_json::from_slice(&json).ok());
    cnf.filter(|cnf| cnf["kid"].is_string()).map(Some).ok_or(Refusal::Missing("req_cnf"))
}
