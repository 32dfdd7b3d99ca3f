//! What stands around connected clusters: extensions, custom locations, private link scopes, gateways.

use serde_json::{Value, json};

use super::*;

fn extension(cloud: &Cloud) -> String {
    format!("{}/providers/Microsoft.KubernetesConfiguration/extensions/x", cloud.cluster())
}

fn make_extension(cloud: &Cloud) -> Reply {
    let body = json!({
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "extensionType": "microsoft.app.environment",
            "configurationSettings": {"a": "b"},
            "configurationProtectedSettings": {"password": "hidden"},
        },
    });
    cloud.call_as(Verb::Put, &extension(cloud), "2023-05-01", Some(&body)).unwrap()
}

fn location(cloud: &Cloud, name: &str) -> String {
    cloud.path(&format!("/resourceGroups/G/providers/Microsoft.ExtendedLocation/customLocations/{name}"))
}

fn location_body(cloud: &Cloud) -> Value {
    json!({
        "location": "eastus",
        "properties": {
            "hostResourceId": cloud.cluster(),
            "namespace": "ns",
            "clusterExtensionIds": [extension(cloud)],
        },
    })
}

#[test]
fn an_extension_is_created_updated_and_deleted_with_its_operations() {
    let mut cloud = Cloud::ready();
    let missing =
        cloud.call_as(Verb::Put, &extension(&cloud), "2023-05-01", Some(&json!({"properties": {}})));
    assert_eq!(missing.unwrap_err().error.code, "ResourceNotFound");
    put(&cloud);
    cloud.pass(7);
    let none = cloud.call_as(Verb::Get, &extension(&cloud), "2023-05-01", None).unwrap_err();
    assert_eq!(none.error.message, "Extension instance with name 'x' not found.");
    let reply = make_extension(&cloud);
    assert!(matches!(reply, Reply::Resource { created: true, .. }));
    let write = operation(reply);
    let get =
        |cloud: &Cloud, version| value(cloud.call_as(Verb::Get, &extension(cloud), version, None).unwrap());
    let made = get(&cloud, "2023-05-01");
    assert_eq!(made["properties"]["provisioningState"], "Creating");
    assert_eq!(made["properties"]["configurationProtectedSettings"], json!({"password": ""}));
    assert!(write.document.path.ends_with(&format!("/extensions/x/operations/{}", write.id)));
    let status =
        |cloud: &Cloud| match cloud.call_as(Verb::Get, &write.document.path, "2023-05-01", None).unwrap() {
            Reply::Status(found) => serde_json::to_value(found.status()).unwrap(),
            other => panic!("{other:?}"),
        };
    assert_eq!(status(&cloud)["status"], "Creating");
    cloud.pass(90);
    assert_eq!(status(&cloud), json!({"id": write.document.path, "name": write.id, "status": "Succeeded"}));
    let made = get(&cloud, "2023-05-01");
    assert_eq!(made["properties"]["currentVersion"], "1.0.0");
    assert_eq!(get(&cloud, "2022-03-01")["properties"].get("currentVersion"), None);
    let change = json!({"properties": {"configurationSettings": {"c": "d"}}});
    cloud.call_as(Verb::Patch, &extension(&cloud), "2023-05-01", Some(&change)).unwrap();
    assert_eq!(get(&cloud, "2023-05-01")["properties"]["configurationSettings"], json!({"a": "b", "c": "d"}));
    cloud.pass(90);
    operation(cloud.call_as(Verb::Delete, &extension(&cloud), "2023-05-01", None).unwrap());
    cloud.pass(30);
    assert!(cloud.call_as(Verb::Get, &extension(&cloud), "2023-05-01", None).is_err());
}

#[test]
fn a_failed_extension_tells_why_and_a_forced_deletion_is_done_at_once() {
    let mut cloud = Cloud::ready();
    put(&cloud);
    cloud.pass(7);
    let write = operation(make_extension(&cloud));
    let error = arm_wire::error::ArmError::new("ExtensionOperationFailed", "no");
    control::fail(&cloud.world.ledger, &write.id, error, cloud.now()).unwrap();
    cloud.pass(0);
    let failed = value(cloud.call_as(Verb::Get, &extension(&cloud), "2023-05-01", None).unwrap());
    assert_eq!(failed["properties"]["provisioningState"], "Failed");
    assert_eq!(failed["properties"]["statuses"][0]["code"], "InstallationFailed");
    let forced = format!("{}?forceDelete=true", extension(&cloud));
    assert!(matches!(cloud.call_as(Verb::Delete, &forced, "2023-05-01", None).unwrap(), Reply::Ok(_)));
    assert!(cloud.call_as(Verb::Get, &extension(&cloud), "2023-05-01", None).is_err());
}

