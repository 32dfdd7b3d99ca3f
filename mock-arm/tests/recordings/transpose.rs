//! Errors of Resource Manager itself are the same whatever the type: recorded on a type that is not modelled, they are
//! replayed on one that is.

/// Type by type, with the versions that the recordings ask for.
const TYPES: &[(&str, &str)] = &[
    ("Microsoft.ApiCenter/services", "Microsoft.Kubernetes/connectedClusters"),
    ("Microsoft.ApiCenter", "Microsoft.Kubernetes"),
    ("api-version=2024-03-01", "api-version=2024-01-01"),
    ("Microsoft.App/containerApps", "Microsoft.HybridCompute/privateLinkScopes"),
    ("containerApps/", "privateLinkScopes/"),
    ("resiliencyPolicies", "privateEndpointConnections"),
    ("api-version=2025-02-02-preview", "api-version=2025-02-19-preview"),
    (
        "Microsoft.ContainerRegistry/registries/clireg000002/tasks",
        "Microsoft.HybridCompute/privateLinkScopes/s/privateEndpointConnections",
    ),
    ("api-version=2019-06-01-preview", "api-version=2024-07-10"),
    ("Microsoft.ContainerRegistry/registries", "Microsoft.Kubernetes/connectedClusters"),
    ("Microsoft.KeyVault/vaults", "Microsoft.Kubernetes/connectedClusters"),
    // Roles that are not modelled become Contributor.
    ("4633458b-17de-408a-b874-0445c86b69e6", "b24988ac-6180-42a0-ab88-20f7382dd24c"),
    ("7f951dda-4ed3-4680-a7ca-43fe172d538d", "b24988ac-6180-42a0-ab88-20f7382dd24c"),
    ("Microsoft.HardwareSecurityModules/dedicatedHSMs", "Microsoft.Kubernetes/noSuchClusters"),
    ("Microsoft.HardwareSecurityModules", "Microsoft.Kubernetes"),
    ("2018-10-31-preview", "2024-01-01"),
];

/// The line of a recording with modelled types instead of others.
pub(crate) fn modelled(line: &str) -> String {
    TYPES.iter().fold(line.to_owned(), |line, (theirs, ours)| line.replace(theirs, ours))
}
