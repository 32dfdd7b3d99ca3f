//! Registration of namespaces and features.

use serde_json::{Value, json};

use super::*;

fn cloud(outcome: RegistrationOutcome) -> Cloud {
    let plan =
        Registration { outcome, seconds: 100, unregister_seconds: Some(600), ..Registration::default() };
    let cloud = Cloud::new(Profile {
        registration: [("*".to_owned(), plan)].into(),
        features: plan,
        ..Profile::default()
    });
    cloud.ok(Verb::Put, "/resourceGroups/G", json!({"location": "eastus"}));
    cloud
}

fn register(cloud: &Cloud) -> Value {
    value(cloud.ok(Verb::Post, "/providers/Microsoft.Kubernetes/register", Value::Null))["registrationState"]
        .clone()
}

/// In how many of these regions a cluster can be made.
fn open_regions(cloud: &Cloud) -> usize {
    let regions =
        ["eastus", "westeurope", "westus2", "uksouth", "japaneast", "northeurope", "centralus", "eastus2"];
    let made = |region: &&&str| {
        let mut body = put_body();
        body["location"] = json!(**region);
        let url = format!("{}-{region}", cloud.cluster());
        cloud.call_as(Verb::Put, &url, VERSION, Some(&body)).is_ok()
    };
    regions.iter().filter(made).count()
}

#[test]
fn registration_takes_its_time_and_gates_writes() {
    let mut cloud = Cloud::new(Profile::default());
    cloud.ok(Verb::Put, "/resourceGroups/G", json!({"location": "eastus"}));
    assert_eq!(cloud.registration_state(), "NotRegistered");
    let refused = cloud.refused(Verb::Put, &cloud.cluster(), put_body());
    assert_eq!(refused, (Kind::Conflict, "MissingSubscriptionRegistration".into()));
    let reply = value(cloud.ok(Verb::Post, "/providers/Microsoft.Kubernetes/register", Value::Null));
    assert_eq!(reply["registrationState"], "Registering");
    cloud.pass(70);
    assert_eq!(cloud.registration_state(), "Registering");
    cloud.ok(Verb::Post, "/providers/Microsoft.Kubernetes/register", Value::Null);
    assert_eq!(cloud.pass(1), 1);
    assert_eq!(cloud.registration_state(), "Registered");
    put(&cloud);
    let refused =
        cloud.refused(Verb::Post, &cloud.path("/providers/Microsoft.Kubernetes/unregister"), Value::Null);
    assert_eq!(refused, (Kind::Conflict, "NamespaceInUse".into()));
}

#[test]
fn registration_can_get_stuck_or_fail() {
    let plan = |outcome| Registration { outcome, ..Registration::default() };
    let mut cloud = Cloud::new(Profile {
        registration: [
            ("microsoft.kubernetes".to_owned(), plan(RegistrationOutcome::Stuck)),
            ("Microsoft.ExtendedLocation".to_owned(), plan(RegistrationOutcome::Failed)),
        ]
        .into(),
        ..Profile::default()
    });
    for namespace in ["Microsoft.Kubernetes", "Microsoft.ExtendedLocation"] {
        cloud.ok(Verb::Post, &format!("/providers/{namespace}/register"), Value::Null);
    }
    cloud.pass(100_000);
    assert_eq!(cloud.registration_state(), "Registering");
    let other = cloud.get(&cloud.path("/providers/Microsoft.ExtendedLocation"));
    assert_eq!(other["registrationState"], "NotRegistered");
}

#[test]
fn regions_open_for_writes_one_after_the_other_while_a_namespace_registers() {
    let mut cloud = cloud(RegistrationOutcome::Registered);
    assert_eq!(register(&cloud), "Registering");
    assert_eq!(open_regions(&cloud), 0);
    cloud.pass(60);
    let some = open_regions(&cloud);
    assert!(0 < some && some < 8, "{some}");
    cloud.pass(40);
    assert_eq!((cloud.registration_state(), open_regions(&cloud)), (json!("Registered"), 8));
}

#[test]
fn a_registration_can_stay_regional_or_never_begin_or_be_forbidden() {
    let mut regional = cloud(RegistrationOutcome::Regional);
    register(&regional);
    regional.pass(10_000);
    assert_eq!((regional.registration_state(), open_regions(&regional)), (json!("Registering"), 8));

    let mut never = cloud(RegistrationOutcome::Never);
    assert_eq!(register(&never), "NotRegistered");
    never.pass(10_000);
    assert_eq!((never.registration_state(), open_regions(&never)), (json!("NotRegistered"), 0));

    let forbidden = cloud(RegistrationOutcome::Forbidden);
    let url = forbidden.path("/providers/Microsoft.Kubernetes/register");
    let refusal = forbidden.call_as(Verb::Post, &url, VERSION, None).unwrap_err();
    assert_eq!((refusal.kind, refusal.error.code.as_ref()), (Kind::Forbidden, "AuthorizationFailed"));
    assert!(
        refusal.error.message.contains("'Microsoft.Kubernetes/register/action'"),
        "{}",
        refusal.error.message
    );
}

#[test]
fn replicas_disagree_for_a_while_where_registration_flaps() {
    let mut cloud = cloud(RegistrationOutcome::Flapping);
    register(&cloud);
    cloud.pass(100);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        seen.insert(cloud.registration_state().to_string());
        cloud.pass(1);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    cloud.pass(60);
    for _ in 0..20 {
        assert_eq!(cloud.registration_state(), "Registered");
        cloud.pass(1);
    }
}

#[test]
fn unregistering_takes_its_own_time() {
    let mut cloud = cloud(RegistrationOutcome::Registered);
    register(&cloud);
    cloud.pass(100);
    cloud.ok(Verb::Post, "/providers/Microsoft.Kubernetes/unregister", Value::Null);
    cloud.pass(599);
    assert_eq!(cloud.registration_state(), "Unregistering");
    cloud.pass(1);
    assert_eq!(cloud.registration_state(), "Unregistered");
}

#[test]
fn a_feature_registers_by_itself_and_unknown_ones_are_refused() {
    let mut cloud = cloud(RegistrationOutcome::Registered);
    let path =
        "/providers/Microsoft.Features/providers/microsoft.kubernetesconfiguration/features/extensions";
    let state = |cloud: &Cloud| cloud.get(&cloud.path(path))["properties"]["state"].clone();
    assert_eq!(state(&cloud), "NotRegistered");
    let reply = value(cloud.ok(Verb::Post, &format!("{path}/register"), Value::Null));
    assert_eq!(reply["properties"]["state"], "Registering");
    assert_eq!(reply["name"], "Microsoft.KubernetesConfiguration/extensions");
    cloud.pass(100);
    assert_eq!(state(&cloud), "Registered");
    cloud.ok(Verb::Post, &format!("{path}/unregister"), Value::Null);
    assert_eq!(state(&cloud), "Unregistering");
    cloud.pass(600);
    assert_eq!(state(&cloud), "Unregistered");
    let unknown = cloud.path("/providers/Microsoft.Features/providers/Microsoft.Kubernetes/features/nope");
    assert_eq!(cloud.refused(Verb::Get, &unknown, Value::Null).1, "FeatureNotFound");
    let list = cloud.ok(Verb::Get, "/providers/Microsoft.Features/features", Value::Null);
    let Reply::Page(page) = list else { panic!("{list:?}") };
    assert!(page.items.len() > 3);
}
