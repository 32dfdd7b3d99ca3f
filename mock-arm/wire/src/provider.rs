//! Resource provider objects: what `az provider show` reads.

use serde::{Deserialize, Serialize};

/// A resource provider as a subscription sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProviderObject {
    /// `/subscriptions/{s}/providers/{namespace}`, or `/providers/{namespace}` without a subscription.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// Applications that act on behalf of the provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorizations: Vec<Authorization>,
    /// Its resource types.
    pub resource_types: Vec<ResourceType>,
    /// NotRegistered, Registering, Registered, Unregistering or Unregistered; absent without a subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_state: Option<String>,
    /// RegistrationRequired or RegistrationFree.
    pub registration_policy: String,
}

/// An application that acts on behalf of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Authorization {
    /// The application.
    pub application_id: String,
    /// The role it gets in the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_definition_id: Option<String>,
}

/// A type of resource that a provider offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceType {
    /// Type without namespace.
    pub resource_type: String,
    /// Display names of the regions that have it.
    pub locations: Vec<String>,
    /// API versions, newest first.
    pub api_versions: Vec<String>,
    /// The version that tools choose when they have no preference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_api_version: Option<String>,
    /// Words joined by a comma and a blank; `None` is a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
}
