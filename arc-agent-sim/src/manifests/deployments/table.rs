//! What is particular about each Deployment: ports, probes, resources, companions, own variables.

use super::AgentSettings;
use crate::images::{CONNECT_SERVICE, FLUENT_BIT};
use crate::role::Role;

/// A readiness probe: path, port; asked 10 s after the start and every 15 s, as in the chart.
pub(super) type Readiness = (&'static str, u16);

/// Requests and limits: CPU and memory.
pub(super) type Resources = [&'static str; 4];

/// The agent's own container.
pub(super) struct Main {
    /// Name and number.
    pub(super) ports: &'static [(&'static str, u16)],
    pub(super) readiness: Option<Readiness>,
    pub(super) resources: Resources,
}

const DEFAULT: Resources = ["5m", "20Mi", "50m", "100Mi"];

pub(super) fn main(role: Role) -> Main {
    let metrics: &[(&str, u16)] = &[("metrics", 8080)];
    let plain = |resources| Main { ports: metrics, readiness: None, resources };
    match role {
        Role::ClusterIdentityOperator => plain(["100m", "100Mi", "100m", "300Mi"]),
        Role::ConfigAgent => Main {
            ports: &[("metrics", 8080), ("readiness", 9090)],
            readiness: Some(("/ready", 9090)),
            resources: DEFAULT,
        },
        Role::ControllerManager => plain(["100m", "150Mi", "200m", "350Mi"]),
        Role::ExtensionManager => plain(["100m", "150Mi", "200m", "300Mi"]),
        Role::ResourceSyncAgent => plain(["20m", "60Mi", "100m", "300Mi"]),
        Role::FluxLogsAgent => {
            Main { ports: &[("metrics", 8080), ("logs", 8082)], readiness: None, resources: DEFAULT }
        }
        Role::KubeAadProxy => Main {
            ports: &[("https", 8443), ("http", 8080)],
            readiness: Some(("/readiness", 8080)),
            resources: ["10m", "20Mi", "100m", "350Mi"],
        },
        Role::ClusterMetadataOperator | Role::MetricsAgent | Role::ClusterConnectAgent => plain(DEFAULT),
    }
}

/// A companion container.
pub(super) struct Companion {
    /// Container name and last part of the image name.
    pub(super) name: &'static str,
    pub(super) ports: &'static [(&'static str, u16)],
    pub(super) resources: Resources,
    /// Whether it gets the cluster's configuration and the proxy.
    pub(super) configured: bool,
}

const FORWARDER: Companion =
    Companion { name: FLUENT_BIT, ports: &[], resources: ["5m", "25Mi", "20m", "100Mi"], configured: false };

/// The companions, so that READY shows what the page shows: 2/2, 3/3 for `clusterconnect-agent`, 1/1 for
/// `flux-logs-agent`.
pub(super) fn companions(role: Role) -> Vec<Companion> {
    match role {
        Role::FluxLogsAgent => Vec::new(),
        Role::ClusterConnectAgent => vec![
            FORWARDER,
            Companion {
                name: CONNECT_SERVICE,
                ports: &[("webhook", 9443)],
                resources: ["10m", "20Mi", "100m", "400Mi"],
                configured: true,
            },
        ],
        _ => vec![FORWARDER],
    }
}

/// Variables of the agent's container beyond the shared configuration.
pub(super) fn variables(settings: &AgentSettings, role: Role) -> Vec<(&'static str, String)> {
    match role {
        Role::ClusterMetadataOperator | Role::ResourceSyncAgent => {
            vec![("RESYNC_AFTER", settings.resync_after_seconds.to_string())]
        }
        Role::ClusterIdentityOperator => {
            settings.identity_endpoint.iter().map(|base| ("HIS_ENDPOINT_OVERRIDE", base.clone())).collect()
        }
        _ => Vec::new(),
    }
}
