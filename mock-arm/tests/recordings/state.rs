//! Brings a cloud into the state that an exchange tells of.

use mock_arm::profile::{Profile, Registration};
use mock_arm::providers::kubernetes::agent::{self, Report};
use serde_json::{Map, Value, json};

use super::exchange::Exchange;
use super::stage::{SUBSCRIPTION, Stage, key};

const CLUSTER: &str = "2024-07-15-preview";
const EXTENSION: &str = "2023-05-01";
const CUSTOM_LOCATION: &str = "2021-08-15";
const SCOPE: &str = "2024-07-10";
const GROUP: &str = "2024-11-01";

/// A cloud whose namespaces are registered, unless the exchange tells that they are not.
pub(crate) fn profile(exchange: &Exchange) -> Profile {
    let begins = exchange.path().ends_with("/register") && exchange.body["registrationState"] != "Registered";
    let registered = exchange.code() != "MissingSubscriptionRegistration" && !begins;
    let plan = Registration { registered, ..Registration::default() };
    Profile { registration: [("*".to_owned(), plan)].into(), ..Profile::default() }
}

/// Prepares `stage` and says which URI to send: the recorded one, or for polls the one that the cloud itself gave out.
pub(crate) async fn prepare(
    stage: &mut Stage,
    exchange: &Exchange,
    all: &[Exchange],
) -> Result<String, String> {
    let parts = exchange.parts();
    let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    match words.as_slice() {
        [_, _, "operationresults", _] => return group_deletion(stage, exchange, parts[3]).await,
        [_, _, "resourcegroups", _] if exchange.method == "DELETE" => {
            return group_to_delete(stage, exchange).await;
        }
        ["providers", _, "locations", _, "operationstatuses", _] => {
            return cluster_poll(stage, exchange, all).await;
        }
        [_, _, "providers", "microsoft.extendedlocation", "locations", _, "operationsstatus", _]
        | [.., "extensions", _, "operations", _] => return write_poll(stage, exchange, all).await,
        [_, _, "resourcegroups", _] => group(stage, exchange, parts[3]).await?,
        [_, _, "resourcegroups", _, "providers", ..] if exchange.code() != "ResourceGroupNotFound" => {
            make_group(stage, parts[3], &json!({})).await?;
            resources(stage, exchange, &parts).await?;
        }
        _ => list(stage, exchange).await?,
    }
    Ok(exchange.uri.clone())
}

async fn make_group(stage: &Stage, name: &str, like: &Value) -> Result<(), String> {
    let mut body = json!({ "location": like["location"].as_str().unwrap_or("eastus") });
    if let Some(tags) = like.get("tags") {
        body["tags"] = tags.clone();
    }
    let uri = format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/{name}?api-version={GROUP}");
    stage.ok("PUT", &uri, &body).await.map(drop)
}

/// The group itself: it is there unless the reply says that it was made, or is not there.
async fn group(stage: &Stage, exchange: &Exchange, name: &str) -> Result<(), String> {
    if matches!(exchange.status, 201 | 404) {
        return Ok(());
    }
    let like = if exchange.body.is_object() { exchange.body.clone() } else { json!({}) };
    make_group(stage, name, &like).await
}

/// Name and region of the group whose deletion has this id. Of a long name only the start is known: the rest is made up.
fn job(id: &str) -> Result<(String, String), String> {
    use base64::Engine as _;
    let bytes =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(id).map_err(|error| error.to_string())?;
    let job: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let name = job["jobId"].as_str().unwrap_or_default();
    let name = name.strip_prefix("RESOURCEGROUPDELETIONJOB-").and_then(|name| name.rsplit_once('-'));
    let mut name =
        name.ok_or("no group in the id")?.0.replace(":2D", "-").replace(":5F", "_").replace(":2E", ".");
    if let Some((start, _)) = name.split_once('|') {
        name = format!("{start}{}", "X".repeat(24));
    }
    Ok((name, job["jobLocation"].as_str().unwrap_or_default().to_owned()))
}

