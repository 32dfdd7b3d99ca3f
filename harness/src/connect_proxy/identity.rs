//! The user's access token, the key that it is bound to, and the word by which `kubectl` shows that it acts for that user.

use std::sync::{Arc, Mutex, PoisonError};

use arc_agent_sim::Jwk;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sim_core::keys::{self, Bits, KeyError, KeySource, RsaKey};

/// Holds all three. The key is made when it is first asked for.
#[derive(Debug)]
pub(super) struct Identity {
    keys: KeySource,
    token: Mutex<Option<String>>,
    word: String,
}

impl Identity {
    /// An identity without a user yet.
    ///
    /// # Errors
    /// [`KeyError`] when the operating system gives no randomness.
    pub(super) fn new() -> Result<Self, KeyError> {
        let word = keys::secret("connect-proxy/word")?;
        Ok(Self { keys: KeySource::default(), token: Mutex::default(), word })
    }

    /// What stands in the kubeconfig where a token belongs: `kubectl` asks nobody without one, and nobody who does not read the
    /// kubeconfig acts for the user.
    pub(super) fn word(&self) -> &str {
        &self.word
    }

    /// Whether a value of `Authorization` is the word.
    pub(super) fn is_own(&self, authorization: &[u8]) -> bool {
        let expected = format!("Bearer {}", self.word);
        verify_slices_are_equal(authorization, expected.as_bytes()).is_ok()
    }

    async fn key(&self) -> Result<Arc<RsaKey>, KeyError> {
        self.keys.rsa("connect-proxy/possession", Bits::Rsa2048).await
    }

    /// The public key to which a token has to be bound.
    pub(super) async fn public(&self) -> Result<Jwk, KeyError> {
        let key = self.key().await?;
        let (n, e) = key.jwk_parts();
        Ok(Jwk::new(n, e))
    }

    /// Takes the user's token.
    pub(super) fn set(&self, token: String) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    /// The value of `Authorization` at the wall time `now`: the token in a proof that the key is here. `None` while there is no
    /// token.
    pub(super) async fn proof(&self, now: i64) -> Result<Option<String>, KeyError> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(token) = token else { return Ok(None) };
        let (key, public) = (self.key().await?, self.public().await?);
        let header = json!({ "alg": "RS256", "typ": "pop", "kid": public.kid });
        let claims = json!({ "at": token, "ts": now, "cnf": { "jwk": public } });
        let mut signed = URL_SAFE_NO_PAD.encode(header.to_string());
        signed.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut signed);
        let mut signature = vec![0; key.pair().public_modulus_len()];
        // Signing fails only for a buffer of the wrong size.
        let _ = key.pair().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        Ok(Some(format!("PoP {signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_who_read_the_kubeconfig_acts_for_the_user() {
        let identity = Identity::new().unwrap();
        let shown = format!("Bearer {}", identity.word());
        assert!(identity.is_own(shown.as_bytes()));
        assert!(!identity.is_own(b"Bearer ") && !identity.is_own(identity.word().as_bytes()));
        assert!(!Identity::new().unwrap().is_own(shown.as_bytes()));
    }

    #[tokio::test]
    async fn there_is_a_proof_once_there_is_a_token() {
        let identity = Identity::new().unwrap();
        assert_eq!(identity.proof(1).await.unwrap(), None);
        identity.set("a.b.c".into());
        let proof = identity.proof(7).await.unwrap().unwrap();
        let claims = proof.strip_prefix("PoP ").unwrap().split('.').nth(1).unwrap();
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!((claims["at"].as_str(), claims["ts"].as_i64()), (Some("a.b.c"), Some(7)));
        assert_eq!(claims["cnf"]["jwk"]["kid"], identity.public().await.unwrap().kid.unwrap());
    }
}
