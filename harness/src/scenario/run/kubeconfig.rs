//! The kubeconfig of a step's user.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::step::Kubeconfig;
use super::theatre::Theatre;

/// The administrator's kubeconfig, or what a step makes of it.
pub(super) async fn kubeconfig(theatre: &Theatre, changes: Option<&Kubeconfig>) -> Result<String, String> {
    let own = theatre.world.cluster().kubeconfig();
    let Some(changes) = changes else { return Ok(own) };
    let unreadable = |error: serde_saphyr::Error| format!("the cluster's kubeconfig: {error}");
    let mut config: Value = serde_saphyr::from_str(&own).map_err(unreadable)?;
    if let Some(server) = &changes.server {
        config["clusters"][0]["cluster"]["server"] = server.as_str().into();
    }
    if changes.wrong_authority {
        let other = STANDARD.encode(theatre.world.authority().pem());
        config["clusters"][0]["cluster"]["certificate-authority-data"] = other.into();
    }
    let token = match &changes.service_account {
        Some(account) => Some(service_account_token(theatre, account).await?),
        None => changes.token.clone(),
    };
    if let Some(token) = token {
        config["users"][0]["user"] = json!({ "token": token });
    }
    // JSON is YAML.
    Ok(config.to_string())
}

async fn service_account_token(theatre: &Theatre, account: &str) -> Result<String, String> {
    let (namespace, name) =
        account.split_once('/').ok_or_else(|| format!("'{account}' is not NAMESPACE/NAME"))?;
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let answer = theatre.cluster.post(&path, &body).await;
    let answer = answer.map_err(|error| format!("{account} gets no token: {error}"))?;
    let token = answer.pointer("/status/token").and_then(Value::as_str);
    token.map(ToOwned::to_owned).ok_or_else(|| format!("{account} gets no token"))
}