/// A poll of a group's deletion: the group's name stands in the id.
async fn group_deletion(stage: &mut Stage, exchange: &Exchange, id: &str) -> Result<String, String> {
    let (name, location) = job(id)?;
    make_group(stage, &name, &json!({ "location": location })).await?;
    let uri = format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/{name}?{}", exchange.version());
    let answer = stage.ok("DELETE", &uri, &Value::Null).await?;
    if exchange.status != 202 {
        stage.pass(600).await;
    }
    link(&answer.headers, "location")
}

/// The deletion of a group. Recorders renamed groups afterwards, but not in the link that the reply gives out.
async fn group_to_delete(stage: &Stage, exchange: &Exchange) -> Result<String, String> {
    let location = exchange.headers.get("location").and_then(Value::as_str).unwrap_or_default();
    let id = location.split("operationresults/").nth(1).and_then(|rest| rest.split('?').next());
    let (name, location) = job(id.unwrap_or_default())?;
    make_group(stage, &name, &json!({ "location": location })).await?;
    Ok(format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/{name}?{}", exchange.version()))
}

fn link(headers: &Map<String, Value>, name: &str) -> Result<String, String> {
    let link = headers.get(name).and_then(Value::as_str).ok_or_else(|| format!("no header {name}"))?;
    Ok(link.strip_prefix("https://management.azure.com").unwrap_or(link).to_owned())
}

/// The exchange whose reply gave out the id of this poll.
fn origin<'a>(exchange: &Exchange, all: &'a [Exchange]) -> Option<&'a Exchange> {
    let id = exchange.parts().last().copied().unwrap_or_default().to_owned();
    all.iter().find(|one| {
        let header = one.headers.get("azure-asyncoperation").and_then(Value::as_str);
        one.method != "GET" && header.is_some_and(|link| link.contains(&id))
    })
}

async fn cluster_poll(stage: &mut Stage, exchange: &Exchange, all: &[Exchange]) -> Result<String, String> {
    let subject = exchange.body["resourceId"].as_str().ok_or("the status names no resource")?;
    let deletes = origin(exchange, all).is_some_and(|origin| origin.method == "DELETE");
    let region = exchange.parts()[3].to_lowercase();
    let parts: Vec<&str> = subject.split('/').filter(|part| !part.is_empty()).collect();
    make_group(stage, parts[3], &json!({})).await?;
    let like = json!({ "location": region });
    let mut answer = make(stage, subject, &like).await?;
    if deletes {
        stage.pass(100).await;
        answer = stage.ok("DELETE", &format!("{subject}?api-version={CLUSTER}"), &Value::Null).await?;
    }
    if exchange.body["status"] == "Succeeded" {
        stage.pass(100).await;
    }
    let uri = link(&answer.headers, "azure-asyncoperation")?;
    Ok(uri.replace(&format!("api-version={CLUSTER}"), &exchange.version()))
}

/// A poll of an extension's or a custom location's write: does the write that gave out the link.
async fn write_poll(stage: &mut Stage, exchange: &Exchange, all: &[Exchange]) -> Result<String, String> {
    let origin = origin(exchange, all).ok_or("the write behind the poll was not recorded")?;
    Box::pin(prepare(stage, origin, all)).await?;
    let body = origin.request.clone().unwrap_or_default();
    let answer = stage.ok(&origin.method, &origin.uri, &body).await?;
    if exchange.body["status"] == "Succeeded" {
        stage.pass(600).await;
    }
    link(&answer.headers, "azure-asyncoperation")
}

