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
    config_maps: "" "ConfigMap",
    daemon_sets: "apps" "DaemonSet",
    deployments: "apps" "Deployment",
    endpoint_slices: "discovery.k8s.io" "EndpointSlice",
    endpoints: "" "Endpoints",
    events: "" "Event",
    jobs: "batch" "Job",
    leases: "coordination.k8s.io" "Lease",
    namespaces: "" "Namespace",
    nodes: "" "Node",
    pods: "" "Pod",
    replica_sets: "apps" "ReplicaSet",
    secrets: "" "Secret",
    service_accounts: "" "ServiceAccount",
    services: "" "Service",
    stateful_sets: "apps" "StatefulSet",
}
