//! Resource groups.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The type of every resource group.
pub const TYPE: &str = "Microsoft.Resources/resourceGroups";

/// A resource group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceGroup {
    /// `/subscriptions/{s}/resourceGroups/{name}`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Always [`TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Region name.
    pub location: String,
    /// The resource that manages it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// Tags; absent when the group never had any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<IndexMap<String, String>>,
    /// Its state.
    pub properties: GroupProperties,
}

/// The state of a resource group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GroupProperties {
    /// `Succeeded` or `Deleting`.
    pub provisioning_state: String,
}
