//! Bodies made from a schema.

use serde_json::{Map, Value, json};

use super::document::Operation;
use super::schema::{members, required};
use super::stage::{SUBSCRIPTION, key};

/// Values for members whose content has to make sense, by name.
fn known(name: &str) -> Option<Value> {
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers");
    let cluster = format!("{group}/Microsoft.Kubernetes/connectedClusters/c");
    Some(match name {
        "location" => json!("eastus"),
        "agentPublicKeyCertificate" => json!(key()),
        "hostResourceId" => json!(cluster),
        "clusterExtensionIds" => {
            json!([format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/x")])
        }
        "gatewayResourceId" => json!(format!("{group}/Microsoft.HybridCompute/gateways/gw")),
        "namespace" => json!("ns"),
        // What has a kind has no agents' key; that is another shape of the resource.
        "kind" => Value::Null,
        "tags" => json!({ "a": "b" }),
        "scope" => json!({ "cluster": { "releaseNamespace": "n" } }),
        _ => return None,
    })
}

/// What is to be in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Required,
    Everything,
}

fn value(operation: &Operation, name: &str, schema: &Value, extent: Extent, depth: usize) -> Value {
    if let Some(known) = known(name) {
        return known;
    }
    let schema = operation.resolve(schema);
    if let Some(first) = schema["enum"].as_array().and_then(|values| {
        values.iter().find(|value| *value == "SystemAssigned" || *value == "Merge").or(values.first())
    }) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("string") if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        Some("string") => json!("text"),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(1),
        Some("array") if depth < 6 => json!([value(operation, "", &schema["items"], extent, depth + 1)]),
        Some("array") => json!([]),
        _ if depth < 6 => object(operation, schema, extent, depth + 1),
        _ => json!({}),
    }
}

fn object(operation: &Operation, schema: &Value, extent: Extent, depth: usize) -> Value {
    let needed = required(operation, schema);
    let mut made = Map::new();
    for (name, member) in members(operation, schema) {
        let read_only = member["readOnly"] == true || operation.resolve(member)["readOnly"] == true;
        // What the services need in fact, whatever their models say.
        let needed_anyway = ["properties", "extensionType", "hostResourceId", "namespace"]
            .contains(&name.as_str())
            && operation.method == "PUT";
        let wanted = needed.contains(name) || needed_anyway || (extent == Extent::Everything && !read_only);
        if wanted && name != "provisioningState" {
            made.insert(name.clone(), value(operation, name, member, extent, depth));
        }
    }
    Value::Object(made)
}

/// Bodies for an operation: the least, everything, and the least with each further member of `properties`.
pub(crate) fn bodies(operation: &Operation) -> Vec<Value> {
    let Some(schema) = operation.request() else { return vec![Value::Null] };
    let mut least = object(operation, schema, Extent::Required, 0);
    if least.get("location").is_none() && operation.method == "PUT" && !operation.path.contains("tags") {
        // Resource Manager needs it, whatever the model says.
        least["location"] = json!("eastus");
    }
    let full = object(operation, schema, Extent::Everything, 0);
    let mut bodies = vec![least.clone(), full.clone()];
    for (name, value) in full["properties"].as_object().into_iter().flatten() {
        let mut one = least.clone();
        one["properties"][name] = value.clone();
        bodies.push(one);
    }
    bodies
}
