//! Sends what an operation takes, and looks at what comes back.

use mock_arm::profile::{Profile, Registration};
use serde_json::{Value, json};

use super::document::Operation;
use super::stage::{Answer, SUBSCRIPTION, Stage, key};
use super::{generate, schema};

const CLUSTER: &str = "/providers/Microsoft.Kubernetes/connectedClusters/c";
const EXTENSION: &str = "/providers/Microsoft.KubernetesConfiguration/extensions/x";

fn group() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/g")
}

/// A cloud with one of everything that is modelled, all settled; but without `except`.
async fn world(except: &str) -> Result<Stage, String> {
    let plan = Registration { registered: true, ..Registration::default() };
    let mut stage =
        Stage::new(Profile { registration: [("*".to_owned(), plan)].into(), ..Profile::default() });
    let group = group();
    let cluster = format!("{group}{CLUSTER}");
    let everything = [
        (format!("{group}?api-version=2021-04-01"), json!({ "location": "eastus", "tags": { "a": "b" } })),
        (
            format!("{cluster}?api-version=2024-07-15-preview"),
            json!({
                "location": "eastus",
                "identity": { "type": "SystemAssigned" },
                "properties": { "agentPublicKeyCertificate": key(), "distribution": "kind" },
            }),
        ),
        (
            format!("{cluster}{EXTENSION}?api-version=2023-05-01"),
            json!({
                "identity": { "type": "SystemAssigned" },
                "properties": { "extensionType": "a.b", "configurationProtectedSettings": { "a": "b" } },
            }),
        ),
        (
            format!("{group}/providers/Microsoft.ExtendedLocation/customLocations/l?api-version=2021-08-15"),
            json!({
                "location": "eastus",
                "properties": {
                    "hostResourceId": cluster,
                    "namespace": "ns",
                    "clusterExtensionIds": [format!("{cluster}{EXTENSION}")],
                },
            }),
        ),
        (
            format!("{group}/providers/Microsoft.HybridCompute/gateways/gw?api-version=2025-09-16-preview"),
            json!({ "location": "eastus", "properties": {} }),
        ),
        (
            format!(
                "{group}/providers/Microsoft.HybridCompute/privateLinkScopes/s?api-version=2025-09-16-preview"
            ),
            json!({ "location": "eastus" }),
        ),
        (
            format!(
                "{cluster}/providers/Microsoft.HybridCompute/settings/default?api-version=2025-09-16-preview"
            ),
            json!({ "properties": {} }),
        ),
    ];
    for (uri, body) in everything {
        let own = uri.split('?').next().unwrap_or_default();
        if except.is_empty() || !own.eq_ignore_ascii_case(except) {
            let made = stage.ok("PUT", &uri, &body).await;
            // What stands on the one that is left out cannot be there either.
            if except.is_empty() {
                made?;
            }
            stage.pass(300).await;
        }
    }
    Ok(stage)
}

/// The path with values for its parameters.
fn fill(operation: &Operation) -> String {
    let filled = |part: &str| {
        let name = part.trim_matches(['{', '}']).replace('_', "").to_lowercase();
        match name.as_str() {
            _ if !part.starts_with('{') => part.to_owned(),
            "subscriptionid" => SUBSCRIPTION.into(),
            "resourcegroupname" => "g".into(),
            "clusterrp" | "baseprovider" => "Microsoft.Kubernetes".into(),
            "clusterresourcename" | "baseresourcetype" => "connectedClusters".into(),
            "clustername" | "baseresourcename" => "c".into(),
            "extensionname" => "x".into(),
            "resourcename" => "l".into(),
            "gatewayname" => "gw".into(),
            "scopename" => "s".into(),
            "groupname" => "hybridcompute".into(),
            "settingsresourcename" => "default".into(),
            "resourceprovidernamespace" => "Microsoft.PolicyInsights".into(),
            "scope" => format!("subscriptions/{SUBSCRIPTION}"),
            _ => part.to_owned(),
        }
    };
    operation.path.split('/').map(filled).collect::<Vec<_>>().join("/")
}

