//! Locks and roles.

use serde_json::{Value, json};

use super::*;
use crate::profile::{Permissions, Principal, RoleGrant};

fn lock(cloud: &Cloud, scope: &str, level: &str) -> String {
    let url = format!("{scope}/providers/Microsoft.Authorization/locks/l");
    cloud
        .call_as(Verb::Put, &url, "2020-05-01", Some(&json!({"properties": {"level": level, "notes": "n"}})))
        .unwrap();
    url
}

#[test]
fn a_lock_blocks_what_lies_at_above_and_below_it() {
    let mut cloud = Cloud::ready();
    put(&cloud);
    cloud.pass(7);
    let group = cloud.path("/resourceGroups/G");
    let url = lock(&cloud, &cloud.cluster(), "CanNotDelete");
    for target in [cloud.cluster(), group.clone()] {
        let refusal = cloud.call_as(Verb::Delete, &target, VERSION, None).unwrap_err();
        assert_eq!((refusal.kind, refusal.error.code.as_ref()), (Kind::Conflict, "ScopeLocked"));
        let text = format!("are locked: '{}'", cloud.cluster());
        assert!(refusal.error.message.contains(&text), "{}", refusal.error.message);
    }
    // It still can be changed.
    put(&cloud);
    cloud.call_as(Verb::Delete, &url, "2020-05-01", None).unwrap();
    assert_eq!(cloud.call_as(Verb::Get, &url, "2020-05-01", None).unwrap_err().error.code, "LockNotFound");

    lock(&cloud, &group, "ReadOnly");
    assert_eq!(cloud.refused(Verb::Put, &cloud.cluster(), put_body()).1, "ScopeLocked");
    let action = format!("{}/listClusterUserCredential", cloud.cluster());
    assert_eq!(cloud.refused(Verb::Post, &action, json!({})).1, "ScopeLocked");
    assert_eq!(cloud.refused(Verb::Patch, &group, json!({})).1, "ScopeLocked");
    cloud.get(&cloud.cluster());
    let list = cloud.path("/providers/Microsoft.Authorization/locks");
    let Reply::Page(page) = cloud.call_as(Verb::Get, &list, "2020-05-01", None).unwrap() else { panic!() };
    assert_eq!(page.items.len(), 1);
    let bad = cloud.call_as(Verb::Put, &url, "2020-05-01", Some(&json!({"properties": {"level": "Some"}})));
    assert_eq!(bad.unwrap_err().kind, Kind::Invalid);
}

const ME: Uuid = Uuid::from_u128(5);
const OBJECT: Uuid = Uuid::from_u128(6);
const ASSIGNMENT: &str =
    "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-00000000000a";

fn guarded(roles: Vec<RoleGrant>) -> Cloud {
    let registered = Registration { registered: true, ..Registration::default() };
    Cloud::new(Profile {
        principals: vec![Principal { client_id: ME, object_id: OBJECT, roles, ..Principal::default() }],
        registration: [("*".to_owned(), registered)].into(),
        permissions: Permissions::Evaluated,
        permission_delay_seconds: 60,
        ..Profile::default()
    })
}

fn grant(role: &str) -> RoleGrant {
    RoleGrant { role: role.into(), scope: String::new() }
}

fn role(id: &str) -> Value {
    let id = format!("/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{id}");
    json!({"properties": {"roleDefinitionId": id, "principalId": OBJECT}})
}

