//! Which API version shows which property: a table (public SDK models and type listings), and the view it makes.
//!
//! An old version simply leaves newer properties out; what no version knows survives in all of them.

use serde_json::{Map, Value};

/// From which version on a member is shown, and from which on no more. Versions start with a date, so they compare as
/// texts.
struct Member {
    name: &'static str,
    shown: &'static [(&'static str, &'static str)],
}

const END: &str = "9";

const fn since(name: &'static str, shown: &'static [(&'static str, &'static str)]) -> Member {
    Member { name, shown }
}

/// Properties that not every version has.
const PROPERTIES: &[Member] = &[
    since("privateLinkState", &[("2021-04-01", "2021-10-01"), ("2022-05-01", END)]),
    since("privateLinkScopeResourceId", &[("2021-04-01", "2021-10-01"), ("2022-05-01", END)]),
    since("distributionVersion", &[("2022-10-01", END)]),
    since("azureHybridBenefit", &[("2022-10-01", END)]),
    since("miscellaneousProperties", &[("2022-10-01", END)]),
    since("aadProfile", &[("2020-01-01", "2021-03-01"), ("2024-01-01", END)]),
    since("arcAgentProfile", &[("2024-01-01", END)]),
    since("oidcIssuerProfile", &[("2024-06-01", END)]),
    since("securityProfile", &[("2024-06-01", END)]),
    since("gateway", &[("2024-07-01", END)]),
    since("arcAgentryConfigurations", &[("2024-07-01", END)]),
];

/// Members beside the properties that not every version has.
const MEMBERS: &[Member] =
    &[since("systemData", &[("2021-03-01", END)]), since("kind", &[("2023-11-01", END)])];

/// Members of properties that not every version has.
const NESTED: &[(&str, Member)] = &[
    ("arcAgentProfile", since("systemComponents", &[("2024-02-01", END)])),
    ("arcAgentProfile", since("agentErrors", &[("2024-02-01", END)])),
    ("arcAgentProfile", since("agentState", &[("2024-06-01", END)])),
    ("gateway", since("resourceId", &[("2024-07-01", "2025-08-01")])),
    ("aadProfile", since("clientAppId", &[("2020-01-01", "2021-03-01")])),
    ("aadProfile", since("serverAppId", &[("2020-01-01", "2021-03-01")])),
    ("aadProfile", since("tenantId", &[("2020-01-01", "2021-03-01")])),
    ("aadProfile", since("enableAzureRBAC", &[("2024-01-01", END)])),
    ("aadProfile", since("adminGroupObjectIDs", &[("2024-01-01", END)])),
    ("aadProfile", since("tenantID", &[("2024-01-01", END)])),
];

impl Member {
    fn is_in(&self, version: &str) -> bool {
        self.shown.iter().any(|(from, until)| *from <= version && version < *until)
    }
}

/// Whether `version` has this property; one that no version knows is in all of them.
pub(super) fn has_property(version: &str, name: &str) -> bool {
    PROPERTIES.iter().find(|member| member.name == name).is_none_or(|member| member.is_in(version))
}

/// Whether clients of `version` may say what kind of cluster it is.
pub(super) fn has_kind(version: &str) -> bool {
    version >= "2024-01-01"
}

/// Properties that PATCH changes, and in which versions. The generally available versions of 2021 take any.
const PATCHABLE: &[Member] = &[
    since("agentPublicKeyCertificate", &[("2020-01-01", "2021-03-01")]),
    since("privateLinkState", &[("2021-04-01", "2021-10-01"), ("2022-05-01", "2022-10-01")]),
    since("privateLinkScopeResourceId", &[("2021-04-01", "2021-10-01"), ("2022-05-01", "2022-10-01")]),
    since("distribution", &[("2022-10-01", END)]),
    since("distributionVersion", &[("2022-10-01", END)]),
    since("azureHybridBenefit", &[("2022-10-01", END)]),
    since("gateway", &[("2026-05-01", END)]),
];

/// Whether a PATCH in `version` changes this property; others are ignored.
pub(super) fn may_patch(version: &str, name: &str) -> bool {
    if ["2021-03-01", "2021-10-01"].contains(&version) {
        return has_property(version, name);
    }
    PATCHABLE.iter().any(|member| member.name == name && member.is_in(version))
}

/// The resource as `version` shows it. Secrets that clients handed in are not shown by any version.
pub(super) fn view(mut resource: Value, version: &str) -> Value {
    if let Some(members) = resource.as_object_mut() {
        members.retain(|name, _| {
            MEMBERS.iter().find(|member| member.name == name).is_none_or(|m| m.is_in(version))
        });
    }
    let Some(properties) = resource.get_mut("properties").and_then(Value::as_object_mut) else {
        return resource;
    };
    properties.retain(|name, _| has_property(version, name));
    for (outer, member) in NESTED.iter().filter(|(_, member)| !member.is_in(version)) {
        if let Some(inner) = properties.get_mut(*outer).and_then(Value::as_object_mut) {
            inner.shift_remove(member.name);
        }
    }
    if version < "2021-03-01" {
        legacy_directory(properties);
    }
    let configurations = properties.get_mut("arcAgentryConfigurations").and_then(Value::as_array_mut);
    for configuration in configurations.into_iter().flatten().filter_map(Value::as_object_mut) {
        configuration.shift_remove("protectedSettings");
    }
    resource
}

/// The first version has a directory profile of three texts, empty when nobody gave any.
fn legacy_directory(properties: &mut Map<String, Value>) {
    let given = properties.get("aadProfile").cloned().unwrap_or_default();
    let member = |name: &str| given.get(name).cloned().unwrap_or_else(|| "".into());
    let names = ["clientAppId", "serverAppId", "tenantId"];
    let profile: Map<String, Value> = names.into_iter().map(|name| (name.into(), member(name))).collect();
    properties.insert("aadProfile".into(), Value::Object(profile));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(version: &str) -> Vec<String> {
        let resource = json!({
            "kind": "ProvisionedCluster", "systemData": {},
            "properties": {
                "distribution": "kind", "privateLinkState": "Disabled", "azureHybridBenefit": "NotApplicable",
                "aadProfile": {"enableAzureRBAC": true}, "arcAgentProfile": {"agentState": "x"},
                "gateway": {"enabled": true, "resourceId": "r"}, "future": 1,
                "arcAgentryConfigurations": [{"feature": "f", "protectedSettings": {"a": "b"}}],
            },
        });
        let view = view(resource, version);
        let mut found: Vec<String> = view["properties"].as_object().unwrap().keys().cloned().collect();
        found.extend(view.as_object().unwrap().keys().filter(|name| *name != "properties").cloned());
        assert!(!view.to_string().contains("protectedSettings"));
        found
    }

    #[test]
    fn old_versions_leave_newer_properties_out() {
        assert_eq!(names("2021-10-01"), ["distribution", "future", "systemData"]);
        assert_eq!(names("2020-01-01-preview"), ["distribution", "aadProfile", "future"]);
        let newest = names("2026-05-01");
        assert_eq!(newest.len(), 10, "{newest:?}");
    }

    #[test]
    fn the_first_version_has_the_directory_profile_of_its_time() {
        let resource = json!({"properties": {"aadProfile": {"tenantID": "t"}}});
        let profile = view(resource.clone(), "2020-01-01-preview")["properties"]["aadProfile"].clone();
        assert_eq!(profile, json!({"clientAppId": "", "serverAppId": "", "tenantId": ""}));
        assert_eq!(view(resource, "2024-01-01")["properties"]["aadProfile"], json!({"tenantID": "t"}));
    }
}
