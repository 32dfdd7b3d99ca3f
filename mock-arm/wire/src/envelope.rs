//! The forms around every resource: the resource itself, lists, operation status, system data, identity.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ArmError;

/// A tracked resource with properties of type `P`. Members that this type does not name survive in `other`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<P> {
    /// Resource id, with the casing the caller last used.
    pub id: String,
    /// Innermost name.
    pub name: String,
    /// Full type; some providers write it in lower case.
    #[serde(rename = "type")]
    pub kind: String,
    /// Region name.
    #[serde(default)]
    pub location: String,
    /// Tags; absent and empty are different on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<IndexMap<String, String>>,
    /// Who made and last changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_data: Option<SystemData>,
    /// Its managed identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What the provider says about it.
    pub properties: P,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Who made and last changed a resource. Times are RFC 3339 in UTC with seven fraction digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SystemData {
    /// Name or id of the creator.
    pub created_by: String,
    /// User, Application, ManagedIdentity or Key.
    pub created_by_type: String,
    /// When it was created.
    pub created_at: String,
    /// Name or id of whoever changed it last.
    pub last_modified_by: String,
    /// User, Application, ManagedIdentity or Key.
    pub last_modified_by_type: String,
    /// When it was last changed.
    pub last_modified_at: String,
}

/// A managed identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Identity {
    /// Object id of the identity, set by Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// Its tenant, set by Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// `SystemAssigned` or `None`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A page of a list. `next_link` is absent on the last page, never empty; a page may be empty and have one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The items.
    pub value: Vec<T>,
    /// Absolute URL of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}

/// The document behind an `Azure-AsyncOperation` URL. The read succeeds (200) even when the operation failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OperationStatus {
    /// Path of this document; absent when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The operation's id; absent when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The resource it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Succeeded, Failed, Canceled; anything else means that it still runs.
    pub status: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// What came out of it. `Some(Value::Null)` is written as `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ArmError>,
}

impl OperationStatus {
    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        is_terminal(&self.status)
    }
}

/// Whether a `status` or `provisioningState` is an end state; it compares without case.
#[must_use]
pub fn is_terminal(state: &str) -> bool {
    ["Succeeded", "Failed", "Canceled"].iter().any(|end| end.eq_ignore_ascii_case(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_resource_has_beyond_the_known_survives_a_round_trip() {
        let text = r#"{"id":"i","name":"n","type":"t","location":"eastus","tags":{},"properties":{"x":1},"kind":"AWS"}"#;
        let resource: Resource<Value> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&resource).unwrap(), text);
    }

    #[test]
    fn end_states_are_three() {
        assert!(is_terminal("succeeded") && is_terminal("Failed") && is_terminal("Canceled"));
        assert!(!is_terminal("Accepted"));
    }
}
