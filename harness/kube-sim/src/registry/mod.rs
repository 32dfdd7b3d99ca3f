//! Which kinds exist: the built-in ones as data, custom ones as definitions say.

mod custom;
mod kind;
mod table;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

pub(crate) use custom::{any_version, served_versions};
pub use kind::{Custom, Kind, ScalePaths, Sub};

/// The ledger table of CustomResourceDefinitions.
pub const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// The kinds that the server serves. Cheap to clone; clones share the content.
#[derive(Clone)]
pub struct Registry(Arc<RwLock<Content>>);

struct Content {
    kinds: Vec<Arc<Kind>>,
    builtin: usize,
    generation: u64,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("kinds", &self.all().len()).finish()
    }
}

impl Registry {
    /// The built-in kinds.
    #[must_use]
    pub fn builtin() -> Self {
        let kinds: Vec<_> = table::builtin().into_iter().map(Arc::new).collect();
        let builtin = kinds.len();
        Self(Arc::new(RwLock::new(Content { kinds, builtin, generation: 1 })))
    }

    fn read<T>(&self, read: impl FnOnce(&Content) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn first(&self, wanted: impl Fn(&Kind) -> bool) -> Option<Arc<Kind>> {
        self.read(|content| content.kinds.iter().find(|kind| wanted(kind)).cloned())
    }

    /// The kind that `/apis/{group}/{version}/{plural}` names.
    #[must_use]
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        self.first(|kind| kind.plural == plural && kind.group == group && kind.version == version)
    }

    /// The kind of this name, in the version that the server prefers.
    #[must_use]
    pub fn by_kind(&self, group: &str, kind: &str) -> Option<Arc<Kind>> {
        self.first(|candidate| candidate.is(group, kind))
    }

    /// The kind of this name in this version.
    #[must_use]
    pub fn by_version(&self, group: &str, version: &str, kind: &str) -> Option<Arc<Kind>> {
        self.first(|candidate| candidate.version == version && candidate.is(group, kind))
    }

    /// The kind of this plural name, in the version that the server prefers.
    #[must_use]
    pub fn by_plural(&self, group: &str, plural: &str) -> Option<Arc<Kind>> {
        self.first(|kind| kind.plural == plural && kind.group == group)
    }

    /// The kind that `apiVersion` and `kind` of an object name.
    #[must_use]
    pub fn of(&self, object: &Value) -> Option<Arc<Kind>> {
        let api_version = object.get("apiVersion")?.as_str()?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.by_version(group, version, object.get("kind")?.as_str()?)
    }

    /// Every kind, in the order of discovery: built-in groups first, versions of a group by preference.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Kind>> {
        self.read(|content| content.kinds.clone())
    }

    /// A number that changes whenever the kinds do: what caches of discovery and schemas go by.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.read(|content| content.generation)
    }

    /// Replaces all custom kinds by those of the established ones among `definitions`.
    pub fn set_definitions<'a>(&self, definitions: impl IntoIterator<Item = &'a Value>) {
        let mut custom: Vec<_> = definitions.into_iter().flat_map(custom::kinds).map(Arc::new).collect();
        custom.sort_by(|a, b| {
            let by_version = || custom::version_rank(&b.version).cmp(&custom::version_rank(&a.version));
            a.group.cmp(&b.group).then_with(by_version).then_with(|| a.plural.cmp(&b.plural))
        });
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let builtin = content.builtin;
        if content.kinds.get(builtin..) != Some(custom.as_slice()) {
            content.kinds.truncate(builtin);
            content.kinds.extend(custom);
            content.generation += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_found_by_path_by_name_and_by_object() {
        let registry = Registry::builtin();
        let pods = registry.find("", "v1", "pods").unwrap();
        assert!(pods.namespaced && pods.has(Sub::Log) && pods.table() == "core/pods");
        assert_eq!(registry.by_kind("autoscaling", "HorizontalPodAutoscaler").unwrap().version, "v2");
        let object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"});
        assert_eq!(registry.of(&object).unwrap().plural, "clusterroles");
        assert!(registry.find("apps", "v1beta1", "deployments").is_none());
    }

    #[test]
    fn a_definition_joins_and_leaves() {
        let registry = Registry::builtin();
        let before = registry.generation();
        let definition = json!({
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"]},
                "versions": [
                    {"name": "v1beta1", "served": true, "storage": false, "schema": {}},
                    {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}},
                ],
            },
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        });
        registry.set_definitions([&definition]);
        let kind = registry.by_kind("example.com", "Thing").unwrap();
        assert_eq!((kind.version.as_str(), kind.singular.as_str()), ("v1", "thing"));
        assert!(kind.has(Sub::Status) && !kind.has(Sub::Scale));
        assert!(registry.generation() > before);
        registry.set_definitions([]);
        assert!(registry.by_kind("example.com", "Thing").is_none());
    }
}
