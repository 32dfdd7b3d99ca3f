//! What the API server publishes of its schemas under `/openapi`.
//!
//! Documents are made from the registry when they are asked for. Compared with a real server: paths of single watches
//! (`/watch/…`) and connect operations are left out.

mod operations;
mod v2;
mod v2_proto;
mod v3;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Map, json};

use super::Schemas;
use crate::registry::{Kind, Registry};

/// Documents that have been made, each with the registry's generation that it shows.
#[derive(Default)]
pub(super) struct Cache(Mutex<BTreeMap<String, (u64, Bytes)>>);

impl Cache {
    fn get(&self, name: &str, generation: u64, make: impl FnOnce() -> Option<Vec<u8>>) -> Option<Bytes> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = lock().get(name).filter(|(of, _)| *of == generation) {
            return Some(made.clone());
        }
        let made = Bytes::from(make()?);
        lock().insert(name.to_owned(), (generation, made.clone()));
        Some(made)
    }
}

/// `api/v1`, `apis/apps/v1`.
fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The kinds of each group version, in the registry's order of kinds.
fn group_versions(registry: &Registry) -> BTreeMap<String, Vec<Arc<Kind>>> {
    let mut all: BTreeMap<String, Vec<Arc<Kind>>> = BTreeMap::new();
    for kind in registry.all() {
        all.entry(path_of(&kind.group, &kind.version)).or_default().push(kind);
    }
    all
}

/// A number that changes with what a group version publishes.
fn hash(kinds: &[Arc<Kind>]) -> String {
    let mut hasher = DefaultHasher::new();
    crate::KUBERNETES_VERSION.hash(&mut hasher);
    for kind in kinds {
        (&kind.kind, &kind.plural, kind.namespaced, kind.subresources.len()).hash(&mut hasher);
        if let Some(schema) = kind.custom.as_ref().and_then(|custom| custom.schema.as_ref()) {
            schema.to_string().hash(&mut hasher);
        }
    }
    format!("{:016X}", hasher.finish())
}

impl Schemas {
    /// The body of `/openapi/v3`: where the document of each group version is. JSON.
    #[must_use]
    pub fn openapi_v3_index(&self, registry: &Registry) -> Bytes {
        let make = || {
            let mut paths = Map::new();
            for (path, kinds) in group_versions(registry) {
                let url = format!("/openapi/v3/{path}?hash={}", hash(&kinds));
                paths.insert(path, json!({"serverRelativeURL": url}));
            }
            Some(json!({"paths": paths}).to_string().into_bytes())
        };
        self.0.documents.get("v3", registry.generation(), make).unwrap_or_default()
    }

    /// The body of `/openapi/v3/{path}`, where `path` is `api/v1` or `apis/GROUP/VERSION`; none when there is no such
    /// group version. JSON.
    #[must_use]
    pub fn openapi_v3(&self, registry: &Registry, path: &str) -> Option<Bytes> {
        let make = || {
            let kinds = group_versions(registry).remove(path)?;
            Some(v3::document(self, path, &kinds).to_string().into_bytes())
        };
        self.0.documents.get(&format!("v3/{path}"), registry.generation(), make)
    }

    /// The body of `/openapi/v2`: one document for everything. JSON.
    #[must_use]
    pub fn openapi_v2(&self, registry: &Registry) -> Bytes {
        let make = || Some(v2::document(self, &group_versions(registry)).to_string().into_bytes());
        self.0.documents.get("v2", registry.generation(), make).unwrap_or_default()
    }

    /// The same as `application/com.github.proto-openapi.spec.v2@v1.0+protobuf`, which is what Kubernetes' Go clients
    /// ask `/openapi/v2` for.
    #[must_use]
    pub fn openapi_v2_protobuf(&self, registry: &Registry) -> Bytes {
        let make = || Some(v2_proto::encode(&v2::document(self, &group_versions(registry))));
        self.0.documents.get("v2.pb", registry.generation(), make).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
