//! The JSON Schema of scenario files, for editors.

/// The schema (JSON Schema, draft 2020-12).
pub const TEXT: &str = include_str!("../../../fixtures/scenarios/scenario.schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};
    use sim_core::faults::{Matcher, Rule};

    use super::super::{
        ArmCall, ArmCheck, AzExpect, ClientExpect, ClusterCheck, Environment, Expect, Group, JournalCheck,
        Kubeconfig, NetworkSpec, Offboard, Onboard, Patch, Provider, Register, Remedy, Scenario, Step,
        TimeCheck, Wait, Who, WorldSpec,
    };

    /// The keys that a type takes, as it says itself when it is given one that it does not.
    fn keys<T: DeserializeOwned>() -> BTreeSet<String> {
        let error = serde_json::from_value::<T>(json!({ "no such key": 0 })).err().unwrap().to_string();
        let named = error.split("expected").nth(1).unwrap_or_else(|| panic!("{error}"));
        named.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    }

    fn assert_keys<T: DeserializeOwned>(schema: &Value, name: &str) {
        let of = if name.is_empty() { schema } else { &schema["$defs"][name] };
        let told: BTreeSet<String> = of["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(told, keys::<T>(), "{name}");
        assert_eq!(of["additionalProperties"], false, "{name}");
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read_and_no_others() {
        let schema: Value = serde_json::from_str(super::TEXT).unwrap();
        assert_keys::<Scenario>(&schema, "");
        assert_keys::<Remedy>(&schema, "remedy");
        assert_keys::<WorldSpec>(&schema, "world");
        assert_keys::<NetworkSpec>(&schema, "network");
        assert_keys::<Rule>(&schema, "rule");
        assert_keys::<Matcher>(&schema, "match");
        assert_keys::<Step>(&schema, "step");
        assert_keys::<Who>(&schema, "who");
        assert_keys::<Environment>(&schema, "environment");
        assert_keys::<Register>(&schema, "register");
        assert_keys::<Provider>(&schema, "provider");
        assert_keys::<Group>(&schema, "group");
        assert_keys::<Onboard>(&schema, "onboard");
        assert_keys::<Kubeconfig>(&schema, "kubeconfig");
        assert_keys::<Offboard>(&schema, "offboard");
        assert_keys::<ArmCall>(&schema, "armCall");
        assert_keys::<Patch>(&schema, "patch");
        assert_keys::<Wait>(&schema, "wait");
        assert_keys::<ClientExpect>(&schema, "clientExpect");
        assert_keys::<AzExpect>(&schema, "azExpect");
        assert_keys::<Expect>(&schema, "expect");
        assert_keys::<ArmCheck>(&schema, "armCheck");
        assert_keys::<ClusterCheck>(&schema, "clusterCheck");
        assert_keys::<JournalCheck>(&schema, "journalCheck");
        assert_keys::<TimeCheck>(&schema, "timeCheck");
    }
}
