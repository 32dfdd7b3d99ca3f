//! The built-in kinds, as data. Source: discovery of a real v1.34 API server with its default settings.
//!
//! One section per group version, in the order in which the real server lists groups. A row is: kind, plural, scope
//! and traits, subresources, short names, categories; `-` for none. Scope and traits: `n` namespaced, `c` cluster-wide,
//! `g` counts generations, `q` is only asked and never stored.

use super::kind::{Kind, Sub};

const TABLE: &str = "
# v1
Binding bindings nq - - -
ComponentStatus componentstatuses c - cs -
ConfigMap configmaps n - cm -
Endpoints endpoints n - ep -
Event events n - ev -
LimitRange limitranges n - limits -
Namespace namespaces c finalize,status ns -
Node nodes c proxy,status no -
PersistentVolumeClaim persistentvolumeclaims n status pvc -
PersistentVolume persistentvolumes c status pv -
Pod pods ng attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status po all
PodTemplate podtemplates ng - - -
ReplicationController replicationcontrollers ng scale,status rc all
ResourceQuota resourcequotas n status quota -
Secret secrets n - - -
ServiceAccount serviceaccounts n token sa -
Service services n proxy,status svc all
# apiregistration.k8s.io/v1
APIService apiservices c status - api-extensions
# apps/v1
ControllerRevision controllerrevisions n - - -
DaemonSet daemonsets ng status ds all
Deployment deployments ng scale,status deploy all
ReplicaSet replicasets ng scale,status rs all
StatefulSet statefulsets ng scale,status sts all
# events.k8s.io/v1
Event events n - ev -
# authentication.k8s.io/v1
SelfSubjectReview selfsubjectreviews cq - - -
TokenReview tokenreviews cq - - -
# authorization.k8s.io/v1
LocalSubjectAccessReview localsubjectaccessreviews nq - - -
SelfSubjectAccessReview selfsubjectaccessreviews cq - - -
SelfSubjectRulesReview selfsubjectrulesreviews cq - - -
SubjectAccessReview subjectaccessreviews cq - - -
# autoscaling/v2
HorizontalPodAutoscaler horizontalpodautoscalers n status hpa all
# autoscaling/v1
HorizontalPodAutoscaler horizontalpodautoscalers n status hpa all
# batch/v1
CronJob cronjobs ng status cj all
Job jobs ng status - all
# certificates.k8s.io/v1
CertificateSigningRequest certificatesigningrequests c approval,status csr -
# networking.k8s.io/v1
IngressClass ingressclasses cg - - -
Ingress ingresses ng status ing -
IPAddress ipaddresses c - ip -
NetworkPolicy networkpolicies ng - netpol -
ServiceCIDR servicecidrs c status - -
# policy/v1
PodDisruptionBudget poddisruptionbudgets ng status pdb -
# rbac.authorization.k8s.io/v1
ClusterRoleBinding clusterrolebindings c - - -
ClusterRole clusterroles c - - -
RoleBinding rolebindings n - - -
Role roles n - - -
# storage.k8s.io/v1
CSIDriver csidrivers c - - -
CSINode csinodes c - - -
CSIStorageCapacity csistoragecapacities n - - -
StorageClass storageclasses c - sc -
VolumeAttachment volumeattachments c status - -
VolumeAttributesClass volumeattributesclasses c - vac -
# admissionregistration.k8s.io/v1
MutatingWebhookConfiguration mutatingwebhookconfigurations cg - - api-extensions
ValidatingAdmissionPolicy validatingadmissionpolicies cg status - api-extensions
ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings cg - - api-extensions
ValidatingWebhookConfiguration validatingwebhookconfigurations cg - - api-extensions
# apiextensions.k8s.io/v1
CustomResourceDefinition customresourcedefinitions cg status crd,crds api-extensions
# scheduling.k8s.io/v1
PriorityClass priorityclasses cg - pc -
# coordination.k8s.io/v1
Lease leases n - - -
# node.k8s.io/v1
RuntimeClass runtimeclasses c - - -
# discovery.k8s.io/v1
EndpointSlice endpointslices ng - - -
# resource.k8s.io/v1
DeviceClass deviceclasses cg - - -
ResourceClaim resourceclaims n status - -
ResourceClaimTemplate resourceclaimtemplates n - - -
ResourceSlice resourceslices cg - - -
# flowcontrol.apiserver.k8s.io/v1
FlowSchema flowschemas cg status - -
PriorityLevelConfiguration prioritylevelconfigurations cg status - -
";

/// Every built-in kind, in the order of the table.
pub(super) fn builtin() -> Vec<Kind> {
    let mut kinds = Vec::new();
    let (mut group, mut version) = ("", "");
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        if let Some(header) = line.strip_prefix("# ") {
            (group, version) = header.split_once('/').unwrap_or(("", header));
        } else if let Some(kind) = row(group, version, line) {
            kinds.push(kind);
        }
    }
    kinds
}

fn row(group: &str, version: &str, line: &str) -> Option<Kind> {
    let mut cells = line.split(' ');
    let (name, plural, traits) = (cells.next()?, cells.next()?, cells.next()?);
    let mut words = || -> Vec<String> {
        let cell = cells.next().unwrap_or("-");
        cell.split(',').filter(|word| *word != "-").map(ToOwned::to_owned).collect()
    };
    let subresources = words().iter().filter_map(|sub| Sub::named(sub)).collect();
    // Events have one storage under two groups.
    let table_group = if group.is_empty() || group == "events.k8s.io" { "core" } else { group };
    Some(Kind {
        group: group.into(),
        version: version.into(),
        kind: name.into(),
        list_kind: format!("{name}List"),
        plural: plural.into(),
        singular: name.to_lowercase(),
        short_names: words(),
        categories: words(),
        namespaced: traits.starts_with('n'),
        stored: !traits.contains('q'),
        generation: traits.contains('g'),
        subresources,
        builtin: true,
        custom: None,
        table: format!("{table_group}/{plural}"),
    })
}