#[test]
fn a_cluster_takes_its_extensions_with_it() {
    let mut cloud = Cloud::ready();
    put(&cloud);
    make_extension(&cloud);
    cloud.pass(100);
    let count = |cloud: &Cloud| match cloud.ok(
        Verb::Get,
        "/providers/Microsoft.Kubernetes/connectedClusters",
        Value::Null,
    ) {
        Reply::Page(page) => page.items.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(&cloud), 1);
    operation(cloud.call_as(Verb::Delete, &cloud.cluster(), VERSION, None).unwrap());
    cloud.pass(10);
    assert_eq!(count(&cloud), 0);
    assert_eq!(cloud.world.ledger.read(|view| view.scan(crate::store::RESOURCES, "").count()), 0);
}

#[test]
fn a_custom_location_stands_on_a_cluster_and_its_extensions() {
    let mut cloud = Cloud::ready();
    let make = |cloud: &Cloud, name: &str| {
        cloud.call_as(Verb::Put, &location(cloud, name), "2021-08-15", Some(&location_body(cloud)))
    };
    assert_eq!(make(&cloud, "l").unwrap_err().error.target.as_deref(), Some("properties.hostResourceId"));
    put(&cloud);
    assert_eq!(
        make(&cloud, "l").unwrap_err().error.target.as_deref(),
        Some("properties.clusterExtensionIds")
    );
    make_extension(&cloud);
    cloud.pass(100);
    let write = operation(make(&cloud, "l").unwrap());
    let get =
        |cloud: &Cloud| value(cloud.call_as(Verb::Get, &location(cloud, "l"), "2021-08-15", None).unwrap());
    assert_eq!(get(&cloud)["properties"]["provisioningState"], "Creating");
    cloud.pass(20);
    assert_eq!(get(&cloud)["properties"]["provisioningState"], "Succeeded");
    let reply = cloud.call_as(Verb::Get, &write.document.path, "2021-03-15-preview", None).unwrap();
    let Reply::Status(status) = reply else { panic!("{reply:?}") };
    assert_eq!(status.status().status, "Succeeded");
    assert_eq!(make(&cloud, "other").unwrap_err().error.target.as_deref(), Some("properties.namespace"));
    let change = json!({"tags": {"a": "b"}, "properties": {"displayName": "d"}});
    let changed = cloud.call_as(Verb::Patch, &location(&cloud, "l"), "2021-08-15", Some(&change)).unwrap();
    assert_eq!(value(changed)["properties"]["displayName"], "d");
    operation(cloud.call_as(Verb::Delete, &location(&cloud, "l"), "2021-08-15", None).unwrap());
    cloud.pass(20);
    assert!(cloud.call_as(Verb::Get, &location(&cloud, "l"), "2021-08-15", None).is_err());
}

#[test]
fn a_gateway_is_tied_to_a_cluster_by_its_settings() {
    let mut cloud = Cloud::ready();
    put(&cloud);
    let version = "2025-02-19-preview";
    let gateway = cloud.path("/resourceGroups/G/providers/Microsoft.HybridCompute/gateways/g");
    let settings = format!("{}/providers/Microsoft.HybridCompute/settings/Default", cloud.cluster());
    let tie = json!({"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}});
    assert_eq!(cloud.call_as(Verb::Put, &settings, version, Some(&tie)).unwrap_err().kind, Kind::Invalid);
    let body = json!({"location": "eastus", "properties": {"allowedFeatures": ["*"]}});
    operation(cloud.call_as(Verb::Put, &gateway, version, Some(&body)).unwrap());
    cloud.pass(60);
    let made = value(cloud.call_as(Verb::Get, &gateway, version, None).unwrap());
    assert!(made["properties"]["gatewayEndpoint"].as_str().unwrap().ends_with(".gw.arc.azure.com"));
    let tied = value(cloud.call_as(Verb::Put, &settings, version, Some(&tie)).unwrap());
    assert_eq!(tied["properties"]["gatewayProperties"]["gatewayResourceId"], json!(gateway));
}

#[test]
fn a_private_link_scope_keeps_its_id_and_lists_what_it_links() {
    let cloud = Cloud::ready();
    let version = "2024-11-10-preview";
    let scope = cloud.path("/resourceGroups/G/providers/Microsoft.HybridCompute/privateLinkScopes/s");
    let body = json!({"location": "westus2", "properties": {"publicNetworkAccess": "Enabled"}});
    let made = value(cloud.call_as(Verb::Put, &scope, version, Some(&body)).unwrap());
    let again = value(cloud.call_as(Verb::Put, &scope, version, Some(&body)).unwrap());
    assert_eq!(made["properties"]["privateLinkScopeId"], again["properties"]["privateLinkScopeId"]);
    let links = value(
        cloud
            .call_as(Verb::Get, &format!("{scope}/privateLinkResources/hybridcompute"), version, None)
            .unwrap(),
    );
    assert_eq!(links["properties"]["groupId"], "hybridcompute");
    let missing = format!("{scope}-2");
    let parent = cloud.call_as(Verb::Get, &format!("{missing}/privateEndpointConnections"), version, None);
    assert_eq!(parent.unwrap_err().error.code, "ParentResourceNotFound");
    assert!(cloud.call_as(Verb::Delete, &scope, version, None).is_ok());
    assert!(cloud.call_as(Verb::Get, &scope, version, None).is_err());
}
