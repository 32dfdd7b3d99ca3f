//! Where key pairs and secrets come from.
//!
//! Keys are real ones from the operating system's randomness, never from the seed. Making an RSA key takes from 50 ms
//! to more than a second, so keys can be asked for ahead of need ([`KeySource::prefetch`]). The journal and logs name
//! the label of a key and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tokio::sync::OnceCell;

/// An RSA key pair with the encodings that its users ask for. Its `Debug` shows the label only.
pub struct RsaKey {
    label: String,
    pair: KeyPair,
    pkcs8: Vec<u8>,
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey").field("label", &self.label).finish_non_exhaustive()
    }
}

/// A key could not be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key '{label}': {reason}")]
pub struct KeyError {
    label: String,
    reason: &'static str,
}

impl RsaKey {
    fn generate(label: &str, size: KeySize) -> Result<Self, KeyError> {
        let failed = |reason| KeyError { label: label.into(), reason };
        let pair = KeyPair::generate(size).map_err(|_| failed("could not be generated"))?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| failed("could not be encoded"))?;
        let pkcs8 = pkcs8.as_ref().to_vec();
        Ok(Self { label: label.into(), pair, pkcs8 })
    }

    /// The name under which the journal speaks of this key.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The key pair itself, for signing.
    #[must_use]
    pub fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// PKCS#8 DER of the private key.
    #[must_use]
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// PKCS#8 PEM of the private key (`PRIVATE KEY`).
    #[must_use]
    pub fn pkcs8_pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }

    /// PKCS#1 PEM of the private key (`RSA PRIVATE KEY`): the form in which onboarding hands it to the agents.
    #[must_use]
    pub fn pkcs1_pem(&self) -> String {
        pem("RSA PRIVATE KEY", pkcs1_of(&self.pkcs8))
    }

    /// DER of the PKCS#1 `RSAPublicKey`; its base64 is ARM's `agentPublicKeyCertificate`.
    #[must_use]
    pub fn public_pkcs1_der(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The modulus and exponent in base64url, as a JWK has them.
    #[must_use]
    pub fn jwk_parts(&self) -> (String, String) {
        let parts = || {
            let (sequence, _) = der_content(self.public_pkcs1_der())?;
            let (modulus, rest) = der_content(sequence)?;
            let (exponent, _) = der_content(rest)?;
            Some((modulus, exponent))
        };
        let (modulus, exponent) = parts().unwrap_or_default();
        (URL_SAFE_NO_PAD.encode(unsigned(modulus)), URL_SAFE_NO_PAD.encode(unsigned(exponent)))
    }
}

/// The content of the first DER element and what follows it.
fn der_content(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.get(1..)?.split_first()?;
    let (length, rest) = match *first {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
    };
    rest.split_at_checked(length)
}

/// A DER integer without the zero that keeps it positive.
fn unsigned(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}

/// The PKCS#1 `RSAPrivateKey` inside a PKCS#8 envelope: version, algorithm, then an octet string that holds it.
fn pkcs1_of(pkcs8: &[u8]) -> &[u8] {
    let inner = || {
        let (sequence, _) = der_content(pkcs8)?;
        let (_, after_version) = der_content(sequence)?;
        let (_, after_algorithm) = der_content(after_version)?;
        der_content(after_algorithm).map(|(key, _)| key)
    };
    inner().unwrap_or(pkcs8)
}

/// PEM text of `der` under `label`.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// How many bits an RSA key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bits {
    /// 2048: token signing, service accounts.
    Rsa2048,
    /// 4096: onboarding keys, as the Azure CLI makes them.
    Rsa4096,
}

type Slot = Arc<OnceCell<Arc<RsaKey>>>;

/// Makes RSA keys, each label once. Cheap to clone; clones share the keys.
#[derive(Debug, Clone, Default)]
pub struct KeySource {
    slots: Arc<Mutex<HashMap<String, Slot>>>,
    kept: bool,
}

impl KeySource {
    /// A source of fresh keys.
    #[must_use]
    pub fn fresh() -> Self {
        Self::default()
    }

    /// A source that forgets no key, for many worlds that share it: making one takes longer than what most of them do with
    /// it. Their keys protect nothing from each other.
    #[must_use]
    pub fn kept() -> Self {
        Self { kept: true, ..Self::default() }
    }

    fn slot(&self, label: &str) -> Slot {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(label.into()).or_default().clone()
    }

    /// The key of this label, made now off the async threads if it is not there yet.
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot be made.
    pub async fn rsa(&self, label: &str, bits: Bits) -> Result<Arc<RsaKey>, KeyError> {
        let slot = self.slot(label);
        let make = async || {
            let owned = label.to_owned();
            let size = match bits {
                Bits::Rsa2048 => KeySize::Rsa2048,
                Bits::Rsa4096 => KeySize::Rsa4096,
            };
            tokio::task::spawn_blocking(move || RsaKey::generate(&owned, size).map(Arc::new))
                .await
                .map_err(|_| KeyError { label: label.into(), reason: "was not finished" })?
        };
        slot.get_or_try_init(make).await.cloned()
    }

    /// Starts making a key in the background.
    pub fn prefetch(&self, label: &str, bits: Bits) {
        let (source, label) = (self.clone(), label.to_owned());
        tokio::spawn(async move {
            // Whoever asks for the key gets the error.
            let _ = source.rsa(&label, bits).await;
        });
    }

    /// Forgets a key, so that the next request makes another one. A source that keeps its keys does nothing.
    pub fn forget(&self, label: &str) {
        if !self.kept {
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(label);
        }
    }
}

/// A fresh secret of 32 random bytes in base64url, from the operating system.
///
/// # Errors
/// [`KeyError`] when the operating system has no randomness to give.
pub fn secret(label: &str) -> Result<String, KeyError> {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| KeyError { label: label.into(), reason: "no randomness available" })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_label_is_made_once_and_encodes_as_azure_expects() {
        let keys = KeySource::fresh();
        let key = keys.rsa("onboarding", Bits::Rsa4096).await.unwrap();
        assert!(Arc::ptr_eq(&key, &keys.rsa("onboarding", Bits::Rsa4096).await.unwrap()));
        assert!(STANDARD.encode(key.public_pkcs1_der()).starts_with("MIICCgKCAgEA"));
        assert!(key.pkcs1_pem().starts_with("-----BEGIN RSA PRIVATE KEY-----\nMII"));
        assert!(pkcs1_of(key.pkcs8_der()).len() < key.pkcs8_der().len());
        assert_eq!(key.jwk_parts().1, "AQAB");
        assert_eq!(format!("{key:?}"), "RsaKey { label: \"onboarding\", .. }");
    }

    #[tokio::test]
    async fn a_kept_key_survives_being_forgotten() {
        for (keys, same) in [(KeySource::kept(), true), (KeySource::fresh(), false)] {
            let first = keys.rsa("l", Bits::Rsa2048).await.unwrap();
            keys.forget("l");
            let second = keys.rsa("l", Bits::Rsa2048).await.unwrap();
            assert_eq!(Arc::ptr_eq(&first, &second), same);
        }
    }
}
