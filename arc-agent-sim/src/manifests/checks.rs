//! The objects of the pre-onboarding checks: what the chart `clusterdiagnosticchecks` renders to.

use serde_json::{Value, json};

use super::ProxySettings;
use super::release::RELEASE_NAMESPACE;
use super::secrets::secret_in;

/// The checks' chart: its name, and the version that the Azure CLI pulls.
pub const CHECKS_CHART: (&str, &str) = ("clusterdiagnosticchecks", "1.36.1");
/// Name of the checks' release.
pub const CHECKS_RELEASE: &str = "cluster-diagnostic-checks";
/// The Job that checks.
pub const CHECKS_JOB: &str = "cluster-diagnostic-checks-job";
/// Its container, in whose log the results are.
pub const CHECKS_CONTAINER: &str = "cluster-diagnostic-checks-container";

const ACCOUNT: &str = "cluster-diagnostic-checkssa";
const PROXY: &str = "cluster-diagnostic-checks-proxy";
const CERTIFICATE: &str = "cluster-diagnostic-checks-cert";
const CERTIFICATE_FILE: &str = "proxy-cert.crt";

/// What the checks are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSettings {
    /// The region, whose hosts are tried.
    pub location: String,
    /// The cloud's name, as the Azure CLI writes it in capitals.
    pub cloud: String,
    /// Host of the registry: of the image, and as a host that is tried.
    pub registry: String,
    /// The proxy that the agents are to use.
    pub proxy: ProxySettings,
}

/// The checks' objects, in the order in which they can be applied one by one; the Job comes last.
#[must_use]
pub fn checks(settings: &CheckSettings) -> Vec<Value> {
    let proxy = &settings.proxy;
    let mut all = Vec::new();
    if let Some(certificate) = &proxy.certificate {
        all.push(secret_in(RELEASE_NAMESPACE, CERTIFICATE, &[(CERTIFICATE_FILE, certificate)]));
    }
    if proxy.is_enabled() {
        all.push(secret_in(RELEASE_NAMESPACE, PROXY, &proxy.variables().collect::<Vec<_>>()));
    }
    all.push(json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": ACCOUNT, "namespace": RELEASE_NAMESPACE },
    }));
    all.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": CHECKS_RELEASE },
        "rules": [{
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "verbs": ["get", "list"],
        }],
    }));
    all.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": CHECKS_RELEASE },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": CHECKS_RELEASE,
        },
        "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": RELEASE_NAMESPACE }],
    }));
    all.push(job(settings));
    all
}

fn job(settings: &CheckSettings) -> Value {
    let (name, version) = CHECKS_CHART;
    let mut container = json!({
        "name": CHECKS_CONTAINER,
        "image": format!("{}/azurearck8s/{name}:{version}", settings.registry),
        "imagePullPolicy": "IfNotPresent",
        "env": [
            { "name": "AZURE_REGION", "value": settings.location },
            { "name": "AZURE_ENVIRONMENT", "value": settings.cloud },
            { "name": "MCR_REPOSITORY", "value": settings.registry },
        ],
        "resources": {
            "requests": { "cpu": "10m", "memory": "20Mi" },
            "limits": { "cpu": "100m", "memory": "100Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
    });
    let mut pod = json!({
        "serviceAccountName": ACCOUNT,
        "restartPolicy": "Never",
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 13243,
            "runAsGroup": 12434,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    if settings.proxy.is_enabled() {
        container["envFrom"] = json!([{ "secretRef": { "name": PROXY } }]);
    }
    if settings.proxy.certificate.is_some() {
        container["volumeMounts"] = json!([{
            "name": "proxy-certstore",
            "mountPath": format!("/usr/local/share/ca-certificates/{CERTIFICATE_FILE}"),
            "subPath": CERTIFICATE_FILE,
            "readOnly": true,
        }]);
        pod["volumes"] = json!([{ "name": "proxy-certstore", "secret": { "secretName": CERTIFICATE } }]);
    }
    pod["containers"] = json!([container]);
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": CHECKS_JOB, "namespace": RELEASE_NAMESPACE },
        "spec": {
            "backoffLimit": 2,
            "template": { "metadata": { "labels": { "app": CHECKS_RELEASE } }, "spec": pod },
        },
    })
}

/// The template of the checks' chart that an object comes from.
#[must_use]
pub fn check_template_of(object: &Value) -> &'static str {
    match object["kind"].as_str() {
        Some("Job") => "job.yaml",
        Some("Secret") => "proxy.yaml",
        _ => "rbac.yaml",
    }
}
