//! Which lists and maps of the built-in types merge, and by what. One table for strategic merge, server-side apply
//! and the published schemas.
//!
//! Source: the extensions `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`, `-patch-strategy` and
//! `-patch-merge-key` in the OpenAPI description of Kubernetes v1.34. What is not listed has the usual meaning: lists are
//! replaced as a whole, objects merge field by field.

use serde_json::{Map, Value, json};

/// How a list of a type merges. A row is: type, field, list type with its keys, patch strategy, patch merge key.
///
/// The type is the definition's name without `io.k8s.` and `api.`; list type `map:a,b` has the keys `a` and `b`.
const FIELDS: &str = "
admissionregistration.v1.MutatingWebhook matchConditions map:name merge name
admissionregistration.v1.MutatingWebhookConfiguration webhooks map:name merge name
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec validationActions set - -
admissionregistration.v1.ValidatingAdmissionPolicySpec matchConditions map:name merge name
admissionregistration.v1.ValidatingAdmissionPolicySpec variables map:name merge name
admissionregistration.v1.ValidatingAdmissionPolicyStatus conditions map:type - -
admissionregistration.v1.ValidatingWebhook matchConditions map:name merge name
admissionregistration.v1.ValidatingWebhookConfiguration webhooks map:name merge name
apps.v1.DaemonSetStatus conditions map:type merge type
apps.v1.DeploymentSpec strategy - retainKeys -
apps.v1.DeploymentStatus conditions map:type merge type
apps.v1.ReplicaSetStatus conditions map:type merge type
apps.v1.StatefulSetStatus conditions map:type merge type
autoscaling.v2.HorizontalPodAutoscalerStatus conditions map:type merge type
batch.v1.JobStatus conditions atomic merge type
batch.v1.PodFailurePolicyOnExitCodesRequirement values set - -
batch.v1.UncountedTerminatedPods failed set - -
batch.v1.UncountedTerminatedPods succeeded set - -
certificates.v1.CertificateSigningRequestStatus conditions map:type - -
core.v1.Container env map:name merge name
core.v1.Container ports map:containerPort,protocol merge containerPort
core.v1.Container volumeDevices map:devicePath merge devicePath
core.v1.Container volumeMounts map:mountPath merge mountPath
core.v1.ContainerRestartRuleOnExitCodes values set - -
core.v1.ContainerStatus allocatedResourcesStatus map:name merge name
core.v1.ContainerStatus volumeMounts map:mountPath merge mountPath
core.v1.EphemeralContainer env map:name merge name
core.v1.EphemeralContainer ports map:containerPort,protocol merge containerPort
core.v1.EphemeralContainer volumeDevices map:devicePath merge devicePath
core.v1.EphemeralContainer volumeMounts map:mountPath merge mountPath
core.v1.NamespaceStatus conditions map:type merge type
core.v1.NodeSpec podCIDRs set merge -
core.v1.NodeStatus addresses map:type merge type
core.v1.NodeStatus conditions map:type merge type
core.v1.PersistentVolumeClaimStatus conditions map:type merge type
core.v1.PodSpec containers map:name merge name
core.v1.PodSpec ephemeralContainers map:name merge name
core.v1.PodSpec hostAliases map:ip merge ip
core.v1.PodSpec imagePullSecrets map:name merge name
core.v1.PodSpec initContainers map:name merge name
core.v1.PodSpec nodeSelector atomic-map - -
core.v1.PodSpec resourceClaims map:name merge,retainKeys name
core.v1.PodSpec schedulingGates map:name merge name
core.v1.PodSpec topologySpreadConstraints map:topologyKey,whenUnsatisfiable merge topologyKey
core.v1.PodSpec volumes map:name merge,retainKeys name
core.v1.PodStatus conditions map:type merge type
core.v1.PodStatus hostIPs atomic merge ip
core.v1.PodStatus podIPs map:ip merge ip
core.v1.PodStatus resourceClaimStatuses map:name merge,retainKeys name
core.v1.PersistentVolumeClaimStatus allocatedResourceStatuses granular-map - -
core.v1.PersistentVolumeSpec claimRef granular-map - -
core.v1.ReplicationControllerSpec selector atomic-map - -
core.v1.ReplicationControllerStatus conditions map:type merge type
core.v1.ResourceRequirements claims map:name - -
core.v1.ResourceStatus resources map:resourceID - -
core.v1.ServiceAccount secrets map:name merge name
core.v1.ServiceSpec ports map:port,protocol merge port
core.v1.ServiceSpec selector atomic-map - -
core.v1.ServiceStatus conditions map:type merge type
discovery.v1.Endpoint addresses set - -
flowcontrol.v1.FlowSchemaStatus conditions map:type merge type
flowcontrol.v1.NonResourcePolicyRule nonResourceURLs set - -
flowcontrol.v1.NonResourcePolicyRule verbs set - -
flowcontrol.v1.PriorityLevelConfigurationStatus conditions map:type merge type
flowcontrol.v1.ResourcePolicyRule apiGroups set - -
flowcontrol.v1.ResourcePolicyRule namespaces set - -
flowcontrol.v1.ResourcePolicyRule resources set - -
flowcontrol.v1.ResourcePolicyRule verbs set - -
networking.v1.ServiceCIDRStatus conditions map:type merge type
node.v1.Scheduling nodeSelector atomic-map - -
policy.v1.PodDisruptionBudgetSpec selector - replace -
policy.v1.PodDisruptionBudgetStatus conditions map:type merge type
storage.v1.CSIDriverSpec volumeLifecycleModes set - -
storage.v1.CSINodeSpec drivers map:name merge name
apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus conditions map:type - -
apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps x-kubernetes-validations map:rule merge rule
apimachinery.pkg.apis.meta.v1.ObjectMeta finalizers set merge -
apimachinery.pkg.apis.meta.v1.ObjectMeta ownerReferences map:uid merge uid
kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatus conditions map:type merge type
";

