//! Which texts the fields of the built-in types can hold, for the published schemas: `kubectl explain` shows them.
//!
//! Source: `enum` in the OpenAPI description of Kubernetes v1.34, without the names of signals.

use serde_json::{Map, Value, json};

use super::merge_keys::full_name;

/// A row is: type, field, values with commas between them. The type is the definition's name without `io.k8s.` and
/// `api.`; `[]` behind a field means its items, and `-` is the empty text.
const ENUMS: &str = "
admissionregistration.v1.MatchResources matchPolicy Equivalent,Exact
admissionregistration.v1.MutatingWebhook failurePolicy Fail,Ignore
admissionregistration.v1.MutatingWebhook matchPolicy Equivalent,Exact
admissionregistration.v1.MutatingWebhook sideEffects None,NoneOnDryRun,Some,Unknown
admissionregistration.v1.NamedRuleWithOperations operations[] *,CONNECT,CREATE,DELETE,UPDATE
admissionregistration.v1.RuleWithOperations operations[] *,CONNECT,CREATE,DELETE,UPDATE
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec validationActions[] Audit,Deny,Warn
admissionregistration.v1.ValidatingAdmissionPolicySpec failurePolicy Fail,Ignore
admissionregistration.v1.ValidatingWebhook failurePolicy Fail,Ignore
admissionregistration.v1.ValidatingWebhook matchPolicy Equivalent,Exact
admissionregistration.v1.ValidatingWebhook sideEffects None,NoneOnDryRun,Some,Unknown
apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule reason FieldValueDuplicate,FieldValueForbidden,FieldValueInvalid,FieldValueRequired
apps.v1.DaemonSetUpdateStrategy type OnDelete,RollingUpdate
apps.v1.DeploymentStrategy type Recreate,RollingUpdate
apps.v1.StatefulSetSpec podManagementPolicy OrderedReady,Parallel
apps.v1.StatefulSetUpdateStrategy type OnDelete,RollingUpdate
batch.v1.CronJobSpec concurrencyPolicy Allow,Forbid,Replace
batch.v1.JobSpec completionMode Indexed,NonIndexed
batch.v1.JobSpec podReplacementPolicy Failed,TerminatingOrFailed
batch.v1.PodFailurePolicyOnExitCodesRequirement operator In,NotIn
batch.v1.PodFailurePolicyRule action Count,FailIndex,FailJob,Ignore
certificates.v1.CertificateSigningRequestSpec usages[] any,cert sign,client auth,code signing,content commitment,crl sign,data encipherment,decipher only,digital signature,email protection,encipher only,ipsec end system,ipsec tunnel,ipsec user,key agreement,key encipherment,microsoft sgc,netscape sgc,ocsp signing,s/mime,server auth,signing,timestamping
core.v1.AppArmorProfile type Localhost,RuntimeDefault,Unconfined
core.v1.AzureDiskVolumeSource cachingMode None,ReadOnly,ReadWrite
core.v1.AzureDiskVolumeSource kind Dedicated,Managed,Shared
core.v1.Container imagePullPolicy Always,IfNotPresent,Never
core.v1.Container terminationMessagePolicy FallbackToLogsOnError,File
core.v1.ContainerPort protocol SCTP,TCP,UDP
core.v1.EndpointPort protocol SCTP,TCP,UDP
core.v1.EphemeralContainer imagePullPolicy Always,IfNotPresent,Never
core.v1.EphemeralContainer terminationMessagePolicy FallbackToLogsOnError,File
core.v1.HTTPGetAction scheme HTTP,HTTPS
core.v1.HostPathVolumeSource type -,BlockDevice,CharDevice,Directory,DirectoryOrCreate,File,FileOrCreate,Socket
core.v1.ImageVolumeSource pullPolicy Always,IfNotPresent,Never
core.v1.ModifyVolumeStatus status InProgress,Infeasible,Pending
core.v1.NamespaceStatus phase Active,Terminating
core.v1.NodeSelectorRequirement operator DoesNotExist,Exists,Gt,In,Lt,NotIn
core.v1.NodeStatus phase Pending,Running,Terminated
core.v1.PersistentVolumeClaimSpec accessModes[] ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod
core.v1.PersistentVolumeClaimSpec volumeMode Block,Filesystem
core.v1.PersistentVolumeClaimStatus accessModes[] ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod
core.v1.PersistentVolumeClaimStatus phase Bound,Lost,Pending
core.v1.PersistentVolumeSpec accessModes[] ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod
core.v1.PersistentVolumeSpec persistentVolumeReclaimPolicy Delete,Recycle,Retain
core.v1.PersistentVolumeSpec volumeMode Block,Filesystem
core.v1.PersistentVolumeStatus phase Available,Bound,Failed,Pending,Released
core.v1.PodSecurityContext fsGroupChangePolicy Always,OnRootMismatch
core.v1.PodSecurityContext supplementalGroupsPolicy Merge,Strict
core.v1.PodSpec dnsPolicy ClusterFirst,ClusterFirstWithHostNet,Default,None
core.v1.PodSpec preemptionPolicy Never,PreemptLowerPriority
core.v1.PodSpec restartPolicy Always,Never,OnFailure
core.v1.PodStatus phase Failed,Pending,Running,Succeeded,Unknown
core.v1.PodStatus qosClass BestEffort,Burstable,Guaranteed
core.v1.PortStatus protocol SCTP,TCP,UDP
core.v1.ResourceQuotaSpec scopes[] BestEffort,CrossNamespacePodAffinity,NotBestEffort,NotTerminating,PriorityClass,Terminating,VolumeAttributesClass
core.v1.ScopedResourceSelectorRequirement operator DoesNotExist,Exists,In,NotIn
core.v1.ScopedResourceSelectorRequirement scopeName BestEffort,CrossNamespacePodAffinity,NotBestEffort,NotTerminating,PriorityClass,Terminating,VolumeAttributesClass
core.v1.SeccompProfile type Localhost,RuntimeDefault,Unconfined
core.v1.SecurityContext procMount Default,Unmasked
core.v1.ServicePort protocol SCTP,TCP,UDP
core.v1.ServiceSpec externalTrafficPolicy Cluster,Local
core.v1.ServiceSpec internalTrafficPolicy Cluster,Local
core.v1.ServiceSpec ipFamilies[] -,IPv4,IPv6
core.v1.ServiceSpec ipFamilyPolicy PreferDualStack,RequireDualStack,SingleStack
core.v1.ServiceSpec sessionAffinity ClientIP,None
core.v1.ServiceSpec type ClusterIP,ExternalName,LoadBalancer,NodePort
core.v1.Taint effect NoExecute,NoSchedule,PreferNoSchedule
core.v1.Toleration effect NoExecute,NoSchedule,PreferNoSchedule
core.v1.Toleration operator Equal,Exists
core.v1.TopologySpreadConstraint nodeAffinityPolicy Honor,Ignore
core.v1.TopologySpreadConstraint nodeTaintsPolicy Honor,Ignore
core.v1.TopologySpreadConstraint whenUnsatisfiable DoNotSchedule,ScheduleAnyway
core.v1.VolumeMount mountPropagation Bidirectional,HostToContainer,None
discovery.v1.EndpointPort protocol SCTP,TCP,UDP
discovery.v1.EndpointSlice addressType FQDN,IPv4,IPv6
networking.v1.HTTPIngressPath pathType Exact,ImplementationSpecific,Prefix
networking.v1.IngressPortStatus protocol SCTP,TCP,UDP
networking.v1.NetworkPolicyPort protocol SCTP,TCP,UDP
networking.v1.NetworkPolicySpec policyTypes[] Egress,Ingress
policy.v1.PodDisruptionBudgetSpec unhealthyPodEvictionPolicy AlwaysAllow,IfHealthyBudget
scheduling.v1.PriorityClass preemptionPolicy Never,PreemptLowerPriority
storage.v1.StorageClass reclaimPolicy Delete,Recycle,Retain
storage.v1.StorageClass volumeBindingMode Immediate,WaitForFirstConsumer
";

