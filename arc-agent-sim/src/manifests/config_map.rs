//! ConfigMap `azure-clusterconfig`, which every agent loads as its environment, and those of the companions.

use serde_json::{Map, Value, json};

use super::{AgentSettings, NAMESPACE};

/// The one that agents and the Azure CLI read.
pub(super) const CLUSTER: &str = "azure-clusterconfig";
/// What the log forwarders read.
pub(super) const FLUENT_BIT: &str = "azure-fluentbit-config";
/// What the metrics agent reads.
pub(super) const TELEGRAF: &str = "azure-telegraf-config";

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let mut cluster = Map::new();
    for (key, value) in identity(settings).into_iter().chain(life(settings)).chain(endpoints(settings)) {
        cluster.insert(key.into(), Value::String(value));
    }
    for (key, value) in switches(settings) {
        cluster.insert(key.into(), Value::String(value.into()));
    }
    vec![
        config_map(CLUSTER, Value::Object(cluster)),
        config_map(
            FLUENT_BIT,
            json!({ "fluent-bit.conf": "[SERVICE]\n    Flush 30\n    Log_Level error\n" }),
        ),
        config_map(
            TELEGRAF,
            json!({ "telegraf.conf": "[agent]\n  interval = \"300s\"\n  flush_interval = \"45s\"\n" }),
        ),
    ]
}

fn config_map(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "data": data,
    })
}

type Entry = (&'static str, String);

/// Whose cluster this is.
fn identity(settings: &AgentSettings) -> Vec<Entry> {
    let tags = serde_json::to_string(&settings.tags).unwrap_or_default();
    vec![
        ("AZURE_RESOURCE_NAME", settings.name.clone()),
        ("AZURE_RESOURCE_GROUP", settings.resource_group.clone()),
        ("AZURE_SUBSCRIPTION_ID", settings.subscription.clone()),
        ("AZURE_TENANT_ID", settings.tenant.clone()),
        ("AZURE_REGION", settings.location.clone()),
        ("RP_NAMESPACE", "Microsoft.Kubernetes".into()),
        ("CLUSTER_TYPE", "ConnectedClusters".into()),
        ("TAGS", tags),
        ("AZURE_ENVIRONMENT", settings.environment.clone()),
        ("KUBERNETES_DISTRO", settings.distribution.clone()),
        ("KUBERNETES_INFRA", settings.infrastructure.clone()),
        ("ONBOARDING_SECRET_NAME", super::secrets::ONBOARDING_KEY.into()),
        ("ONBOARDING_SECRET_NAMESPACE", NAMESPACE.into()),
    ]
}

/// How the agents live and are upgraded.
fn life(settings: &AgentSettings) -> Vec<Entry> {
    vec![
        ("AZURE_ARC_AGENT_VERSION", settings.agent_version.clone()),
        ("AZURE_ARC_AUTOUPDATE", settings.auto_update.to_string()),
        ("HELM_AUTO_UPDATE_CHECK_FREQUENCY_IN_MINUTES", "60".into()),
        ("ARC_AGENT_RELEASE_TRAIN", settings.release_train.clone()),
        ("ARC_AGENT_HELM_CHART_NAME", "azure-arc-k8sagents".into()),
        ("AZURE_ARC_RELEASE_NAME", "azure-arc".into()),
        ("AZURE_ARC_HELM_NAMESPACE", "azure-arc-release".into()),
        ("DEBUG_LOGGING", "false".into()),
    ]
}

/// Whom they call. An override is there only when it is one.
fn endpoints(settings: &AgentSettings) -> Vec<Entry> {
    let mut all = vec![
        ("AZURE_RESOURCE_MANAGER_ENDPOINT", settings.resource_manager_endpoint.clone()),
        ("ACTIVE_DIRECTORY_ENDPOINT", settings.active_directory_endpoint.clone()),
    ];
    if let Some(endpoint) = &settings.data_plane_endpoint {
        all.push(("DP_ENDPOINT_OVERRIDE", endpoint.clone()));
    }
    all
}

/// Numbers and switches that are the same for every cluster, but one.
fn switches(settings: &AgentSettings) -> [(&'static str, &'static str); 18] {
    [
        ("MANAGED_IDENTITY_AUTH", "true"),
        ("NO_AUTH_HEADER_DATA_PLANE", "false"),
        ("IS_CLIENT_SECRET_A_TOKEN", "false"),
        ("MAX_STORES", "30"),
        ("MAX_ENTRIES_PER_STORE", "680"),
        ("RESOURCE_SYNC_ENABLE_CHUNKED_SYNC", "false"),
        ("RESOURCE_SYNC_LIST_CHUNK_SIZE", "500"),
        ("CLUSTER_CONNECT_AGENT_ENABLED", if settings.cluster_connect { "true" } else { "false" }),
        ("EXTENSION_OPERATOR_ENABLED", "true"),
        ("GITOPS_ENABLED", "true"),
        ("FLUX_UPSTREAM_SERVICE_ENABLED", "true"),
        ("FLUX_CLIENT_DEFAULT_LOCATION", "mcr.microsoft.com/azurearck8s/arc-preview/fluxctl"),
        ("ENABLE_EXTENSION_EVENT_COLLECTION_SERVICE", "false"),
        ("ENABLE_OIDC_ISSUER", "false"),
        ("CUSTOM_IDENTITY_PROVIDER_ENABLED", "false"),
        ("IS_LEAST_PRIVILEGES_MODE", "false"),
        ("GOFIPS", "0"),
        ("HTTP_USE_CUSTOM_DIALER", "false"),
    ]
}
