//! Namespaces around Azure Arc-enabled Kubernetes that clients list or register. Their types are named as far as
//! onboarding tools look at them; regions are the ones every type of the namespace offers.

use super::{Access, Namespace, TypeEntry, Where};

const fn entry(name: &'static str, versions: &'static [&'static str]) -> TypeEntry {
    TypeEntry { name, locations: Where::Everywhere, versions, default: None, capabilities: "None" }
}

const fn global(name: &'static str, versions: &'static [&'static str]) -> TypeEntry {
    TypeEntry { name, locations: Where::Global, versions, default: None, capabilities: "None" }
}

const fn needed(name: &'static str, types: &'static [TypeEntry]) -> Namespace {
    Namespace { name, access: Access::RegistrationRequired, authorizations: &[], types }
}

const fn free(name: &'static str, types: &'static [TypeEntry]) -> Namespace {
    Namespace { name, access: Access::RegistrationFree, authorizations: &[], types }
}

/// API versions of groups, providers and generic resources that current and older clients send, newest first.
pub(super) const RESOURCES: &[&str] = &[
    "2025-04-01",
    "2025-03-01",
    "2024-11-01",
    "2024-07-01",
    "2024-03-01",
    "2023-07-01",
    "2022-12-01",
    "2022-09-01",
    "2021-04-01",
    "2021-01-01",
    "2020-10-01",
    "2020-08-01",
    "2020-06-01",
    "2019-10-01",
    "2019-08-01",
    "2019-05-10",
    "2019-05-01",
    "2018-05-01",
    "2018-02-01",
    "2017-08-01",
    "2017-05-10",
    "2016-09-01",
    "2016-07-01",
    "2016-06-01",
    "2016-02-01",
    "2015-11-01",
    "2015-01-01",
    "2014-04-01-preview",
];

/// API versions of `Microsoft.HybridCompute` that clients of Azure Arc send, newest first.
const COMPUTE: &[&str] = &[
    "2025-09-16-preview",
    "2025-02-19-preview",
    "2025-01-13",
    "2024-11-10-preview",
    "2024-07-31-preview",
    "2024-07-10",
    "2022-12-27",
    "2021-05-20",
    "2021-03-25-preview",
];

/// All of them.
pub(super) const NAMESPACES: &[Namespace] = &[
    free(
        "Microsoft.Resources",
        &[
            global("tenants", RESOURCES),
            global("locations", RESOURCES),
            global("locations/operationStatuses", RESOURCES),
            global("providers", RESOURCES),
            global("resources", RESOURCES),
            global("subscriptions", RESOURCES),
            global("subscriptions/resources", RESOURCES),
            global("subscriptions/providers", RESOURCES),
            global("subscriptions/locations", RESOURCES),
            global("subscriptions/operationresults", RESOURCES),
            entry("resourceGroups", RESOURCES),
            entry("subscriptions/resourceGroups", RESOURCES),
            entry("deployments", RESOURCES),
            global("deployments/operations", RESOURCES),
            global("deployments/operationStatuses", RESOURCES),
            global("tags", RESOURCES),
        ],
    ),
    free(
        "Microsoft.Authorization",
        &[
            global(
                "roleAssignments",
                &["2022-04-01", "2020-10-01-preview", "2018-09-01-preview", "2015-07-01"],
            ),
            global("roleDefinitions", &["2022-04-01", "2018-01-01-preview", "2015-07-01"]),
            global("locks", &["2020-05-01", "2016-09-01"]),
            global("policyAssignments", &["2025-03-01", "2024-05-01", "2023-04-01", "2022-06-01"]),
            global("policyDefinitions", &["2025-03-01", "2024-05-01", "2023-04-01", "2021-06-01"]),
        ],
    ),
    free("Microsoft.Features", &[global("features", &["2021-07-01", "2015-12-01"])]),
    needed(
        "Microsoft.HybridCompute",
        &[
            entry("machines", COMPUTE),
            entry("machines/extensions", COMPUTE),
            entry("privateLinkScopes", COMPUTE),
            entry("privateLinkScopes/privateEndpointConnections", COMPUTE),
            entry("privateLinkScopes/privateLinkResources", COMPUTE),
            entry("privateLinkScopes/networkSecurityPerimeterConfigurations", COMPUTE),
            entry("gateways", COMPUTE),
            global("settings", COMPUTE),
            global("locations/operationStatus", COMPUTE),
            global("locations/operationResults", COMPUTE),
            global("operations", COMPUTE),
        ],
    ),
    needed(
        "Microsoft.HybridConnectivity",
        &[
            global("endpoints", &["2024-12-01", "2023-03-15", "2022-05-01-preview"]),
            entry("publicCloudConnectors", &["2024-12-01"]),
        ],
    ),
    needed("Microsoft.GuestConfiguration", &[global("guestConfigurationAssignments", &["2022-01-25"])]),
    needed("Microsoft.PolicyInsights", &[global("policyStates", &["2019-10-01", "2018-07-01-preview"])]),
    needed("Microsoft.ManagedIdentity", &[entry("userAssignedIdentities", &["2023-01-31", "2018-11-30"])]),
    needed("Microsoft.Monitor", &[entry("accounts", &["2023-04-03"])]),
    needed("Microsoft.OperationalInsights", &[entry("workspaces", &["2022-10-01", "2021-06-01"])]),
    needed("Microsoft.OperationsManagement", &[entry("solutions", &["2015-11-01-preview"])]),
    needed("Microsoft.Insights", &[entry("dataCollectionRules", &["2023-03-11", "2022-06-01"])]),
    needed("Microsoft.ContainerService", &[entry("managedClusters", &["2024-09-01", "2023-11-01"])]),
    needed("Microsoft.Security", &[global("pricings", &["2024-01-01", "2018-06-01"])]),
];
