//! OCI artefacts: a manifest, a configuration, one layer.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use serde_json::{Value, json};

use super::catalog::Source;

/// Media type of every manifest here.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An artefact, ready to be served.
#[derive(Debug)]
pub(super) struct Artefact {
    manifest: Bytes,
    digest: String,
    /// Digest and content: configuration and layer.
    blobs: [(String, Bytes); 2],
}

/// What an artefact is made of.
#[derive(Debug)]
pub(super) struct Content {
    /// Media type and content of the configuration.
    pub(super) config: (&'static str, Bytes),
    /// Media type and content of the layer.
    pub(super) layer: (&'static str, Bytes),
    /// `org.opencontainers.image.title` of the layer: the name under which clients save it.
    pub(super) title: Option<String>,
    /// Annotations of the manifest.
    pub(super) annotations: Vec<(&'static str, String)>,
}

/// `sha256:…` of some bytes.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    hash.as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn descriptor((kind, bytes): &(&'static str, Bytes), digest: &str) -> Value {
    json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
}

impl Artefact {
    pub(super) fn new(content: Content) -> Self {
        let Content { config, layer, title, annotations } = content;
        let (config_digest, layer_digest) = (digest_of(&config.1), digest_of(&layer.1));
        let mut described = descriptor(&layer, &layer_digest);
        if let Some(title) = title {
            described["annotations"] = json!({ "org.opencontainers.image.title": title });
        }
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(&config, &config_digest),
            "layers": [described],
        });
        if !annotations.is_empty() {
            let annotations: serde_json::Map<String, Value> =
                annotations.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            manifest["annotations"] = annotations.into();
        }
        let manifest = Bytes::from(manifest.to_string());
        let digest = digest_of(&manifest);
        Self { manifest, digest, blobs: [(config_digest, config.1), (layer_digest, layer.1)] }
    }

    pub(super) fn manifest(&self) -> Bytes {
        self.manifest.clone()
    }

    /// Digest of the manifest.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    pub(super) fn blob(&self, digest: &str) -> Option<Bytes> {
        self.blobs.iter().find(|(known, _)| known == digest).map(|(_, bytes)| bytes.clone())
    }
}

/// Artefacts that were packed before, so that each is packed once for a world.
#[derive(Debug, Default)]
pub struct Cache(Mutex<HashMap<(String, Source), Arc<Artefact>>>);

impl Cache {
    /// The artefact behind a tag.
    ///
    /// # Errors
    /// A file that cannot be read or packed.
    pub(super) fn get(&self, tag: &str, source: &Source) -> io::Result<Arc<Artefact>> {
        let key = (tag.to_owned(), source.clone());
        let known = |map: &HashMap<_, Arc<Artefact>>| map.get(&key).cloned();
        if let Some(found) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(found);
        }
        let made = Arc::new(Artefact::new(source.pack(tag)?));
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(map.entry(key).or_insert(made).clone())
    }
}
