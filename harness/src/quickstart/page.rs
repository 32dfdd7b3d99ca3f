//! What the page says: names, expected pods, the form of its JSON.

use serde_json::{Map, Value};

/// The page's resource group.
pub(super) const GROUP: &str = "AzureArcTest";
/// The page's region, as it writes it.
pub(super) const LOCATION: &str = "EastUS";
/// The page's cluster.
pub(super) const CLUSTER: &str = "AzureArcTest1";
/// The providers that the page registers.
pub(super) const PROVIDERS: [&str; 3] =
    ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration", "Microsoft.ExtendedLocation"];

/// The page's deployments, with the READY of their pods.
pub(super) const AGENTS: [(&str, &str); 10] = [
    ("cluster-metadata-operator", "2/2"),
    ("clusterconnect-agent", "3/3"),
    ("clusteridentityoperator", "2/2"),
    ("config-agent", "2/2"),
    ("controller-manager", "2/2"),
    ("extension-manager", "2/2"),
    ("flux-logs-agent", "1/1"),
    ("kube-aad-proxy", "2/2"),
    ("metrics-agent", "2/2"),
    ("resource-sync-agent", "2/2"),
];

/// The keys of the page's JSON reply, in its order.
const KEYS: [&str; 20] = [
    "aadProfile",
    "agentPublicKeyCertificate",
    "agentVersion",
    "connectivityStatus",
    "distribution",
    "id",
    "identity",
    "infrastructure",
    "kubernetesVersion",
    "lastConnectivityTime",
    "location",
    "managedIdentityCertificateExpirationTime",
    "name",
    "offering",
    "provisioningState",
    "resourceGroup",
    "tags",
    "totalCoreCount",
    "totalNodeCount",
    "type",
];

/// Keys that are members of the resource itself; the others are properties.
const TOP: [&str; 6] = ["id", "identity", "location", "name", "tags", "type"];

/// A connected cluster in the form in which the page shows it: the page's keys in the page's order, properties hoisted,
/// what the wire leaves out as null, the resource group from the id. Values stay in the wire's form.
#[must_use]
pub fn page_reply(resource: &Value) -> Value {
    let mut reply = Map::new();
    for key in KEYS {
        let value = match key {
            "resourceGroup" => group_of(resource).into(),
            "identity" => sorted(resource.get(key)),
            key if TOP.contains(&key) => resource.get(key).cloned().unwrap_or_default(),
            "aadProfile" => sorted(resource.pointer("/properties/aadProfile")),
            key => resource.pointer(&format!("/properties/{key}")).cloned().unwrap_or_default(),
        };
        reply.insert(key.into(), value);
    }
    Value::Object(reply)
}

/// An object with its keys in alphabetical order, as the page has them.
fn sorted(value: Option<&Value>) -> Value {
    let Some(Value::Object(members)) = value else { return value.cloned().unwrap_or_default() };
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_by_key(|(key, _)| key.as_str());
    Value::Object(members.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// The resource group in a resource's id.
pub(super) fn group_of(resource: &Value) -> String {
    let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
    let mut parts = id.split('/').skip_while(|part| !part.eq_ignore_ascii_case("resourceGroups"));
    parts.nth(1).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_reply_has_the_pages_keys_in_its_order() {
        let resource = json!({
            "id": "/subscriptions/s/resourceGroups/AzureArcTest/providers/Microsoft.Kubernetes/connectedClusters/c",
            "name": "c",
            "identity": { "type": "SystemAssigned", "principalId": "p", "tenantId": "t" },
            "properties": { "connectivityStatus": "Connecting", "unheard": 1 },
        });
        let reply = page_reply(&resource);
        let keys: Vec<&str> = reply.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, KEYS);
        assert_eq!(reply["resourceGroup"], "AzureArcTest");
        assert_eq!(reply["agentVersion"], Value::Null);
        assert_eq!(
            reply["identity"].to_string(),
            r#"{"principalId":"p","tenantId":"t","type":"SystemAssigned"}"#
        );
    }
}
