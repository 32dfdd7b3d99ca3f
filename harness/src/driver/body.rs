//! The bodies that a connected cluster is written with: the members that `az connectedk8s connect` sends, and no others.

use serde_json::{Map, Value, json};

use super::configurations::Configurations;
use super::onboard::Found;
use super::options::OnboardOptions;

/// Properties that a client sends back when it writes a whole resource again. The others are the service's own.
const WRITABLE: &[&str] = &[
    "agentPublicKeyCertificate",
    "provisioningState",
    "distribution",
    "distributionVersion",
    "infrastructure",
    "privateLinkState",
    "privateLinkScopeResourceId",
    "azureHybridBenefit",
    "aadProfile",
    "arcAgentProfile",
    "securityProfile",
    "oidcIssuerProfile",
    "gateway",
    "arcAgentryConfigurations",
];

/// What a body is made of, beside the user's options.
pub(super) struct Sources<'a> {
    pub(super) found: &'a Found,
    pub(super) location: &'a str,
    /// The agents' public key, in base64.
    pub(super) key: &'a str,
    pub(super) configurations: &'a Configurations,
    /// Whether the resource is there already: the Azure CLI does not name the cluster's own issuer then.
    pub(super) again: bool,
}

/// The first body. A gateway is not in it: it comes with the second, when the gateway is tied to the resource.
pub(super) fn put(options: &OnboardOptions, sources: &Sources<'_>) -> Value {
    let features = &options.features;
    let mut properties = json!({
        "agentPublicKeyCertificate": sources.key,
        "distribution": sources.found.distribution,
        "infrastructure": sources.found.infrastructure,
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties[name] = value;
        }
    };
    let texts = [
        ("distributionVersion", &options.distribution_version),
        ("azureHybridBenefit", &options.azure_hybrid_benefit),
        ("privateLinkScopeResourceId", &features.private_link_scope),
    ];
    for (name, value) in texts {
        set(name, value.as_deref().map(Value::from));
    }
    let state = |on: bool| if on { "Enabled" } else { "Disabled" };
    set("privateLinkState", features.private_link.map(|on| state(on).into()));
    profiles(options, sources, set);
    json!({
        "location": sources.location,
        "identity": { "type": "SystemAssigned" },
        "tags": options.tags,
        "properties": properties,
    })
}

/// The members that both bodies have.
fn profiles(options: &OnboardOptions, sources: &Sources<'_>, mut set: impl FnMut(&str, Option<Value>)) {
    let features = &options.features;
    set("arcAgentryConfigurations", sources.configurations.sent());
    set("arcAgentProfile", options.disable_auto_upgrade.then(|| json!({ "agentAutoUpgrade": "Disabled" })));
    set(
        "oidcIssuerProfile",
        features.oidc_issuer.then(|| {
            let own = features.self_hosted_issuer.as_deref().filter(|_| !sources.again);
            own.map_or_else(
                || json!({ "enabled": true }),
                |url| json!({ "enabled": true, "selfHostedIssuerUrl": url }),
            )
        }),
    );
    let workload = || json!({ "workloadIdentity": { "enabled": true } });
    set("securityProfile", features.workload_identity.then(workload));
}