/// The resource and everything that must be there before it.
async fn resources(stage: &mut Stage, exchange: &Exchange, parts: &[&str]) -> Result<(), String> {
    if ["ParentResourceNotFound", "MissingSubscriptionRegistration"].contains(&exchange.code()) {
        return Ok(());
    }
    let id = format!("/{}", parts.join("/"));
    if let Some((host, name)) = id.split_once("/providers/Microsoft.Authorization/roleAssignments/") {
        if !modelled(host) {
            return Ok(());
        }
        // The same assignment under another name.
        cluster(stage, host, &json!({})).await?;
        let other = uuid::Uuid::from_u128(1);
        let uri = format!("{}?{}", id.replace(name, &other.to_string()), exchange.version());
        return stage.ok("PUT", &uri, &exchange.request.clone().unwrap_or_default()).await.map(drop);
    }
    if let Some(items) = exchange.body["value"].as_array() {
        parents(stage, &id, &json!({})).await?;
        for item in items {
            let id = item["id"].as_str().unwrap_or_default();
            if modelled(id) {
                parents(stage, id, item).await?;
                make(stage, id, item).await?;
            }
        }
        stage.pass(600).await;
        return Ok(());
    }
    let like = if exchange.method == "GET" {
        exchange.body.clone()
    } else {
        exchange.request.clone().unwrap_or_default()
    };
    if let Some(at) = id.to_lowercase().rfind("/providers/microsoft.kubernetesconfiguration") {
        cluster(stage, &id[..at], &json!({ "location": region(exchange) })).await?;
    }
    parents(stage, &id, &like).await?;
    let created = exchange.method == "PUT" && exchange.body["properties"].get("agentVersion").is_none();
    if !modelled(&id) || created || exchange.status == 404 {
        return Ok(());
    }
    make(stage, &id, &exchange.body).await?;
    if exchange.body.pointer("/properties/provisioningState").is_none_or(|state| state != "Creating") {
        stage.pass(600).await;
        settled(stage, &id, &exchange.body).await;
    }
    Ok(())
}

/// What stands above a resource: the cluster of an extension; cluster and extension of a custom location.
async fn parents(stage: &mut Stage, id: &str, like: &Value) -> Result<(), String> {
    if let Some((start, rest)) = id.split_once("/privateLinkScopes/")
        && let Some((name, _)) = rest.split_once('/')
    {
        make(stage, &format!("{start}/privateLinkScopes/{name}"), &json!({})).await?;
    }
    if let Some(at) = id.to_lowercase().rfind("/providers/microsoft.kubernetesconfiguration") {
        cluster(stage, &id[..at], &json!({})).await?;
    }
    let host = like.pointer("/properties/hostResourceId").and_then(Value::as_str);
    if let Some(host) = host {
        let parts: Vec<&str> = host.split('/').filter(|part| !part.is_empty()).collect();
        make_group(stage, parts[3], &json!({})).await?;
        cluster(stage, host, &json!({})).await?;
    }
    for extension in
        like.pointer("/properties/clusterExtensionIds").and_then(Value::as_array).into_iter().flatten()
    {
        make(stage, extension.as_str().unwrap_or_default(), &json!({})).await?;
    }
    stage.pass(600).await;
    Ok(())
}

/// The region of an extension's cluster, which the reply to its creation gives away.
fn region(exchange: &Exchange) -> Option<&str> {
    let home = exchange.headers.get("location")?.as_str()?.strip_prefix("https://")?;
    home.split_once(".rp.").map(|(region, _)| region)
}

async fn cluster(stage: &mut Stage, id: &str, like: &Value) -> Result<(), String> {
    let there = stage.send("GET", &format!("{id}?api-version={CLUSTER}"), None).await;
    if there.status == 200 {
        return Ok(());
    }
    make(stage, id, like).await?;
    stage.pass(100).await;
    settled(stage, id, &json!({"properties": {"agentVersion": "1.26.0"}})).await;
    Ok(())
}

fn modelled(id: &str) -> bool {
    version(id).is_some()
}

fn version(id: &str) -> Option<&'static str> {
    let id = id.to_lowercase();
    let types = [
        ("/extensions/", EXTENSION),
        ("/microsoft.extendedlocation/customlocations/", CUSTOM_LOCATION),
        ("/microsoft.hybridcompute/privatelinkscopes/", SCOPE),
        ("/microsoft.kubernetes/connectedclusters/", CLUSTER),
    ];
    let found = types.into_iter().find(|(part, _)| id.contains(part))?;
    // The resource itself, nothing below it.
    let rest = id.rsplit(found.0).next().unwrap_or_default();
    (!rest.contains('/')).then_some(found.1)
}

