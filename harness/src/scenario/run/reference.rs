//! Objects as people name them: `apps/v1/Deployment azure-arc/config-agent`.

use serde_json::{Value, json};

/// An object by version, kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Reference {
    /// Reads `VERSION/KIND [NAMESPACE/]NAME`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not VERSION/KIND [NAMESPACE/]NAME");
        let (kind, name) = text.split_once(' ').ok_or_else(wrong)?;
        let (version, kind) = kind.rsplit_once('/').ok_or_else(wrong)?;
        let (namespace, name) = name.trim().split_once('/').unwrap_or(("", name.trim()));
        if [version, kind, name].iter().any(|part| part.is_empty()) {
            return Err(wrong());
        }
        let own = ToOwned::to_owned;
        Ok(Self { version: own(version), kind: own(kind), namespace: own(namespace), name: own(name) })
    }

    /// The object as far as it is named.
    pub(super) fn object(&self) -> Value {
        let mut object =
            json!({ "apiVersion": self.version, "kind": self.kind, "metadata": { "name": self.name } });
        if !self.namespace.is_empty() {
            object["metadata"]["namespace"] = self.namespace.as_str().into();
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_what_is_none_is_refused() {
        let object = Reference::parse("apps/v1/Deployment azure-arc/config-agent").unwrap().object();
        assert_eq!((&object["apiVersion"], &object["kind"]), (&"apps/v1".into(), &"Deployment".into()));
        assert_eq!(object["metadata"], json!({"name": "config-agent", "namespace": "azure-arc"}));
        assert_eq!(
            Reference::parse("v1/Node node-1").unwrap().object()["metadata"],
            json!({"name": "node-1"})
        );
        for wrong in ["", "Node node-1", "v1/Node", "v1/Node a/"] {
            assert!(Reference::parse(wrong).is_err(), "{wrong}");
        }
    }
}
