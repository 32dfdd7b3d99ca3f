//! Java's own key store format, written with trusted certificates only.
//!
//! Source: the format of `sun.security.provider.JavaKeyStore`, version 2. Every Java since 1.2 reads it.

use aws_lc_rs::digest;

/// The password of the stores made here: what every Java installation uses for its own. Trust stores hold nothing
/// secret; the password only feeds the checksum.
pub(super) const PASSWORD: &str = "changeit";

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
/// Mixed into the checksum by the format's definition.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// A trust store of these DER certificates, under the aliases `dryarc-0`, `dryarc-1`, …, all noted as added at
/// `now_millis` (milliseconds since 1970).
#[must_use]
pub fn trust_store(certificates: &[&[u8]], now_millis: u64) -> Vec<u8> {
    let mut store = Vec::new();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    store.extend(MAGIC.to_be_bytes());
    store.extend(VERSION.to_be_bytes());
    store.extend(count(certificates.len()));
    for (index, certificate) in certificates.iter().enumerate() {
        store.extend(TRUSTED_CERTIFICATE.to_be_bytes());
        push_text(&mut store, &format!("dryarc-{index}"));
        store.extend(now_millis.to_be_bytes());
        push_text(&mut store, "X.509");
        store.extend(count(certificate.len()));
        store.extend(*certificate);
    }
    let checksum = checksum(&store);
    store.extend(checksum.as_ref());
    store
}

/// Java's modified UTF-8 equals ASCII for the texts used here.
fn push_text(store: &mut Vec<u8>, text: &str) {
    store.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    store.extend(text.as_bytes());
}

fn checksum(content: &[u8]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        context.update(&unit.to_be_bytes());
    }
    context.update(WHITENER);
    context.update(content);
    context.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_magic_version_count_entries_checksum() {
        let store = trust_store(&[b"certificate"], 1);
        assert_eq!(store[..12], [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 1]);
        assert_eq!(store[12..18], [0, 0, 0, 2, 0, 8]);
        assert_eq!(&store[18..26], b"dryarc-0");
        assert_eq!(store.len(), 12 + 4 + 10 + 8 + 7 + 4 + 11 + 20);
        assert_ne!(store[store.len() - 20..], trust_store(&[b"other"], 1)[..20]);
    }
}
