//! The onboarding key: read from its Secret, used to sign.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::CallError;

/// The private half of the key that was registered in `agentPublicKeyCertificate`. Its `Debug` shows nothing.
pub(crate) struct OnboardingKey(KeyPair);

impl fmt::Debug for OnboardingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnboardingKey")
    }
}

impl OnboardingKey {
    /// Reads PKCS#1 PEM (`RSA PRIVATE KEY`), as onboarding writes it; PKCS#8 (`PRIVATE KEY`) is taken too.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, CallError> {
        let text = std::str::from_utf8(pem).map_err(|_| CallError::Key("it is not text".into()))?;
        let (label, der) = der(text).ok_or_else(|| CallError::Key("it is not PEM".into()))?;
        let pair = match label {
            "RSA PRIVATE KEY" => KeyPair::from_der(&der),
            "PRIVATE KEY" => KeyPair::from_pkcs8(&der),
            other => return Err(CallError::Key(format!("PEM block '{other}' is not RSA PRIVATE KEY"))),
        };
        pair.map(Self).map_err(|error| CallError::Key(format!("it is no RSA key: {error}")))
    }

    /// RSA-PSS with SHA-256: what the identity service checks.
    pub(crate) fn sign_pss(&self, message: &[u8]) -> Result<Vec<u8>, CallError> {
        self.sign(&RSA_PSS_SHA256, message)
    }

    /// RSA PKCS#1 v1.5 with SHA-256: the signature of an RS256 assertion.
    pub(crate) fn sign_pkcs1(&self, message: &[u8]) -> Result<Vec<u8>, CallError> {
        self.sign(&RSA_PKCS1_SHA256, message)
    }

    fn sign(&self, scheme: &'static dyn RsaEncoding, message: &[u8]) -> Result<Vec<u8>, CallError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(scheme, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| CallError::Key("it does not sign".into()))?;
        Ok(signature)
    }
}

/// Label and content of the first PEM block.
pub(crate) fn der(pem: &str) -> Option<(&str, Vec<u8>)> {
    let (label, rest) = pem.split_once("-----BEGIN ")?.1.split_once("-----")?;
    let body: String = rest.split_once("-----END ")?.0.split_whitespace().collect();
    Some((label, STANDARD.decode(body).ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use sim_core::keys::{Bits, KeySource, RsaKey};
    use std::sync::Arc;

    pub(crate) async fn rsa() -> Arc<RsaKey> {
        KeySource::fresh().rsa("onboarding", Bits::Rsa2048).await.unwrap()
    }

    #[tokio::test]
    async fn a_key_from_its_secret_signs_what_the_registered_public_key_verifies() {
        let rsa = rsa().await;
        for pem in [rsa.pkcs1_pem(), rsa.pkcs8_pem()] {
            let key = OnboardingKey::from_pem(pem.as_bytes()).unwrap();
            let public = rsa.public_pkcs1_der();
            let pss = key.sign_pss(b"message").unwrap();
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public).verify(b"message", &pss).unwrap();
            let pkcs1 = key.sign_pkcs1(b"message").unwrap();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(b"message", &pkcs1).unwrap();
        }
    }

    #[test]
    fn a_key_that_is_none_says_why() {
        let reason = |pem: &str| OnboardingKey::from_pem(pem.as_bytes()).unwrap_err().to_string();
        assert_eq!(reason(""), "onboarding key: it is not PEM");
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(reason(certificate).contains("'CERTIFICATE'"));
        assert!(reason(&certificate.replace("CERTIFICATE", "RSA PRIVATE KEY")).contains("no RSA key"));
    }
}