/// Writes the table into the definitions of the built-in types; rows whose type is not there are passed over.
pub(super) fn annotate(definitions: &mut Map<String, Value>) {
    for row in ENUMS.lines().filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.splitn(3, ' ').collect();
        let [owner, field, values] = cells[..] else { continue };
        let (name, items) = field.strip_suffix("[]").map_or((field, false), |name| (name, true));
        let site = definitions
            .get_mut(&full_name(owner))
            .and_then(|definition| definition.get_mut("properties")?.get_mut(name))
            .and_then(|field| if items { field.get_mut("items") } else { Some(field) });
        if let Some(Value::Object(site)) = site {
            let values: Vec<&str> = values.split(',').map(|value| value.trim_start_matches('-')).collect();
            site.insert("enum".into(), json!(values));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_items_get_their_values() {
        let mut definitions = Map::new();
        let pod = json!({"properties": {"restartPolicy": {"type": "string"}}});
        definitions.insert("io.k8s.api.core.v1.PodSpec".into(), pod);
        let policy = json!({"properties": {"policyTypes": {"type": "array", "items": {"type": "string"}}}});
        definitions.insert("io.k8s.api.networking.v1.NetworkPolicySpec".into(), policy);
        annotate(&mut definitions);
        let pod = &definitions["io.k8s.api.core.v1.PodSpec"]["properties"];
        assert_eq!(pod["restartPolicy"]["enum"], json!(["Always", "Never", "OnFailure"]));
        let policy = &definitions["io.k8s.api.networking.v1.NetworkPolicySpec"]["properties"];
        assert_eq!(policy["policyTypes"]["items"]["enum"], json!(["Egress", "Ingress"]));
    }
}
