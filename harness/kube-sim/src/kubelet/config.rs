//! What a cluster's kubelets are told when they start.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sim_core::faults::FaultSet;

use super::workload::ImageResolver;
use crate::auth::TokenService;

/// One simulated node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NodeSpec {
    /// Its name, which is its `kubernetes.io/hostname` too.
    pub name: String,
    /// CPUs, as a Kubernetes quantity.
    pub cpu: String,
    /// Memory, as a Kubernetes quantity.
    pub memory: String,
    /// How many pods fit.
    pub pods: u32,
    /// `kubernetes.io/arch`.
    pub arch: String,
    /// `kubernetes.io/os`.
    pub os: String,
    /// `status.nodeInfo.osImage`.
    pub os_image: String,
    /// `spec.providerID`, which tells agents the infrastructure; empty for none.
    pub provider_id: String,
    /// Further labels.
    pub labels: Vec<(String, String)>,
    /// Further taints, as `kubectl taint` takes them: `key=value:Effect` or `key:Effect`.
    pub taints: Vec<String>,
    /// Whether it carries the taint and label of a control plane node.
    pub control_plane: bool,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self {
            name: "node-1".into(),
            cpu: "4".into(),
            memory: "16Gi".into(),
            pods: 110,
            arch: "amd64".into(),
            os: "linux".into(),
            os_image: "Ubuntu 24.04.3 LTS".into(),
            provider_id: String::new(),
            labels: Vec::new(),
            taints: Vec::new(),
            control_plane: false,
        }
    }
}

/// What the kubelets need beside the API.
#[derive(Clone)]
pub struct KubeletConfig {
    /// What to run for which image.
    pub images: ImageResolver,
    /// The nodes; each has a kubelet.
    pub nodes: Vec<NodeSpec>,
    /// What every process gets in its environment, before the container's own variables: `KUBERNETES_SERVICE_HOST`
    /// and `KUBERNETES_SERVICE_PORT` (the API server as this machine reaches it) among them.
    pub pod_env: Vec<(String, String)>,
    /// Where volumes and working directories are made (0700).
    pub work_dir: PathBuf,
    /// Where tokens for pods come from.
    pub tokens: TokenService,
    /// Fault rules; the hook is `kubelet`.
    pub faults: FaultSet,
    /// The cluster's name, a fact that rules can match on.
    pub cluster: String,
}

impl fmt::Debug for KubeletConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeletConfig")
            .field("nodes", &self.nodes)
            .field("work_dir", &self.work_dir)
            .finish_non_exhaustive()
    }
}
