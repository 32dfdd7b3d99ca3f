//! `listClusterUserCredential`: how to reach a cluster through the relay (API models and examples of 2021-10-01 and
//! later).
//!
//! What a client's own proxy gets (`clientProxy: true`) opens the cluster's hybrid connection. The proxy of the service, which the
//! kubeconfig names otherwise, is not modelled: that credential is drawn from the world's seed and opens nothing.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sim_core::clock::later;
use sim_core::ledger::Txn;

use super::super::refusal::Refusal;
use super::super::seam::{Call, Reply};
use super::super::target::Typed;
use super::super::{tags, tracked};
use crate::relay::{self, Right};
use crate::store::resources;

/// How long a credential is good, in seconds of wall time: clients hold it against their own clock (reckoned from the examples of the API).
const GOOD_FOR: Duration = Duration::from_secs(3 * 60 * 60);

fn wrong(text: &str, member: &str) -> Refusal {
    Refusal::invalid_content(text).target(member)
}

pub(super) fn list(call: &Call<'_>, typed: &Typed<'_>, txn: &Txn<'_>) -> Result<Reply, Refusal> {
    let action = typed.path.last().map(AsRef::as_ref).unwrap_or_default();
    let plural = action.eq_ignore_ascii_case("listClusterUserCredentials");
    // The first version has the plural, the second neither, and all later ones the singular.
    let known = if plural { call.version < "2021-03-01" } else { call.version >= "2021-04-01" };
    if !known {
        return Err(Refusal::unknown_type(super::NAMESPACE, call.version));
    }
    let Some(row) = resources::get(txn, &typed.key()).filter(|row| !tracked::is_deleting(row)) else {
        let name = format!("{}/{}/{}", super::NAMESPACE, super::CLUSTERS, typed.named());
        return Err(Refusal::resource_not_found(&name, typed.group.as_deref().unwrap_or_default()));
    };
    let body = call.object()?;
    let method = tags::text(body, "authenticationMethod")?;
    let method = method.ok_or_else(|| wrong("'authenticationMethod' is missing", "authenticationMethod"))?;
    if !["Token", "AAD"].iter().any(|known| known.eq_ignore_ascii_case(method)) {
        return Err(wrong(&format!("'{method}' is not Token or AAD"), "authenticationMethod"));
    }
    let proxied = match body.get("clientProxy") {
        Some(Value::Bool(proxied)) => *proxied,
        // The first version did not ask for it.
        None if plural => false,
        _ => return Err(wrong("'clientProxy' is missing, or not true or false", "clientProxy")),
    };
    let cluster = &resources::resource(row);
    let config = kubeconfig(call, cluster, proxied, method.eq_ignore_ascii_case("Token"));
    let mut reply =
        json!({ "kubeconfigs": [{ "name": "credentialName1", "value": STANDARD.encode(config) }] });
    if proxied {
        reply["hybridConnectionConfig"] = connection(call, cluster)?;
    }
    Ok(Reply::Ok(Arc::new(reply)))
}

fn draw(call: &Call<'_>, cluster: &Value, what: &str) -> String {
    let id = tracked::text(cluster, "id").to_ascii_lowercase();
    call.seed.uuid(&format!("credential/{what}/{id}")).simple().to_string()
}

/// SHA-256 of an ARM id without regard to case, in hex.
fn hash(id: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, id.to_ascii_lowercase().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kubeconfig(call: &Call<'_>, cluster: &Value, proxied: bool, token: bool) -> String {
    let (name, region) = (tracked::text(cluster, "name"), tracked::text(cluster, "location"));
    let server = if proxied {
        // The client's proxy puts its own port in; the path is how the Azure CLI knows such a kubeconfig again.
        format!("https://127.0.0.1:47011/{}", hash(tracked::text(cluster, "id")))
    } else {
        format!(
            "https://{region}.hostedproxy.kubernetesconfiguration.azure.com/proxies/{}",
            draw(call, cluster, "proxy")
        )
    };
    let user = match (token, proxied) {
        (true, false) => json!({ "token": draw(call, cluster, "token") }),
        // The Azure CLI puts the caller's own token in.
        (true, true) => json!({ "token": "" }),
        // The client's proxy adds what proves who calls.
        (false, true) => json!({}),
        (false, false) => json!({ "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "kubelogin",
            "args": ["get-token", "--tenant-id", call.profile.tenant.id],
        } }),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{ "name": name, "cluster": { "server": server } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "users": [{ "name": name, "user": user }],
    })
    .to_string()
}

fn connection(call: &Call<'_>, cluster: &Value) -> Result<Value, Refusal> {
    let name = relay::connection_of(call.seed, cluster);
    let until = later(call.wall, GOOD_FOR);
    let token = call.relay.token(&name, Right::Send, until);
    let token = token.ok_or_else(|| Refusal::not_modelled("a relay on a machine without randomness"))?;
    let mut config = json!({
        "expirationTime": until.as_second(),
        "hybridConnectionName": name,
        "relay": relay::RELAY,
        "token": token,
    });
    if call.version >= "2024-07-15" {
        config["relayTid"] = call.profile.tenant.id.to_string().into();
        config["relayType"] = "Public".into();
    }
    Ok(config)
}
