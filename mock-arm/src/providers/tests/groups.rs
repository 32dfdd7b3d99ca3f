//! Groups, tags, and lists of everything.

use serde_json::{Value, json};

use super::*;

const TAGS: &str = "/providers/Microsoft.Resources/tags/default";

#[test]
fn tags_are_a_resource_of_subscriptions_groups_and_resources() {
    let cloud = Cloud::ready();
    put(&cloud);
    for scope in [cloud.path(""), cloud.path("/resourceGroups/G"), cloud.cluster()] {
        let url = format!("{scope}{TAGS}");
        let send = |verb, body: Value| value(cloud.call_as(verb, &url, "2021-04-01", Some(&body)).unwrap());
        let patch = |operation: &str, tags: Value| {
            send(Verb::Patch, json!({"operation": operation, "properties": {"tags": tags}}))["properties"]["tags"].clone()
        };
        let made = send(Verb::Put, json!({"properties": {"tags": {"a": "1", "b": "2"}}}));
        assert_eq!(made["id"], json!(url));
        assert_eq!(patch("Merge", json!({"A": "3", "c": "4"})), json!({"a": "3", "b": "2", "c": "4"}));
        assert_eq!(patch("Delete", json!({"b": "2", "c": "other"})), json!({"a": "3", "c": "4"}));
        assert_eq!(send(Verb::Get, Value::Null)["properties"]["tags"], json!({"a": "3", "c": "4"}));
        assert_eq!(patch("Replace", json!({"z": "0"})), json!({"z": "0"}));
        let bad = json!({"operation": "Add", "properties": {"tags": {}}});
        assert_eq!(
            cloud.call_as(Verb::Patch, &url, "2021-04-01", Some(&bad)).unwrap_err().kind,
            Kind::Invalid
        );
    }
    assert_eq!(cloud.get(&cloud.cluster())["tags"], json!({"z": "0"}));
    assert_eq!(cloud.get(&cloud.path("/resourceGroups/G"))["tags"], json!({"z": "0"}));
}

#[test]
fn a_group_takes_locks_and_roles_with_it_and_cannot_be_made_again_before_it_is_gone() {
    let mut cloud = Cloud::ready();
    put(&cloud);
    let url = cloud.path("/resourceGroups/G");
    let assignment =
        "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-00000000000a";
    let body = json!({"properties": {"roleDefinitionId": "Reader", "principalId": Uuid::from_u128(9)}});
    cloud.call_as(Verb::Put, &format!("{}{assignment}", cloud.cluster()), "2022-04-01", Some(&body)).unwrap();
    operation(cloud.ok(Verb::Delete, "/resourceGroups/G", Value::Null));
    let again = json!({"location": "westeurope"});
    assert_eq!(cloud.refused(Verb::Put, &url, again.clone()).1, "ResourceGroupBeingDeleted");
    cloud.pass(20);
    cloud.ok(Verb::Put, "/resourceGroups/G", again);
    let left = cloud.world.ledger.read(|view| view.scan(crate::store::ROLE_ASSIGNMENTS, "").count());
    assert_eq!(left, 0);
}

#[test]
fn long_group_names_end_in_a_hash_in_the_id_of_their_deletion() {
    use base64::Engine as _;
    let cloud = Cloud::ready();
    let group = format!("/resourceGroups/{}", "long_name_".repeat(7));
    cloud.ok(Verb::Put, &group, json!({"location": "eastus"}));
    let id = operation(cloud.ok(Verb::Delete, &group, Value::Null)).id;
    let job = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(id).unwrap();
    let job: Value = serde_json::from_slice(&job).unwrap();
    let name = job["jobId"].as_str().unwrap().strip_prefix("RESOURCEGROUPDELETIONJOB-").unwrap();
    let (start, hash) = name.strip_suffix("-EASTUS").unwrap().split_once('|').unwrap();
    assert_eq!((start.len(), hash.len()), (47, 16));
}
