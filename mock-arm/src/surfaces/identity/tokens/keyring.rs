//! The keys that sign tokens. They change on the world's clock.
//!
//! A key is made in the background or by the first token that needs it; nobody else waits for it. As Entra ID does, the next key is
//! published before it is used, and the one before stays published (Microsoft identity platform, "signing key rollover").

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::keys::{Bits, KeyError, KeySource, RsaKey};

/// How many keys are remembered for tokens that they signed.
const REMEMBERED: usize = 8;

/// A key that signs, with what is published of it.
pub(super) struct Signing {
    key: Arc<RsaKey>,
    /// Its id, the thumbprint of its public half.
    pub(super) id: String,
    /// Its public half.
    pub(super) public: DecodingKey,
}

impl Signing {
    fn new(key: Arc<RsaKey>) -> Self {
        let thumbprint = digest::digest(&digest::SHA256, key.public_pkcs1_der());
        let id = URL_SAFE_NO_PAD.encode(thumbprint.as_ref().get(..20).unwrap_or_default());
        let public = DecodingKey::from_rsa_der(key.public_pkcs1_der());
        Self { key, id, public }
    }

    /// The RS256 signature of `text`.
    pub(super) fn sign(&self, text: &[u8]) -> Vec<u8> {
        let pair = self.key.pair();
        let mut signature = vec![0; pair.public_modulus_len()];
        // Signing fails only for a buffer of the wrong size.
        let _ = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature);
        signature
    }

    /// Its public half as it is published.
    pub(super) fn jwk(&self) -> Value {
        let (modulus, exponent) = self.key.jwk_parts();
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "x5t": self.id, "n": modulus, "e": exponent,
        })
    }
}

/// All keys of one Entra ID, by the number of their turn.
pub(super) struct Keyring {
    keys: KeySource,
    clock: Clock,
    start: Timestamp,
    period: Duration,
    made: Mutex<BTreeMap<u64, Arc<Signing>>>,
}

/// Under which name the key of a turn is made.
fn label(turn: u64) -> String {
    if turn == 0 { "entra/signing".into() } else { format!("entra/signing/{turn}") }
}

impl Keyring {
    /// A ring whose first turn begins now, in world time, and whose turns last `period`.
    pub(super) fn new(keys: KeySource, clock: Clock, period: Duration) -> Self {
        let start = clock.now();
        Self { keys, clock, start, period, made: Mutex::default() }
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Signing>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> u64 {
        let since = self.clock.now().as_second().saturating_sub(self.start.as_second());
        u64::try_from(since).unwrap_or_default() / self.period.as_secs().max(1)
    }

    /// Starts making the present key in the background.
    pub(super) fn prefetch(&self) {
        self.keys.prefetch(&label(self.turn()), Bits::Rsa2048);
    }

    async fn of(&self, turn: u64) -> Result<Arc<Signing>, KeyError> {
        if let Some(signing) = self.made().get(&turn) {
            return Ok(signing.clone());
        }
        let key = self.keys.rsa(&label(turn), Bits::Rsa2048).await?;
        let mut made = self.made();
        let signing = made.entry(turn).or_insert_with(|| Arc::new(Signing::new(key))).clone();
        while made.len() > REMEMBERED {
            made.pop_first();
        }
        Ok(signing)
    }

    /// The key that signs now.
    pub(super) async fn current(&self) -> Result<Arc<Signing>, KeyError> {
        self.of(self.turn()).await
    }

    /// What is published now: the key before if it was ever used, the present one, the next one.
    pub(super) async fn published(&self) -> Result<Vec<Arc<Signing>>, KeyError> {
        let turn = self.turn();
        let (present, next) = (self.of(turn).await?, self.of(turn.saturating_add(1)).await?);
        let before = turn.checked_sub(1).and_then(|turn| self.made().get(&turn).cloned());
        Ok(before.into_iter().chain([present, next]).collect())
    }

    /// The key with this id, if it is remembered.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Signing>> {
        self.made().values().find(|signing| signing.id == id).cloned()
    }
}
