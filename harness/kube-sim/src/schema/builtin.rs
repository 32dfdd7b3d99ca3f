//! The schemas of the built-in types: what k8s-openapi says of them, gathered when this package was built.

use std::io::Read as _;
use std::sync::Arc;

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use super::place::{Definitions, REF};
use super::{enums, merge_keys};

/// A definition that has a group, a version and a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
}

/// All definitions, and which kinds they are.
#[derive(Debug)]
pub(super) struct Builtin {
    pub(super) definitions: Arc<Definitions>,
    /// Definition name by kind.
    pub(super) kinds: Vec<(Named, &'static str)>,
}

/// Definitions by name, as the generator describes them.
const DEFINITIONS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/definitions.json.gz"));

/// Group, version, kind, name of the definition.
const KINDS: &[(&str, &str, &str, &str)] = &include!(concat!(env!("OUT_DIR"), "/kinds.rs"));

/// Reads and completes everything; milliseconds.
pub(super) fn generate() -> Builtin {
    let mut definitions = definitions();
    for (name, definition) in &mut definitions {
        tidy(name, definition);
    }
    merge_keys::annotate(&mut definitions);
    enums::annotate(&mut definitions);
    let named = |&(group, version, kind, name): &(_, _, _, _)| (Named { group, version, kind }, name);
    let kinds: Vec<(Named, &'static str)> = KINDS.iter().map(named).collect();
    for (named, name) in &kinds {
        if let Some(Value::Object(definition)) = definitions.get_mut(*name) {
            definition.insert(GVK.into(), gvk(*named));
        }
    }
    let mut lists = Map::new();
    for (named, name) in &kinds {
        add_list(&mut lists, named.group, named.version, named.kind, name);
    }
    definitions.extend(lists);
    Builtin { definitions: Arc::new(definitions), kinds }
}

/// What was packed when this package was built. It unpacks; the tests would fail if it did not.
fn definitions() -> Definitions {
    let mut text = Vec::new();
    if let Err(error) = GzDecoder::new(DEFINITIONS).read_to_end(&mut text) {
        tracing::error!(%error, "the built-in schemas cannot be unpacked");
    }
    serde_json::from_slice(&text).unwrap_or_default()
}

fn gvk(named: Named) -> Value {
    json!([{"group": named.group, "kind": named.kind, "version": named.version}])
}

/// What the generator says differently from a real server's description.
fn tidy(name: &str, definition: &mut Value) {
    let Value::Object(body) = definition else { return };
    if body.contains_key("x-kubernetes-int-or-string") {
        body.remove("x-kubernetes-int-or-string");
        let quantity = name.ends_with(".Quantity");
        let number = if quantity { "number" } else { "integer" };
        let mut kinds = vec![json!({"type": number}), json!({"type": "string"})];
        if quantity {
            kinds.reverse();
        } else {
            body.insert("format".into(), json!("int-or-string"));
        }
        body.insert("oneOf".into(), Value::Array(kinds));
    }
    let kind = name.rsplit('.').next().unwrap_or_default();
    // Any JSON value, and values of two kinds: nothing is known of what they hold.
    if kind == "JSON" || kind.starts_with("JSONSchemaPropsOr") {
        body.remove("type");
        body.remove("oneOf");
    }
    let fields = body.get("properties").and_then(Value::as_object);
    let typed = fields.is_some_and(|it| it.contains_key("apiVersion") && it.contains_key("metadata"));
    // Empty when missing, on the wire: the metadata of all kinds but core events, and names of references.
    let optional = match kind {
        "Event" if name.contains(".core.") => "",
        "ConfigMapKeySelector"
        | "SecretKeySelector"
        | "ConfigMapEnvSource"
        | "SecretEnvSource"
        | "LocalObjectReference"
        | "ConfigMapVolumeSource"
        | "ConfigMapProjection"
        | "SecretProjection" => "name",
        _ if typed => "metadata",
        _ => "",
    };
    let stated = body.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut required: Vec<Value> = stated.into_iter().filter(|field| field != optional).collect();
    match (kind, name.contains(".core.")) {
        ("Event", true) if !required.contains(&json!("metadata")) => required.insert(0, json!("metadata")),
        ("Event", false) if !required.contains(&json!("eventTime")) => required.push(json!("eventTime")),
        _ => {}
    }
    if required.is_empty() {
        body.remove("required");
    } else {
        body.insert("required".into(), Value::Array(required));
    }
}

/// Adds the list type of a kind.
pub(super) fn add_list(lists: &mut Map<String, Value>, group: &str, version: &str, kind: &str, name: &str) {
    let list = json!({
        "description": format!("{kind}List is a list of {kind}."),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"description": API_VERSION, "type": "string"},
            "items": {"description": "Items of the list.", "type": "array", "items": {"$ref": format!("{REF}{name}")}},
            "kind": {"description": KIND, "type": "string"},
            "metadata": {"$ref": format!("{REF}{LIST_META}"), "description": "Standard list metadata."},
        },
        GVK: [{"group": group, "kind": format!("{kind}List"), "version": version}],
    });
    lists.insert(format!("{name}List"), list);
}

/// The extension that tells which kind a definition is.
pub(super) const GVK: &str = "x-kubernetes-group-version-kind";
/// Definition name of list metadata.
pub(super) const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
/// Definition name of object metadata.
pub(super) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// Description of `apiVersion`, for schemas that do not have one.
pub(super) const API_VERSION: &str =
    "Version of the schema that this object follows, with its group: `apps/v1`, or `v1` for the core group.";
/// Description of `kind`, for schemas that do not have one.
pub(super) const KIND: &str = "Name of the kind of this object, in CamelCase. It cannot be changed.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_types_carry_their_merge_keys_and_kinds() {
        let builtin = generate();
        let container = &builtin.definitions["io.k8s.api.core.v1.Container"];
        let ports = &container["properties"]["ports"];
        assert_eq!(ports["x-kubernetes-list-map-keys"], json!(["containerPort", "protocol"]));
        assert_eq!(ports["x-kubernetes-patch-merge-key"], "containerPort");
        let deployment = &builtin.definitions["io.k8s.api.apps.v1.Deployment"];
        assert_eq!(
            deployment["x-kubernetes-group-version-kind"],
            json!([{"group": "apps", "kind": "Deployment", "version": "v1"}])
        );
        assert!(deployment.get("required").is_none());
    }

    #[test]
    fn every_reference_has_a_definition() {
        let builtin = generate();
        let text = serde_json::to_string(&builtin.definitions).unwrap();
        for part in text.split(REF).skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(builtin.definitions.contains_key(name), "{name}");
        }
    }
}
