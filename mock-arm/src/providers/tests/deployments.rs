//! Deployments of templates.

use serde_json::{Value, json};

use super::*;
use crate::lro::State;

const URL: &str = "/resourceGroups/G/providers/Microsoft.Resources/deployments/d";

fn template() -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            "name": {"type": "string"},
            "key": {"type": "string", "defaultValue": KEY},
            "password": {"type": "secureString", "defaultValue": "hidden"},
        },
        "variables": {"cluster": "[resourceId('Microsoft.Kubernetes/connectedClusters', parameters('name'))]"},
        "resources": [
            {
                "type": "Microsoft.ExtendedLocation/customLocations",
                "apiVersion": "2021-08-15",
                "name": "l",
                "location": "[resourceGroup().location]",
                "dependsOn": [
                    "[extensionResourceId(variables('cluster'), 'Microsoft.KubernetesConfiguration/extensions', 'x')]",
                ],
                "properties": {
                    "hostResourceId": "[variables('cluster')]",
                    "namespace": "ns",
                    "clusterExtensionIds": [
                        "[extensionResourceId(variables('cluster'), 'Microsoft.KubernetesConfiguration/extensions', 'x')]",
                    ],
                },
            },
            {
                "type": "Microsoft.KubernetesConfiguration/extensions",
                "apiVersion": "2023-05-01",
                "name": "x",
                "scope": "[format('Microsoft.Kubernetes/connectedClusters/{0}', parameters('name'))]",
                "dependsOn": ["[variables('cluster')]"],
                "properties": {"extensionType": "a.b"},
            },
            {
                "type": "Microsoft.Kubernetes/connectedClusters",
                "apiVersion": "2024-01-01",
                "name": "[parameters('name')]",
                "location": "[resourceGroup().location]",
                "identity": {"type": "SystemAssigned"},
                "properties": {"agentPublicKeyCertificate": "[parameters('key')]"},
            },
        ],
        "outputs": {"id": {"type": "string", "value": "[variables('cluster')]"}},
    })
}

fn body(template: Value) -> Value {
    json!({"properties": {"mode": "Incremental", "template": template, "parameters": {"name": {"value": "C-1"}}}})
}

#[test]
fn a_template_is_deployed_in_the_order_of_dependence_and_runs_until_everything_has_ended() {
    let mut cloud = Cloud::ready();
    let put = |cloud: &Cloud| cloud.ok(Verb::Put, URL, body(template()));
    let write = operation(put(&cloud));
    let state = |cloud: &Cloud| cloud.get(&cloud.path(URL))["properties"]["provisioningState"].clone();
    let status = |cloud: &Cloud| match cloud.call_as(Verb::Get, &write.document.path, VERSION, None).unwrap()
    {
        Reply::Status(found) => serde_json::to_value(found.status()).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!((state(&cloud), status(&cloud)), (json!("Accepted"), json!({"status": "Running"})));
    for _ in 0..4 {
        cloud.pass(5);
    }
    assert_eq!(state(&cloud), "Running");
    for _ in 0..30 {
        cloud.pass(5);
    }
    assert_eq!((state(&cloud), status(&cloud)), (json!("Succeeded"), json!({"status": "Succeeded"})));
    let deployment = cloud.get(&cloud.path(URL));
    assert_eq!(deployment["properties"]["outputs"]["id"]["value"], json!(cloud.cluster()));
    assert!(!deployment.to_string().contains("hidden"));
    assert_eq!(cloud.get(&cloud.cluster())["properties"]["provisioningState"], "Succeeded");
    for list in
        [format!("{URL}/operations"), URL.replace("providers/Microsoft.Resources/", "") + "/operations"]
    {
        let Reply::Page(page) = cloud.ok(Verb::Get, &list, Value::Null) else { panic!() };
        assert_eq!(page.items.len(), 3);
    }
    let Reply::Page(page) = cloud.ok(Verb::Get, URL.trim_end_matches("/d"), Value::Null) else { panic!() };
    assert_eq!(page.items.len(), 1);
}

#[test]
fn a_deployment_fails_with_what_it_deployed() {
    let mut cloud = Cloud::ready();
    let write = operation(cloud.ok(Verb::Put, URL, body(template())));
    let operations = cloud.world.ledger.read(|view| crate::lro::list(view));
    let extension = operations.iter().find(|one| one.name.contains("extensions")).unwrap();
    let error = arm_wire::error::ArmError::new("Broken", "no");
    control::fail(&cloud.world.ledger, &extension.id, error, cloud.now()).unwrap();
    for _ in 0..10 {
        cloud.pass(5);
    }
    let ended = cloud.world.ledger.read(|view| crate::lro::get(view, &write.id)).unwrap();
    let State::Failed { error } = ended.state else { panic!("{:?}", ended.state) };
    assert_eq!((error.code.as_ref(), error.details.len()), ("DeploymentFailed", 1));
    assert_eq!(cloud.get(&cloud.path(URL))["properties"]["provisioningState"], "Failed");
}

#[test]
fn a_template_that_cannot_be_applied_changes_nothing_and_says_why() {
    let cloud = Cloud::ready();
    let refused = |change: fn(&mut Value)| {
        let mut template = template();
        change(&mut template);
        let refusal = cloud.call_as(Verb::Put, &cloud.path(URL), VERSION, Some(&body(template))).unwrap_err();
        assert_eq!(cloud.world.ledger.read(|view| view.scan(crate::store::RESOURCES, "").count()), 0);
        (refusal.error.code.to_string(), format!("{:?}", refusal.error))
    };
    let (code, text) =
        refused(|template| template["resources"][2]["properties"]["agentPublicKeyCertificate"] = json!("x"));
    assert_eq!(code, "InvalidTemplateDeployment");
    assert!(text.contains("agentPublicKeyCertificate"), "{text}");
    let (code, text) = refused(|template| template["resources"][2]["name"] = json!("[reference('x')]"));
    assert_eq!(code, "InvalidTemplate");
    assert!(text.contains("'reference'"), "{text}");
    let (_, text) = refused(|template| template["resources"][2]["dependsOn"] = json!(["l"]));
    assert!(text.contains("Circular"), "{text}");
    let (_, text) = refused(|template| template["resources"][2]["copy"] = json!({"count": 2}));
    assert!(text.contains("'copy'"), "{text}");
    let (_, text) = refused(|template| template["parameters"]["more"] = json!({"type": "string"}));
    assert!(text.contains("'more' is not provided"), "{text}");
    let (_, text) = refused(|template| {
        let machine =
            json!({"type": "Microsoft.Compute/virtualMachines", "apiVersion": "2024-07-01", "name": "v"});
        template["resources"] = json!([machine]);
    });
    assert!(text.contains("does not model"), "{text}");

    let check = format!("{URL}/validate");
    let valid = value(cloud.ok(Verb::Post, &check, body(template())));
    assert_eq!(valid["properties"]["validatedResources"].as_array().unwrap().len(), 3);
    assert_eq!(cloud.refused(Verb::Get, &cloud.path(URL), Value::Null).1, "DeploymentNotFound");
    let mut complete = body(template());
    complete["properties"]["mode"] = json!("Complete");
    assert_eq!(cloud.refused(Verb::Put, &cloud.path(URL), complete).1, "NotModelled");
}
