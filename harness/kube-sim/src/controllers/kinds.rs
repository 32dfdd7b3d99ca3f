//! The kinds that controllers work on, looked up once.

use std::sync::Arc;

use crate::api::Api;
use crate::registry::Kind;
use crate::status::Status;

macro_rules! kinds {
    ($($field:ident: $group:literal $kind:literal,)+) => {
        /// The built-in kinds that controllers know by name.
        #[derive(Debug)]
        pub(crate) struct Kinds {
            $(pub(crate) $field: Arc<Kind>,)+
        }

        impl Kinds {
            /// Looks all kinds up.
            ///
            /// # Errors
            /// When the registry lacks one.
            pub(crate) fn new(api: &Api) -> Result<Self, Status> {
                Ok(Self { $($field: api.kind($group, $kind)?,)+ })
            }
        }
    };
}

kinds! {
    budgets: "policy" "PodDisruptionBudget",
    claims: "" "PersistentVolumeClaim",
    config_maps: "" "ConfigMap",
    controller_revisions: "apps" "ControllerRevision",
    cron_jobs: "batch" "CronJob",
    daemon_sets: "apps" "DaemonSet",
    definitions: "apiextensions.k8s.io" "CustomResourceDefinition",
    deployments: "apps" "Deployment",
    endpoint_slices: "discovery.k8s.io" "EndpointSlice",
    endpoints: "" "Endpoints",
    events: "" "Event",
    jobs: "batch" "Job",
    leases: "coordination.k8s.io" "Lease",
    namespaces: "" "Namespace",
    nodes: "" "Node",
    pods: "" "Pod",
    quotas: "" "ResourceQuota",
    replica_sets: "apps" "ReplicaSet",
    replication_controllers: "" "ReplicationController",
    secrets: "" "Secret",
    service_accounts: "" "ServiceAccount",
    services: "" "Service",
    stateful_sets: "apps" "StatefulSet",
    storage_classes: "storage.k8s.io" "StorageClass",
    volumes: "" "PersistentVolume",
}