/// The body as documents made from an SDK describe it: some have the members of `properties` beside it.
fn flatten(operation: &Operation, schema: &Value, body: &Value) -> Value {
    let flat = |schema: &Value| {
        let members = schema::members(operation, schema);
        !members.is_empty() && members.iter().all(|(name, _)| *name != "properties" && *name != "value")
    };
    let lift = |body: &Value| {
        let mut body = body.clone();
        if let Some(members) = body.as_object_mut()
            && let Some(Value::Object(inner)) = members.shift_remove("properties")
        {
            members.extend(inner);
        }
        body
    };
    if operation.knows_statuses() {
        return body.clone();
    }
    let items = schema::members(operation, schema).into_iter().find(|(name, _)| *name == "value");
    let item = items.map(|(_, list)| &operation.resolve(list)["items"]);
    match (item, body["value"].as_array()) {
        (Some(item), Some(list)) if flat(item) => {
            let mut body = body.clone();
            body["value"] = list.iter().map(lift).collect();
            body
        }
        (None, _) if flat(schema) => lift(body),
        _ => body.clone(),
    }
}

fn look(operation: &Operation, answer: &Answer, sent: &Value, found: &mut Vec<String>) {
    let status = answer.status.to_string();
    let failed = answer.status >= 400;
    let listed = operation.response(&status).or_else(|| operation.response("default").filter(|_| failed));
    let schema = match listed {
        Some(schema) => schema,
        None if operation.knows_statuses() || failed => {
            found.push(format!("status {status} is not in the document: {} for {sent}", answer.body));
            return;
        }
        // Such a document lists one good status, whose body stands for all.
        None => ["200", "201"].iter().find_map(|status| operation.response(status)).flatten(),
    };
    let empty = answer.body == "" || answer.body.is_null();
    match schema {
        Some(schema) if !empty => {
            let body = flatten(operation, schema, &answer.body);
            schema::check(operation, schema, &body, "", found);
        }
        Some(_) if answer.status == 202 || operation.method == "DELETE" => {}
        Some(_) => found.push(format!("status {status} has no body")),
        None if empty => {}
        None => found.push(format!("status {status} has a body: {}", answer.body)),
    }
}

/// Everything that is not as the document says.
pub(crate) async fn violations(operation: &Operation) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut path = fill(operation);
    let uri = |path: &str| format!("{path}?api-version={}", operation.version);
    for body in generate::bodies(operation) {
        // New ones first, then over what is there.
        let puts = operation.method == "PUT" && !path.contains("/tags/");
        let absent = if puts { path.clone() } else { String::new() };
        for except in [absent, String::new()] {
            let stage = world(&except).await?;
            if path.ends_with("}") {
                path = poll(&stage).await?;
            }
            let sent = Some(&body).filter(|body| !body.is_null());
            let answer = stage.send(&operation.method, &uri(&path), sent).await;
            if answer.status >= 400 {
                found.push(format!("refused: {} for {body}", answer.body));
            }
            look(operation, &answer, &body, &mut found);
            if !puts {
                break;
            }
        }
    }
    if operation.method == "GET" && operation.path.ends_with('}') && operation.response("default").is_some() {
        let stage = world("").await?;
        let missing = format!("{path}-missing");
        let answer = stage.send("GET", &uri(&missing), None).await;
        look(operation, &answer, &Value::Null, &mut found);
    }
    Ok(found)
}

/// The status of an operation on the extension.
async fn poll(stage: &Stage) -> Result<String, String> {
    let uri = format!("{}{CLUSTER}{EXTENSION}?api-version=2023-05-01", group());
    let body = json!({ "properties": { "configurationSettings": { "c": "d" } } });
    let answer = stage.ok("PATCH", &uri, &body).await?;
    let link = answer.headers.get("azure-asyncoperation").and_then(Value::as_str).ok_or("no link")?;
    let path = link.split('?').next().unwrap_or_default();
    Ok(path.trim_start_matches("https://management.azure.com").to_owned())
}
