//! What is particular about each Deployment: ports, probes, resources, companions, own variables, own files.

use super::AgentSettings;
use crate::images::{
    CONNECT_SERVICE, EXTENSION_EVENTS, FLUENT_BIT, GUARD, HEALTH_STATE, LOG_COLLECTOR, MSI_ADAPTER,
};
use crate::manifests::{config_map, rbac};
use crate::role::Role;
use crate::roles::kube_aad_proxy;

/// A readiness probe: path, port; asked 10 s after the start and every 15 s, as in the chart.
pub(super) type Readiness = (&'static str, u16);

/// Requests and limits: CPU and memory.
pub(super) type Resources = [&'static str; 4];

/// Ports: name and number.
pub(super) type Ports = &'static [(&'static str, u16)];

const DEFAULT: Resources = ["5m", "20Mi", "50m", "100Mi"];
const METRICS: Ports = &[("metrics", 8080)];

/// A Deployment.
pub(super) struct Agent {
    /// Its name, which is its component label too.
    pub(super) name: &'static str,
    /// The agent's own container, and the last part of that one's image.
    pub(super) container: &'static str,
    pub(super) image: &'static str,
    pub(super) account: &'static str,
    pub(super) ports: Ports,
    pub(super) readiness: Option<Readiness>,
    pub(super) resources: Resources,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) files: Vec<Files>,
    pub(super) companions: Vec<Companion>,
}

/// Files of the agent's container.
pub(super) struct Files {
    /// Name of the volume.
    pub(super) name: &'static str,
    /// Where they are mounted.
    pub(super) path: &'static str,
    pub(super) source: Source,
}

