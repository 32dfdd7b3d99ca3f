//! The schemas of the built-in types, from k8s-openapi.

use std::sync::Arc;

use k8s_openapi::Resource;
use k8s_openapi::api::{
    admissionregistration::v1 as admission, apps::v1 as apps, authentication::v1 as authentication,
    authorization::v1 as authorization, autoscaling::v1 as autoscaling_v1, autoscaling::v2 as autoscaling_v2,
    batch::v1 as batch, certificates::v1 as certificates, coordination::v1 as coordination, core::v1 as core,
    discovery::v1 as discovery, events::v1 as events, flowcontrol::v1 as flowcontrol,
    networking::v1 as networking, node::v1 as node, policy::v1 as policy, rbac::v1 as rbac,
    scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
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
    pub(super) kinds: Vec<(Named, String)>,
}

struct Collector {
    generator: SchemaGenerator,
    kinds: Vec<(Named, String)>,
}

impl Collector {
    fn kind<T: Resource + JsonSchema>(&mut self) {
        let _ = self.generator.subschema_for::<T>();
        let named = Named { group: T::GROUP, version: T::VERSION, kind: T::KIND };
        self.kinds.push((named, T::schema_name().into_owned()));
    }
}

macro_rules! collect {
    ($collector:ident: $($module:ident { $($kind:ident),* $(,)? })*) => {
        $($($collector.kind::<$module::$kind>();)*)*
    };
}

fn collector() -> Collector {
    let generator = SchemaSettings::openapi3().into_generator();
    let mut all = Collector { generator, kinds: Vec::new() };
    collect!(all:
        core {
            Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolumeClaim,
            PersistentVolume, Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, ServiceAccount, Service,
        }
        apiregistration { APIService }
        apps { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet }
        events { Event }
        authentication { SelfSubjectReview, TokenRequest, TokenReview }
        authorization { LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview }
        autoscaling_v2 { HorizontalPodAutoscaler }
        autoscaling_v1 { HorizontalPodAutoscaler, Scale }
        batch { CronJob, Job }
        certificates { CertificateSigningRequest }
        networking { IngressClass, Ingress, IPAddress, NetworkPolicy, ServiceCIDR }
        policy { Eviction, PodDisruptionBudget }
        rbac { ClusterRoleBinding, ClusterRole, RoleBinding, Role }
        storage {
            CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment, VolumeAttributesClass,
        }
        admission {
            MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
            ValidatingWebhookConfiguration,
        }
        apiextensions { CustomResourceDefinition }
        scheduling { PriorityClass }
        coordination { Lease }
        node { RuntimeClass }
        discovery { EndpointSlice }
        flowcontrol { FlowSchema, PriorityLevelConfiguration }
        meta { Status }
    );
    let _ = all.generator.subschema_for::<meta::DeleteOptions>();
    let _ = all.generator.subschema_for::<meta::ListMeta>();
    all
}

/// Generates everything; milliseconds.
pub(super) fn generate() -> Builtin {
    let mut collector = collector();
    let mut definitions = collector.generator.take_definitions(false);
    for (name, definition) in &mut definitions {
        tidy(name, definition);
    }
    merge_keys::annotate(&mut definitions);
    enums::annotate(&mut definitions);
    for (named, name) in &collector.kinds {
        if let Some(Value::Object(definition)) = definitions.get_mut(name) {
            definition.insert(GVK.into(), gvk(*named));
        }
    }
    let kinds = collector.kinds;
    let mut lists = Map::new();
    for (named, name) in &kinds {
        add_list(&mut lists, named.group, named.version, named.kind, name);
    }
    definitions.extend(lists);
    Builtin { definitions: Arc::new(definitions), kinds }
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