/// Makes a resource like the given one.
async fn make(stage: &Stage, id: &str, like: &Value) -> Result<super::stage::Answer, String> {
    let version = version(id).ok_or_else(|| format!("{id} cannot be made"))?;
    let text = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    let given = |place: &str| like.pointer(place).cloned();
    let body = match version {
        CLUSTER => {
            let mut properties = json!({ "agentPublicKeyCertificate": key() });
            for name in [
                "agentPublicKeyCertificate",
                "distribution",
                "infrastructure",
                "arcAgentProfile",
                "arcAgentryConfigurations",
                "aadProfile",
            ] {
                if let Some(value) = given(&format!("/properties/{name}")) {
                    properties[name] = value;
                }
            }
            json!({
                "location": text(&like["location"], "eastus"),
                "tags": given("/tags").unwrap_or_else(|| json!({})),
                "identity": { "type": "SystemAssigned" },
                "properties": properties,
            })
        }
        EXTENSION => {
            let mut properties =
                json!({ "extensionType": "microsoft.app.environment", "autoUpgradeMinorVersion": true });
            let sent = [
                "extensionType",
                "autoUpgradeMinorVersion",
                "releaseTrain",
                "version",
                "scope",
                "configurationSettings",
                "configurationProtectedSettings",
            ];
            for name in sent {
                if let Some(value) = given(&format!("/properties/{name}")) {
                    properties[name] = value;
                }
            }
            let mut body = json!({ "properties": properties });
            if like == &json!({}) || like.get("identity").is_some() {
                body["identity"] = json!({ "type": "SystemAssigned" });
            }
            body
        }
        CUSTOM_LOCATION => json!({
            "location": text(&like["location"], "eastus"),
            "properties": {
                "hostType": "Kubernetes",
                "hostResourceId": given("/properties/hostResourceId"),
                "namespace": given("/properties/namespace"),
                "displayName": given("/properties/displayName"),
                "clusterExtensionIds": given("/properties/clusterExtensionIds"),
            },
        }),
        _ => json!({
            "tags": given("/tags"),
            "location": text(&like["location"], "westus2"),
            "properties": { "publicNetworkAccess": text(&like["properties"]["publicNetworkAccess"], "Disabled") },
        }),
    };
    stage.ok("PUT", &format!("{id}?api-version={version}"), &body).await
}

/// Lets agents report, if the recorded cluster shows that they had.
async fn settled(stage: &mut Stage, id: &str, like: &Value) {
    let known = |name: &str| like["properties"].get(name).is_some();
    if !known("agentVersion") {
        return;
    }
    let id = id.replace(SUBSCRIPTION, &stage.subscription());
    let Ok(id) = id.parse() else { return };
    let rounds = if known("managedIdentityCertificateExpirationTime") { 2 } else { 1 };
    for _ in 0..rounds {
        let now = stage.world.clock.now();
        let report = Report {
            kubernetes_version: Some("1.31.8".into()),
            total_node_count: Some(3),
            total_core_count: Some(6),
            agent_version: Some("1.26.0".into()),
            certificate_expiry: now.checked_add(jiff::SignedDuration::from_hours(24 * 90)).ok(),
            ..Report::default()
        };
        agent::report(&stage.world.ledger, &id, &report, now).unwrap();
    }
    if like["properties"]["connectivityStatus"] == "Offline" {
        stage.pass(1200).await;
    }
}

/// Lists of a subscription.
async fn list(stage: &mut Stage, exchange: &Exchange) -> Result<(), String> {
    for item in exchange.body["value"].as_array().into_iter().flatten() {
        let id = item["id"].as_str().unwrap_or_default();
        if !modelled(id) {
            continue;
        }
        let parts: Vec<&str> = id.split('/').filter(|part| !part.is_empty()).collect();
        make_group(stage, parts[3], &json!({})).await?;
        parents(stage, id, item).await?;
        make(stage, id, item).await?;
    }
    stage.pass(600).await;
    Ok(())
}