/// Where files come from.
pub(super) enum Source {
    /// A Secret: readable for the group, mounted read-only.
    Secret(&'static str),
    /// A ConfigMap: readable for all.
    ConfigMap(&'static str),
}

/// A companion container.
pub(super) struct Companion {
    /// Container name and last part of the image name.
    pub(super) name: &'static str,
    pub(super) ports: Ports,
    pub(super) resources: Resources,
    /// Whether it gets the cluster's configuration and the proxy; if not, the log forwarder's configuration.
    pub(super) configured: bool,
}

const FORWARDER: Companion =
    Companion { name: FLUENT_BIT, ports: &[], resources: ["5m", "25Mi", "20m", "100Mi"], configured: false };

const fn configured(name: &'static str, ports: Ports, resources: Resources) -> Companion {
    Companion { name, ports, resources, configured: true }
}

/// Every Deployment of these settings.
pub(super) fn agents(settings: &AgentSettings) -> Vec<Agent> {
    let deployed = |role: &Role| {
        settings.cluster_connect || !matches!(role, Role::ClusterConnectAgent | Role::KubeAadProxy)
    };
    let mut all: Vec<Agent> = Role::all().filter(deployed).map(|role| of_role(settings, role)).collect();
    if settings.extension_events {
        all.push(Agent { ports: &[("events", 8082)], ..plain(EXTENSION_EVENTS) });
    }
    if settings.log_collector {
        all.push(Agent {
            name: "logcollector",
            container: FLUENT_BIT,
            ports: &[("forward", 24224)],
            companions: Vec::new(),
            ..plain(LOG_COLLECTOR)
        });
    }
    if let Some(guard) = &settings.guard {
        all.push(Agent {
            ports: &[("https", 8443)],
            variables: vec![
                ("AUTHN_MODE", guard.authn_mode.clone()),
                ("SKIP_AUTHZ_CHECK", guard.skip_authz_check.clone()),
            ],
            companions: vec![configured(MSI_ADAPTER, &[("health", 9090)], DEFAULT), FORWARDER],
            ..plain(GUARD)
        });
    }
    all
}

/// A Deployment of which nothing is particular.
fn plain(name: &'static str) -> Agent {
    Agent {
        name,
        container: name,
        image: name,
        account: rbac::OPERATOR,
        ports: METRICS,
        readiness: None,
        resources: DEFAULT,
        variables: Vec::new(),
        files: Vec::new(),
        companions: vec![FORWARDER],
    }
}

fn of_role(settings: &AgentSettings, role: Role) -> Agent {
    let (ports, readiness, resources) = main(role);
    Agent {
        name: role.name(),
        container: role.container(),
        image: role.image(),
        account: if role == Role::KubeAadProxy { rbac::AAD_PROXY } else { rbac::OPERATOR },
        ports,
        readiness,
        resources,
        variables: variables(settings, role),
        files: files(role),
        companions: companions(settings, role),
    }
}

fn main(role: Role) -> (Ports, Option<Readiness>, Resources) {
    match role {
        Role::ClusterIdentityOperator => (METRICS, None, ["100m", "100Mi", "100m", "300Mi"]),
        Role::ConfigAgent => (&[("metrics", 8080), ("readiness", 9090)], Some(("/ready", 9090)), DEFAULT),
        Role::ControllerManager => (METRICS, None, ["100m", "150Mi", "200m", "350Mi"]),
        Role::ExtensionManager => (METRICS, None, ["100m", "150Mi", "200m", "300Mi"]),
        Role::ResourceSyncAgent => (METRICS, None, ["20m", "60Mi", "100m", "300Mi"]),
        Role::FluxLogsAgent => (&[("logs", 8082), ("metrics", 8080)], None, DEFAULT),
        Role::KubeAadProxy => {
            (&[("http", 8080), ("https", 8443)], Some(("/readiness", 8080)), ["10m", "20Mi", "100m", "350Mi"])
        }
        Role::ClusterMetadataOperator | Role::MetricsAgent | Role::ClusterConnectAgent => {
            (METRICS, None, DEFAULT)
        }
    }
}

/// The companions, so that READY shows what the page shows: 2/2, 3/3 for `clusterconnect-agent`, 1/1 for
/// `flux-logs-agent`. With events collected, `extension-manager` has a third container, as since 2023.
fn companions(settings: &AgentSettings, role: Role) -> Vec<Companion> {
    match role {
        Role::FluxLogsAgent => Vec::new(),
        Role::ClusterConnectAgent => vec![
            FORWARDER,
            configured(CONNECT_SERVICE, &[("webhook", 9443)], ["10m", "20Mi", "100m", "400Mi"]),
        ],
        Role::ExtensionManager if settings.extension_events => {
            let ports: Ports = &[("health", 8082), ("health-metrics", 8081), ("health-webhook", 8443)];
            vec![configured(HEALTH_STATE, ports, ["100m", "150Mi", "200m", "300Mi"]), FORWARDER]
        }
        _ => vec![FORWARDER],
    }
}

/// Variables of the agent's container beyond the shared configuration, in the order of their names.
fn variables(settings: &AgentSettings, role: Role) -> Vec<(&'static str, String)> {
    let overrides = &settings.overrides;
    let given = |pairs: &[(&'static str, &Option<String>)]| {
        pairs.iter().filter_map(|(name, value)| Some((*name, (*value).clone()?))).collect()
    };
    match role {
        Role::ClusterMetadataOperator | Role::ResourceSyncAgent => {
            vec![("RESYNC_AFTER", settings.resync_after_seconds.clone())]
        }
        Role::ClusterIdentityOperator => given(&[("HIS_ENDPOINT_OVERRIDE", &overrides.identity)]),
        Role::ClusterConnectAgent => given(&[
            ("CONNECT_DP_ENDPOINT_OVERRIDE", &overrides.connect),
            ("NOTIFICATION_DP_ENDPOINT_OVERRIDE", &overrides.notification),
            ("RELAY_ENDPOINT_SUFFIX_OVERRIDE", &overrides.relay_suffix),
        ]),
        Role::KubeAadProxy => given(&[("KUBE_AAD_ENDPOINT", &overrides.aad)]),
        _ => Vec::new(),
    }
}

fn files(role: Role) -> Vec<Files> {
    match role {
        Role::KubeAadProxy => vec![Files {
            name: "kube-aad-proxy-tls",
            path: kube_aad_proxy::CERTIFICATE_FOLDER,
            source: Source::Secret(kube_aad_proxy::CERTIFICATE_SECRET),
        }],
        Role::MetricsAgent => vec![Files {
            name: "telegraf-config",
            path: "/etc/telegraf",
            source: Source::ConfigMap(config_map::TELEGRAF),
        }],
        _ => Vec::new(),
    }
}
