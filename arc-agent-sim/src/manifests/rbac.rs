//! Service accounts and what they may do.

use serde_json::{Value, json};

use super::{AgentSettings, NAMESPACE};

/// The account of every agent but one.
pub(super) const OPERATOR: &str = "azure-arc-operatorsa";
/// The account of `kube-aad-proxy`.
pub(super) const AAD_PROXY: &str = "azure-arc-kube-aad-proxy-sa";

const API_GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let mut all = vec![account(OPERATOR), bind("azure-arc-operator", "cluster-admin", OPERATOR)];
    if settings.cluster_connect {
        all.extend([account(AAD_PROXY), impersonation(), bind(AAD_PROXY_ROLE, AAD_PROXY_ROLE, AAD_PROXY)]);
        all.extend(certificate_reader());
    }
    if let Some(application) = &settings.custom_locations {
        all.extend(custom_locations(application));
    }
    all
}

const AAD_PROXY_ROLE: &str = "azure-arc-kube-aad-proxy-operator";

fn account(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": name, "namespace": NAMESPACE },
    })
}

fn bind(name: &str, role: &str, account: &str) -> Value {
    json!({
        "apiVersion": format!("{API_GROUP}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name },
        "roleRef": { "apiGroup": API_GROUP, "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": NAMESPACE }],
    })
}

fn impersonation() -> Value {
    json!({
        "apiVersion": format!("{API_GROUP}/v1"),
        "kind": "ClusterRole",
        "metadata": { "name": AAD_PROXY_ROLE },
        "rules": [
            { "apiGroups": [""], "resources": ["users", "groups", "serviceaccounts"], "verbs": ["impersonate"] },
            {
                "apiGroups": ["authentication.k8s.io"],
                "resources": ["userextras/oid", "userextras/obo"],
                "verbs": ["impersonate"],
            },
        ],
    })
}

/// What the resource provider of custom locations may do. The rules of the real role are not public: ours allow all.
fn custom_locations(application: &str) -> [Value; 2] {
    let (role, binding) =
        ("AzureArc-Microsoft.ExtendedLocation-RP-Role", "AzureArc-Microsoft.ExtendedLocation-RP-RoleBinding");
    [
        json!({
            "apiVersion": format!("{API_GROUP}/v1"),
            "kind": "ClusterRole",
            "metadata": { "name": role },
            "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }],
        }),
        json!({
            "apiVersion": format!("{API_GROUP}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": { "name": binding },
            "roleRef": { "apiGroup": API_GROUP, "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": API_GROUP, "kind": "User", "name": application }],
        }),
    ]
}

/// What lets the proxy ask for its certificate and its token.
fn certificate_reader() -> [Value; 2] {
    let name = "azure-arc-kube-aad-proxy-identity";
    let role = json!({
        "apiVersion": format!("{API_GROUP}/v1"),
        "kind": "Role",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "rules": [{
            "apiGroups": ["clusterconfig.azure.com"],
            "resources": ["arccertificates"],
            "verbs": ["get", "list", "watch"],
        }],
    });
    let binding = json!({
        "apiVersion": format!("{API_GROUP}/v1"),
        "kind": "RoleBinding",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "roleRef": { "apiGroup": API_GROUP, "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": AAD_PROXY, "namespace": NAMESPACE }],
    });
    [role, binding]
}
