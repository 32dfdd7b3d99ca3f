//! Group `arc.azure.com`.

use super::Crd;
use super::schema::Schema;

/// `ConnectedCluster`: the agents' view of the cluster, pushed to Azure because of its label. `ProvisionedCluster`
/// and `ApplianceConnectAgent` belong to other products and are not there.
pub(super) fn kinds() -> Vec<Crd> {
    let spec = Schema::strings(&["azureResourceId"]);
    let status =
        Schema::object(&[("nodeCount", Schema::integer()), ("coreCount", Schema::integer())]).and(&[
            ("kubernetesAPIServerVersion", Schema::string()),
            ("kubernetesDistribution", Schema::string()),
            ("kubernetesInfrastructure", Schema::string()),
            ("arcAgentVersion", Schema::string()),
            ("managedIdentityCertificateExpirationTime", Schema::string()),
            ("lastConnectivityTime", Schema::string()),
            ("oidcIssuerUrl", Schema::string()),
        ]);
    let mut crd =
        Crd::new("arc.azure.com", "ConnectedCluster", "connectedclusters", spec, status).columns(&[
            ("Nodes", "integer", ".status.nodeCount"),
            ("Cores", "integer", ".status.coreCount"),
            ("Version", "string", ".status.kubernetesAPIServerVersion"),
            ("Agent", "string", ".status.arcAgentVersion"),
        ]);
    crd.labels = vec![("azuresync", "true")];
    crd.annotations = vec![
        ("resourceSync.arc.azure.com/ProviderNamespace", "Microsoft.Kubernetes"),
        ("resourceSync.arc.azure.com/ResourceType", "connectedClusters"),
    ];
    vec![crd]
}
