//! Secrets as the agents keep them.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::agent::Agent;
use crate::config::NAMESPACE;
use crate::error::{CallError, is_absent, is_conflict};

/// The agents' Secrets.
pub(crate) fn secrets(agent: &Agent) -> Api<Secret> {
    Api::namespaced(agent.kube.clone(), NAMESPACE)
}

/// A text in a Secret; an error in the API server's words when the Secret is not there.
pub(crate) async fn read(secrets: &Api<Secret>, name: &str, key: &str) -> Result<String, CallError> {
    let secret = secrets.get(name).await?;
    let missing =
        || CallError::Unreadable(format!("secrets \"{name}\""), format!("key '{key}' is not there"));
    let value = secret.data.unwrap_or_default().remove(key).ok_or_else(missing)?;
    String::from_utf8(value.0)
        .map_err(|_| CallError::Unreadable(format!("secrets \"{name}\""), format!("key '{key}' is not text")))
}

/// Writes a Secret of type `kind`, made or changed.
pub(crate) async fn write(
    secrets: &Api<Secret>,
    name: &str,
    kind: &str,
    entries: &[(&str, &str)],
) -> Result<(), CallError> {
    let data: BTreeMap<String, ByteString> = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())))
        .collect();
    let patch = Patch::Merge(json!({ "data": data }));
    match secrets.patch(name, &PatchParams::default(), &patch).await {
        Ok(_) => return Ok(()),
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let metadata =
        ObjectMeta { name: Some(name.into()), namespace: Some(NAMESPACE.into()), ..Default::default() };
    let secret = Secret { metadata, data: Some(data), type_: Some(kind.into()), ..Default::default() };
    match secrets.create(&PostParams::default(), &secret).await {
        // Somebody else was faster; the next round changes it.
        Err(error) if is_conflict(&error) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
