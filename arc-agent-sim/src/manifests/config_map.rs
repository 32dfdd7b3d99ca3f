//! ConfigMap `azure-clusterconfig`, which every agent loads as its environment, and those of the companions.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{AgentSettings, NAMESPACE};

/// The one that agents and the Azure CLI read.
pub(super) const CLUSTER: &str = "azure-clusterconfig";
/// What the log forwarders read.
pub(super) const FLUENT_BIT: &str = "azure-fluentbit-config";
/// What the metrics agent reads.
pub(super) const TELEGRAF: &str = "azure-telegraf-config";

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let forwarder = format!(
        "[SERVICE]\n    Flush 30\n    Log_Level error\n[INPUT]\n    Name tail\n    Path {}\n",
        settings.container_log_path
    );
    let metrics = "[agent]\n  interval = \"300s\"\n  flush_interval = \"45s\"\n";
    vec![
        config_map(CLUSTER, json!(cluster(settings))),
        config_map(FLUENT_BIT, json!({ "fluent-bit.conf": forwarder })),
        config_map(TELEGRAF, json!({ "telegraf.conf": metrics })),
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

fn cluster(settings: &AgentSettings) -> BTreeMap<&'static str, String> {
    let switches = switches(settings).into_iter().map(|(key, value)| (key, value.to_owned()));
    identity(settings).into_iter().chain(life(settings)).chain(endpoints(settings)).chain(switches).collect()
}

/// Changes when the agents' environment does, so that their pods are replaced: SHA-256 of its parts as JSON with sorted
/// keys, as the chart's template computes it.
pub(super) fn checksum(settings: &AgentSettings) -> String {
    let mut parts = BTreeMap::from([("cluster", json!(cluster(settings)))]);
    if settings.proxy.is_enabled() {
        parts.insert("proxy", json!(settings.proxy.variables().collect::<BTreeMap<_, _>>()));
    }
    if let Some(certificate) = &settings.proxy.certificate {
        parts.insert("certificate", json!(certificate));
    }
    let hash = digest(&SHA256, json!(parts).to_string().as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

type Entry = (&'static str, String);

/// Whose cluster this is.
fn identity(settings: &AgentSettings) -> Vec<Entry> {
    vec![
        ("AZURE_RESOURCE_NAME", settings.name.clone()),
        ("AZURE_RESOURCE_GROUP", settings.resource_group.clone()),
        ("AZURE_SUBSCRIPTION_ID", settings.subscription.clone()),
        ("AZURE_TENANT_ID", settings.tenant.clone()),
        ("AZURE_REGION", settings.location.clone()),
        ("RP_NAMESPACE", "Microsoft.Kubernetes".into()),
        ("CLUSTER_TYPE", "ConnectedClusters".into()),
        ("TAGS", settings.tags.clone()),
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
        ("HELM_AUTO_UPDATE_CHECK_FREQUENCY_IN_MINUTES", settings.update_check_minutes.clone()),
        ("ARC_AGENT_RELEASE_TRAIN", settings.release_train.clone()),
        ("ARC_AGENT_HELM_CHART_NAME", super::CHART.into()),
        ("AZURE_ARC_RELEASE_NAME", super::RELEASE.into()),
        ("AZURE_ARC_HELM_NAMESPACE", super::RELEASE_NAMESPACE.into()),
        ("DEBUG_LOGGING", "false".into()),
    ]
}

/// Whom they call. An override is there only when it is one.
fn endpoints(settings: &AgentSettings) -> Vec<Entry> {
    let mut all = vec![
        ("AZURE_RESOURCE_MANAGER_ENDPOINT", settings.resource_manager_endpoint.clone()),
        ("ACTIVE_DIRECTORY_ENDPOINT", settings.active_directory_endpoint.clone()),
    ];
    if let Some(endpoint) = &settings.overrides.data_plane {
        all.push(("DP_ENDPOINT_OVERRIDE", endpoint.clone()));
    }
    all
}

const fn word(switch: bool) -> &'static str {
    if switch { "true" } else { "false" }
}

/// Numbers and switches, most of them the same for every cluster.
fn switches(settings: &AgentSettings) -> [(&'static str, &'static str); 18] {
    [
        ("MANAGED_IDENTITY_AUTH", "true"),
        ("NO_AUTH_HEADER_DATA_PLANE", "false"),
        ("IS_CLIENT_SECRET_A_TOKEN", "false"),
        ("MAX_STORES", "30"),
        ("MAX_ENTRIES_PER_STORE", "680"),
        ("RESOURCE_SYNC_ENABLE_CHUNKED_SYNC", "false"),
        ("RESOURCE_SYNC_LIST_CHUNK_SIZE", "500"),
        ("CLUSTER_CONNECT_AGENT_ENABLED", word(settings.cluster_connect)),
        ("EXTENSION_OPERATOR_ENABLED", "true"),
        ("GITOPS_ENABLED", "true"),
        ("FLUX_UPSTREAM_SERVICE_ENABLED", "true"),
        ("FLUX_CLIENT_DEFAULT_LOCATION", "mcr.microsoft.com/azurearck8s/arc-preview/fluxctl"),
        ("ENABLE_EXTENSION_EVENT_COLLECTION_SERVICE", word(settings.extension_events)),
        ("ENABLE_OIDC_ISSUER", word(settings.oidc_issuer)),
        ("CUSTOM_IDENTITY_PROVIDER_ENABLED", "false"),
        ("IS_LEAST_PRIVILEGES_MODE", "false"),
        ("GOFIPS", "0"),
        ("HTTP_USE_CUSTOM_DIALER", "false"),
    ]
}
