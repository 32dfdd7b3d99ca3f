//! Tokens for the cluster's identity, by an assertion that the onboarding key signs.

use arm_wire::agent::{AssertionClaims, TokenReply, assertion_form};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde_json::json;

use super::key::{self, OnboardingKey};
use crate::agent::Agent;
use crate::error::CallError;

/// How long an assertion is valid, seconds of wall time.
const ASSERTION_LIFE: i64 = 600;

/// The identity as far as asking for tokens goes.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) client_id: String,
    pub(crate) certificate: String,
    pub(crate) token_endpoint: String,
}

/// Asks for a token for `audience` (without `/.default`).
pub(crate) async fn token(
    agent: &Agent,
    identity: &Identity,
    key: &OnboardingKey,
    audience: &str,
) -> Result<TokenReply, CallError> {
    let assertion = assertion(identity, key, agent.clock.wall())?;
    let scope = format!("{}/.default", audience.trim_end_matches('/'));
    let form = assertion_form(&identity.client_id, &scope, &assertion);
    let request = Request::post(&identity.token_endpoint)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .map_err(|error| CallError::Unreadable(identity.token_endpoint.clone(), error.to_string()))?;
    agent.fetch_json(request).await
}

/// The signed assertion (RFC 7523), with the certificate's SHA-256 thumbprint as Entra ID asks for it.
fn assertion(identity: &Identity, key: &OnboardingKey, now: Timestamp) -> Result<String, CallError> {
    let certificate = key::der(&identity.certificate).map(|(_, der)| der).unwrap_or_default();
    let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &certificate));
    let header = json!({ "alg": "RS256", "typ": "JWT", "x5t#S256": thumbprint });
    let jti = sim_core::keys::secret("assertion id").map_err(|error| CallError::Key(error.to_string()))?;
    let claims = AssertionClaims {
        iss: identity.client_id.clone(),
        sub: identity.client_id.clone(),
        aud: identity.token_endpoint.clone(),
        jti,
        nbf: now.as_second(),
        exp: now.as_second() + ASSERTION_LIFE,
    };
    let encode = |value: serde_json::Result<Vec<u8>>| URL_SAFE_NO_PAD.encode(value.unwrap_or_default());
    let signed = format!("{}.{}", encode(serde_json::to_vec(&header)), encode(serde_json::to_vec(&claims)));
    let signature = key.sign_pkcs1(signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    #[tokio::test]
    async fn an_assertion_names_the_client_and_the_endpoint_and_verifies() {
        let rsa = key::tests::rsa().await;
        let key = OnboardingKey::from_pem(rsa.pkcs1_pem().as_bytes()).unwrap();
        let identity = Identity {
            client_id: "client".into(),
            certificate: sim_core::keys::pem("CERTIFICATE", b"certificate"),
            token_endpoint: "https://login.microsoftonline.com/t/oauth2/v2.0/token".into(),
        };
        let assertion = assertion(&identity, &key, Timestamp::from_second(1000).unwrap()).unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_pkcs1_der())
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: AssertionClaims = serde_json::from_slice(&claims).unwrap();
        assert_eq!((claims.iss.as_str(), claims.sub.as_str()), ("client", "client"));
        assert_eq!((claims.aud, claims.exp), (identity.token_endpoint, 1600));
    }
}