#[test]
fn roles_decide_where_the_profile_has_them_looked_at() {
    let none = guarded(Vec::new());
    let url = none.path("/resourceGroups/G");
    let refusal = none.call_as(Verb::Get, &url, VERSION, None).unwrap_err();
    assert_eq!(
        refusal.error.message,
        format!(
            "The client '{ME}' with object id '{OBJECT}' does not have authorization to perform action \
             'Microsoft.Resources/subscriptions/resourceGroups/read' over scope '{url}' or the scope is invalid. If \
             access was recently granted, please refresh your credentials."
        )
    );
    let contributor = guarded(vec![grant("Contributor")]);
    contributor.ok(Verb::Put, "/resourceGroups/G", json!({"location": "eastus"}));
    put(&contributor);
    let assign = format!("{}{ASSIGNMENT}", contributor.cluster());
    let owner = role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
    let refused = contributor.call_as(Verb::Put, &assign, "2022-04-01", Some(&owner)).unwrap_err();
    assert_eq!((refused.kind, refused.error.code.as_ref()), (Kind::Forbidden, "AuthorizationFailed"));
    let onboarding = guarded(vec![grant("Kubernetes Cluster - Azure Arc Onboarding")]);
    let refused =
        onboarding.refused(Verb::Put, &onboarding.path("/resourceGroups/G"), json!({"location": "eastus"}));
    assert_eq!(refused.1, "AuthorizationFailed");
}

#[test]
fn an_assignment_takes_effect_after_the_delay_and_below_its_scope_only() {
    let mut cloud = guarded(vec![grant("User Access Administrator")]);
    let contributor = role("b24988ac-6180-42a0-ab88-20f7382dd24c");
    let scope = cloud.path("/resourceGroups/G");
    // The group has to be there first; nobody here may make it but whoever holds a role on it.
    let url = format!("{}{ASSIGNMENT}", cloud.path(""));
    let made = cloud.call_as(Verb::Put, &url, "2022-04-01", Some(&contributor)).unwrap();
    assert_eq!(value(made)["properties"]["scope"], cloud.path(""));
    assert_eq!(cloud.refused(Verb::Put, &scope, json!({"location": "eastus"})).1, "AuthorizationFailed");
    cloud.pass(60);
    cloud.ok(Verb::Put, "/resourceGroups/G", json!({"location": "eastus"}));
    put(&cloud);
    let again = url.replace("00000000000a", "00000000000b");
    let refused = cloud.call_as(Verb::Put, &again, "2022-04-01", Some(&contributor)).unwrap_err();
    assert_eq!((refused.kind, refused.error.code.as_ref()), (Kind::Conflict, "RoleAssignmentExists"));
    let unknown = cloud.call_as(Verb::Put, &again, "2022-04-01", Some(&role("nope"))).unwrap_err();
    assert_eq!(unknown.error.code, "RoleDefinitionDoesNotExist");
    let list = |rest: &str| {
        let url = cloud.path(&format!("/providers/Microsoft.Authorization/roleAssignments{rest}"));
        match cloud.call_as(Verb::Get, &url, "2022-04-01", None).unwrap() {
            Reply::Page(page) => page.items.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(list(&format!("?$filter=principalId eq '{OBJECT}'")), 1);
    assert_eq!(list(&format!("?$filter=principalId eq '{ME}'")), 0);
    cloud.call_as(Verb::Delete, &url, "2022-04-01", None).unwrap();
    assert_eq!(cloud.refused(Verb::Put, &scope, json!({"location": "eastus"})).1, "AuthorizationFailed");
}

#[test]
fn built_in_roles_can_be_read_and_others_are_not_modelled() {
    let cloud = Cloud::ready();
    let list = "/providers/Microsoft.Authorization/roleDefinitions";
    let filter = format!("{}?$filter=roleName eq 'Contributor'", cloud.path(list));
    let Reply::Page(page) = cloud.call_as(Verb::Get, &filter, "2022-04-01", None).unwrap() else { panic!() };
    assert_eq!(
        serde_json::from_slice::<Value>(&page.items[0]).unwrap()["name"],
        "b24988ac-6180-42a0-ab88-20f7382dd24c"
    );
    let one = cloud.path(&format!("{list}/34e09817-6cbe-4d01-b1a2-e0eac5743d41"));
    let role = value(cloud.call_as(Verb::Get, &one, "2022-04-01", None).unwrap());
    assert_eq!(role["properties"]["roleName"], "Kubernetes Cluster - Azure Arc Onboarding");
    let custom = cloud.call_as(Verb::Put, &one, "2022-04-01", Some(&json!({}))).unwrap_err();
    assert_eq!(custom.kind, Kind::NotModelled);
}
