//! Labelled streams of randomness under one root seed.
//!
//! Two worlds with the same seed draw the same values from the same labels, whatever else they draw. Secrets that
//! protect the user (control tokens, private keys) never come from here: see [`crate::keys`].

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use aws_lc_rs::digest;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// The root seed of a world. Printed as a decimal number, which is what `--seed` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(u64);

impl Seed {
    /// A seed with the given value.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The value, as printed in reports.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// A fresh stream for `label`. The same label always starts the same sequence.
    #[must_use]
    pub fn stream(self, label: &str) -> Stream {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.0.to_be_bytes());
        context.update(label.as_bytes());
        let mut key = [0u8; 32];
        key.copy_from_slice(context.finish().as_ref());
        Stream(Mutex::new(ChaCha12Rng::from_seed(key)))
    }

    /// One identifier that depends on the seed and the label only.
    #[must_use]
    pub fn uuid(self, label: &str) -> Uuid {
        self.stream(label).uuid()
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A sequence of pseudo-random values. Shared by reference; each draw advances it.
#[derive(Debug)]
pub struct Stream(Mutex<ChaCha12Rng>);

impl Stream {
    fn with<T>(&self, draw: impl FnOnce(&mut ChaCha12Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The next 64 bits.
    pub fn next_u64(&self) -> u64 {
        self.with(|rng| rng.next_u64())
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// A number in `0.0..1.0`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn unit(&self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.with(|rng| rng.fill_bytes(bytes));
    }

    /// An identifier in the layout of a version 4 UUID.
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0u8; 16];
        self.fill(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// `length` characters of `alphabet` (ASCII, not empty).
    pub fn text(&self, length: usize, alphabet: &str) -> String {
        let letters = alphabet.as_bytes();
        (0..length)
            .filter_map(|_| {
                let index = usize::try_from(self.below(letters.len() as u64)).ok()?;
                letters.get(index).map(|letter| char::from(*letter))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_labels_draw_equal_sequences_and_labels_are_independent() {
        let seed = Seed::new(7);
        let first = seed.stream("a");
        let second = seed.stream("a");
        seed.stream("b").next_u64();
        assert_eq!(first.uuid(), second.uuid());
        assert_ne!(first.uuid(), seed.stream("b").uuid());
        assert_eq!(first.text(5, "x"), "xxxxx");
    }
}