/// Types whose objects are replaced as a whole.
const ATOMIC_TYPES: &str = "
admissionregistration.v1.MatchResources
admissionregistration.v1.NamedRuleWithOperations
admissionregistration.v1.ParamKind
admissionregistration.v1.ParamRef
admissionregistration.v1.Variable
autoscaling.v1.CrossVersionObjectReference
core.v1.ConfigMapKeySelector
core.v1.EndpointAddress
core.v1.EndpointPort
core.v1.FileKeySelector
core.v1.LocalObjectReference
core.v1.NodeSelector
core.v1.NodeSelectorTerm
core.v1.ObjectFieldSelector
core.v1.ObjectReference
core.v1.ResourceFieldSelector
core.v1.ScopeSelector
core.v1.SecretKeySelector
core.v1.SecretReference
core.v1.TopologySelectorTerm
core.v1.TypedLocalObjectReference
discovery.v1.EndpointPort
networking.v1.ServiceBackendPort
rbac.v1.RoleRef
rbac.v1.Subject
apimachinery.pkg.apis.meta.v1.LabelSelector
apimachinery.pkg.apis.meta.v1.OwnerReference
apimachinery.pkg.runtime.RawExtension
";

/// Keys of merging lists that a client may leave out, and what they mean then.
const KEY_DEFAULTS: [(&str, &str, &str); 2] =
    [("core.v1.ContainerPort", "protocol", "TCP"), ("core.v1.ServicePort", "protocol", "TCP")];

/// The full name of a definition that the tables name in short.
pub(super) fn full_name(short: &str) -> String {
    let elsewhere = ["apimachinery.", "apiextensions-apiserver.", "kube-aggregator."];
    let prefix =
        if elsewhere.iter().any(|start| short.starts_with(start)) { "io.k8s." } else { "io.k8s.api." };
    format!("{prefix}{short}")
}

/// Writes the table into the definitions of the built-in types; rows whose type is not there are passed over.
pub(super) fn annotate(definitions: &mut Map<String, Value>) {
    for row in FIELDS.lines().filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.split(' ').collect();
        if let [owner, field, list, strategy, key] = cells[..] {
            let definition = definitions.get_mut(&full_name(owner));
            if let Some(Value::Object(site)) =
                definition.and_then(|it| it.get_mut("properties")?.get_mut(field))
            {
                annotate_field(site, list, strategy, key);
            }
        }
    }
    for short in ATOMIC_TYPES.split_whitespace() {
        if let Some(Value::Object(definition)) = definitions.get_mut(&full_name(short)) {
            definition.insert("x-kubernetes-map-type".into(), json!("atomic"));
        }
    }
    for (owner, field, value) in KEY_DEFAULTS {
        if let Some(Value::Object(site)) =
            definitions.get_mut(&full_name(owner)).and_then(|it| it.get_mut("properties")?.get_mut(field))
        {
            site.insert("default".into(), json!(value));
        }
    }
}

fn annotate_field(site: &mut Map<String, Value>, list: &str, strategy: &str, key: &str) {
    match list.split_once(':') {
        Some((kind, keys)) => {
            let keys: Vec<&str> = keys.split(',').collect();
            site.insert("x-kubernetes-list-map-keys".into(), json!(keys));
            site.insert("x-kubernetes-list-type".into(), json!(kind));
        }
        None => match list {
            "-" => {}
            "atomic-map" => drop(site.insert("x-kubernetes-map-type".into(), json!("atomic"))),
            "granular-map" => drop(site.insert("x-kubernetes-map-type".into(), json!("granular"))),
            kind => drop(site.insert("x-kubernetes-list-type".into(), json!(kind))),
        },
    }
    if key != "-" {
        site.insert("x-kubernetes-patch-merge-key".into(), json!(key));
    }
    if strategy != "-" {
        site.insert("x-kubernetes-patch-strategy".into(), json!(strategy));
    }
}
