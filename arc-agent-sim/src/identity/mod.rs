//! How agents come to tokens: they create a request object, and the identity operator answers in a Secret.

pub(crate) mod store;
pub(crate) mod tokens;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;

use crate::agent::Agent;
use crate::config::NAMESPACE;

/// Secret with the identity certificate.
pub(crate) const CERTIFICATE_SECRET: &str = "azure-identity-certificate";
/// Its key with the expiry.
pub(crate) const CERTIFICATE_EXPIRY: &str = "azure-identity-certificate-expiration-time";
/// Key of a token Secret.
pub(crate) const TOKEN_KEY: &str = "cluster-identity-token";

/// Objects of a custom kind of the agents, in their namespace.
pub(crate) fn custom(agent: &Agent, group: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(group, "v1beta1", kind);
    Api::namespaced_with(agent.kube.clone(), NAMESPACE, &ApiResource::from_gvk_with_plural(&kind, plural))
}

/// The token requests.
pub(crate) fn requests(agent: &Agent) -> Api<DynamicObject> {
    custom(agent, "clusterconfig.azure.com", "AzureClusterIdentityRequest", "azureclusteridentityrequests")
}

/// The request of this name, with a spec.
pub(crate) fn object(api: &'static str, kind: &'static str, name: &str, spec: Value) -> DynamicObject {
    let types = kube::api::TypeMeta { api_version: api.into(), kind: kind.into() };
    let metadata = kube::api::ObjectMeta {
        name: Some(name.into()),
        namespace: Some(NAMESPACE.into()),
        ..Default::default()
    };
    DynamicObject { types: Some(types), metadata, data: serde_json::json!({ "spec": spec }) }
}