/// The second body of a cluster behind a gateway: the resource as it is now, with the gateway switched on.
pub(super) fn put_with_gateway(resource: &Value, options: &OnboardOptions, sources: &Sources<'_>) -> Value {
    let known = resource.get("properties").and_then(Value::as_object);
    let mut properties: Map<String, Value> = known
        .into_iter()
        .flatten()
        .filter(|(name, value)| WRITABLE.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (outer, own) in [("arcAgentProfile", "agentState"), ("oidcIssuerProfile", "issuerUrl")] {
        if let Some(profile) = properties.get_mut(outer).and_then(Value::as_object_mut) {
            profile.shift_remove(own);
        }
    }
    let set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.insert(name.into(), value);
        }
    };
    profiles(options, sources, set);
    properties.insert("gateway".into(), json!({ "enabled": true }));
    json!({
        "location": resource.get("location"),
        "identity": { "type": "SystemAssigned" },
        "tags": resource.get("tags"),
        "properties": properties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(options: &OnboardOptions, again: bool) -> Value {
        let found = Found { distribution: "aks".into(), infrastructure: "azure".into() };
        let configurations = Configurations::default();
        let sources =
            Sources { found: &found, location: "eastus", key: "k", configurations: &configurations, again };
        put(options, &sources)
    }

    #[test]
    fn without_options_the_body_has_the_three_properties_that_the_cli_sends() {
        let expected = json!({
            "location": "eastus",
            "identity": { "type": "SystemAssigned" },
            "tags": {},
            "properties": { "agentPublicKeyCertificate": "k", "distribution": "aks", "infrastructure": "azure" },
        });
        assert_eq!(body(&OnboardOptions::new("n", "g"), false), expected);
    }

    #[test]
    fn each_feature_is_a_property_of_its_own() {
        let mut options = OnboardOptions::new("n", "g");
        options.distribution_version = Some("1.34".into());
        options.azure_hybrid_benefit = Some("True".into());
        options.disable_auto_upgrade = true;
        options.features.private_link = Some(true);
        options.features.private_link_scope = Some("/scope".into());
        options.features.gateway = Some("/gateway".into());
        options.features.oidc_issuer = true;
        options.features.self_hosted_issuer = Some("https://issuer.example/c".into());
        options.features.workload_identity = true;
        let expected = json!({
            "agentPublicKeyCertificate": "k",
            "distribution": "aks",
            "infrastructure": "azure",
            "distributionVersion": "1.34",
            "azureHybridBenefit": "True",
            "privateLinkScopeResourceId": "/scope",
            "privateLinkState": "Enabled",
            "arcAgentProfile": { "agentAutoUpgrade": "Disabled" },
            "oidcIssuerProfile": { "enabled": true, "selfHostedIssuerUrl": "https://issuer.example/c" },
            "securityProfile": { "workloadIdentity": { "enabled": true } },
        });
        assert_eq!(body(&options, false)["properties"], expected);
        assert_eq!(body(&options, true)["properties"]["oidcIssuerProfile"], json!({ "enabled": true }));
        options.features.private_link = Some(false);
        assert_eq!(body(&options, false)["properties"]["privateLinkState"], "Disabled");
    }

    #[test]
    fn the_body_with_the_gateway_sends_back_what_a_client_may_write() {
        let resource = json!({
            "id": "/c", "name": "c", "type": "t", "location": "eastus", "tags": { "a": "b" },
            "identity": { "type": "SystemAssigned", "principalId": "p", "tenantId": "t" },
            "systemData": {},
            "properties": {
                "provisioningState": "Succeeded", "connectivityStatus": "Connecting", "offering": null,
                "agentPublicKeyCertificate": "k", "privateLinkState": "Disabled",
                "arcAgentProfile": { "agentAutoUpgrade": "Enabled", "agentState": null },
            },
        });
        let found = Found { distribution: "d".into(), infrastructure: "i".into() };
        let configurations = Configurations::default();
        let sources =
            Sources { found: &found, location: "x", key: "x", configurations: &configurations, again: false };
        let expected = json!({
            "location": "eastus",
            "identity": { "type": "SystemAssigned" },
            "tags": { "a": "b" },
            "properties": {
                "provisioningState": "Succeeded",
                "agentPublicKeyCertificate": "k",
                "privateLinkState": "Disabled",
                "arcAgentProfile": { "agentAutoUpgrade": "Enabled" },
                "gateway": { "enabled": true },
            },
        });
        assert_eq!(put_with_gateway(&resource, &OnboardOptions::new("n", "g"), &sources), expected);
    }
}
