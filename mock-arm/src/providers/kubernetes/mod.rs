//! `Microsoft.Kubernetes`: connected clusters.

pub mod agent;
pub mod connectivity;

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.Kubernetes";
/// The type of connected clusters within it.
pub const CLUSTERS: &str = "connectedClusters";
