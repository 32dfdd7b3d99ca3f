//! Connected clusters: keys, kinds, versions, changes, credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

const OTHER: &str =
    "MEgCQQC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvuNMoSfm77AgMBAAE=";

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = put_body();
    change(&mut body);
    body
}

#[test]
fn the_key_of_a_cluster_never_changes_unless_the_profile_says_so() {
    let cloud = Cloud::ready();
    put(&cloud);
    let other = with(|body| body["properties"]["agentPublicKeyCertificate"] = json!(OTHER));
    assert_eq!(
        cloud.refused(Verb::Put, &cloud.cluster(), other.clone()),
        (Kind::Conflict, "Conflict".into())
    );
    let change = json!({"properties": {"agentPublicKeyCertificate": OTHER}});
    let old = cloud.call_as(Verb::Patch, &cloud.cluster(), "2020-01-01-preview", Some(&change));
    assert_eq!(old.unwrap_err().kind, Kind::Conflict);
    // Versions that do not let it be changed ignore it.
    let new = cloud.call_as(Verb::Patch, &cloud.cluster(), VERSION, Some(&change));
    assert_eq!(value(new.unwrap())["properties"]["agentPublicKeyCertificate"], KEY);

    let registered = Registration { registered: true, ..Registration::default() };
    let lenient = Cloud::new(Profile {
        registration: [("*".to_owned(), registered)].into(),
        accept_key_changes: true,
        ..Profile::default()
    });
    lenient.ok(Verb::Put, "/resourceGroups/G", json!({"location": "eastus"}));
    put(&lenient);
    let reply = lenient.call_as(Verb::Put, &lenient.cluster(), VERSION, Some(&other)).unwrap();
    assert_eq!(value(reply)["properties"]["agentPublicKeyCertificate"], OTHER);
}

#[test]
fn a_key_that_is_none_is_refused() {
    let cloud = Cloud::ready();
    for bad in ["MIICCgKCAgEA", "hello", "aGVsbG8="] {
        let body = with(|body| body["properties"]["agentPublicKeyCertificate"] = json!(bad));
        assert_eq!(
            cloud.refused(Verb::Put, &cloud.cluster(), body),
            (Kind::Invalid, "BadRequest".into()),
            "{bad}"
        );
    }
    let kind = with(|body| body["kind"] = json!("ProvisionedCluster"));
    assert_eq!(
        cloud.refused(Verb::Put, &cloud.cluster(), kind.clone()),
        (Kind::Invalid, "BadRequest".into())
    );
    // Versions that do not know kinds ignore them.
    let reply = value(cloud.call_as(Verb::Put, &cloud.cluster(), "2021-10-01", Some(&kind)).unwrap());
    assert_eq!(reply.get("kind"), None);
}

#[test]
fn a_cluster_without_agents_has_no_agents_installed_until_they_report() {
    let cloud = Cloud::ready();
    let body = with(|body| {
        body["kind"] = json!("AWS");
        body["properties"]["agentPublicKeyCertificate"] = json!("");
    });
    let reply = value(cloud.call_as(Verb::Put, &cloud.cluster(), "2025-12-01-preview", Some(&body)).unwrap());
    assert_eq!(
        (reply["kind"].clone(), reply["properties"]["connectivityStatus"].clone()),
        (json!("AWS"), json!("AgentNotInstalled"))
    );
    // Agents are installed later: now there is a key.
    let reply = cloud.call_as(Verb::Put, &cloud.cluster(), VERSION, Some(&put_body())).unwrap();
    assert_eq!(value(reply)["properties"]["agentPublicKeyCertificate"], KEY);
}

#[test]
fn properties_that_a_version_does_not_know_are_neither_taken_nor_lost() {
    let cloud = Cloud::ready();
    let body = with(|body| {
        body["properties"]["oidcIssuerProfile"] = json!({"enabled": true});
        body["properties"]["madeUp"] = json!(1);
    });
    cloud.call_as(Verb::Put, &cloud.cluster(), "2025-08-01-preview", Some(&body)).unwrap();
    let get = |version| {
        value(cloud.call_as(Verb::Get, &cloud.cluster(), version, None).unwrap())["properties"].clone()
    };
    assert_eq!(get("2025-08-01-preview")["oidcIssuerProfile"], json!({"enabled": true}));
    assert_eq!(get("2025-08-01-preview").get("madeUp"), None);
    // A client of an older version does not see it, and cannot change it.
    let old = with(|body| body["properties"]["oidcIssuerProfile"] = json!({"enabled": false}));
    cloud.call_as(Verb::Put, &cloud.cluster(), "2024-01-01", Some(&old)).unwrap();
    assert_eq!(get("2024-01-01").get("oidcIssuerProfile"), None);
    assert_eq!(get("2025-08-01-preview")["oidcIssuerProfile"], json!({"enabled": true}));
}

#[test]
fn a_change_is_done_at_once_and_from_december_2025_on_followed() {
    let mut cloud = Cloud::ready();
    put(&cloud);
    cloud.pass(7);
    let change = json!({"tags": {"a": "b"}});
    let reply = cloud.call_as(Verb::Patch, &cloud.cluster(), "2025-08-01-preview", Some(&change)).unwrap();
    assert!(matches!(reply, Reply::Resource { operation: None, .. }));
    let reply = cloud.call_as(Verb::Patch, &cloud.cluster(), "2025-12-01-preview", Some(&change)).unwrap();
    assert!(matches!(reply, Reply::Accepted(_)));
    assert_eq!(cloud.get(&cloud.cluster())["properties"]["provisioningState"], "Updating");
    cloud.pass(3);
    assert_eq!(cloud.get(&cloud.cluster())["properties"]["provisioningState"], "Succeeded");
    let gateway = json!({"properties": {"gateway": {"enabled": true}}});
    let patched = |version| {
        cloud.call_as(Verb::Patch, &cloud.cluster(), version, Some(&gateway)).unwrap();
        cloud.get(&cloud.cluster())["properties"].get("gateway").is_some()
    };
    assert!(!patched("2025-08-01-preview"));
    assert!(patched("2026-05-01"));
}

#[test]
fn credentials_are_handed_out_in_the_form_of_the_version() {
    let cloud = Cloud::ready();
    let url = |action: &str| format!("{}/{action}", cloud.cluster());
    let ask = json!({"authenticationMethod": "Token", "clientProxy": true});
    let post = |action: &str, version: &str, body: &Value| {
        cloud.call_as(Verb::Post, &url(action), version, Some(body))
    };
    let single = "listClusterUserCredential";
    assert_eq!(post(single, VERSION, &ask).unwrap_err().error.code, "ResourceNotFound");
    put(&cloud);
    let reply = value(post(single, VERSION, &ask).unwrap());
    let config = STANDARD.decode(reply["kubeconfigs"][0]["value"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&config).unwrap()["kind"], "Config");
    let connection = &reply["hybridConnectionConfig"];
    assert!(
        connection["hybridConnectionName"]
            .as_str()
            .unwrap()
            .starts_with("microsoft.kubernetes/connectedclusters/")
    );
    let left = connection["expirationTime"].as_i64().unwrap() - cloud.world.clock.wall().as_second();
    assert!((3 * 60 * 60 - 60..=3 * 60 * 60).contains(&left), "{left}");
    let name = connection["hybridConnectionName"].as_str().unwrap();
    let (token, wall) = (connection["token"].as_str().unwrap(), cloud.world.clock.wall());
    assert!(cloud.world.relay.allows(token, name, crate::relay::Right::Send, wall));
    assert!(connection.get("relayTid").is_some());
    let old = value(post(single, "2021-10-01", &ask).unwrap());
    assert_eq!(old["hybridConnectionConfig"].get("relayTid"), None);
    let hosted = json!({"authenticationMethod": "AAD", "clientProxy": false});
    assert_eq!(value(post(single, VERSION, &hosted).unwrap()).get("hybridConnectionConfig"), None);
    for bad in [
        json!({"clientProxy": true}),
        json!({"authenticationMethod": "x", "clientProxy": true}),
        json!({"authenticationMethod": "AAD"}),
    ] {
        assert_eq!(post(single, VERSION, &bad).unwrap_err().kind, Kind::Invalid);
    }
    assert_eq!(post(single, "2021-03-01", &ask).unwrap_err().error.code, "InvalidResourceType");
    assert!(post("listClusterUserCredentials", "2020-01-01-preview", &ask).is_ok());
    assert_eq!(post("restart", VERSION, &ask).unwrap_err().kind, Kind::NotModelled);
}

#[test]
fn the_status_of_an_operation_can_be_late_lost_failed_and_forgotten() {
    use crate::profile::{Fate, OperationProfile};
    let cloud = |profile: OperationProfile| {
        let cloud = Cloud::new(Profile {
            registration: [("*".to_owned(), Registration { registered: true, ..Registration::default() })]
                .into(),
            operations: [("microsoft.kubernetes/connectedclusters/write".to_owned(), profile)].into(),
            operation_retention_seconds: Some(100),
            ..Profile::default()
        });
        cloud.ok(Verb::Put, "/resourceGroups/G", json!({"location": "eastus"}));
        let path = operation(put(&cloud)).document.path;
        (cloud, path)
    };
    let status = |cloud: &Cloud, path: &str| match cloud.call_as(Verb::Get, path, VERSION, None) {
        Ok(Reply::Status(found)) => found.status().status,
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => refusal.error.code.into_owned(),
    };
    let state = |cloud: &Cloud| cloud.get(&cloud.cluster())["properties"]["provisioningState"].clone();

    let (mut late, path) = cloud(OperationProfile { not_found_millis: 3000, ..OperationProfile::default() });
    assert_eq!(status(&late, &path), "OperationNotFound");
    late.pass(3);
    assert_eq!(status(&late, &path), "Accepted");
    late.pass(4);
    assert_eq!(status(&late, &path), "Succeeded");
    late.pass(101);
    assert_eq!(status(&late, &path), "OperationNotFound");

    for (fate, shown, ends) in [
        (Fate::Lose, "OperationNotFound", "Succeeded"),
        (Fate::Fail, "Failed", "Failed"),
        (Fate::Cancel, "Canceled", "Canceled"),
        (Fate::Hang, "Accepted", "Accepted"),
    ] {
        let (mut cloud, path) = cloud(OperationProfile { fate, ..OperationProfile::default() });
        cloud.pass(60);
        assert_eq!((status(&cloud, &path).as_str(), state(&cloud)), (shown, json!(ends)), "{fate:?}");
    }
}

#[test]
fn conditions_follow_the_table_of_the_contract() {
    let mut cloud = Cloud::ready();
    let url = cloud.cluster();
    let status = |cloud: &mut Cloud, verb, conditions: Conditions<'static>| {
        cloud.conditions = conditions;
        let result = cloud.call_as(verb, &cloud.cluster(), VERSION, Some(&put_body()));
        cloud.conditions = Conditions::default();
        match result {
            Ok(reply) => format!("{reply:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_owned(),
            Err(refusal) => format!("{:?}", refusal.kind),
        }
    };
    let matches = |tag: &'static str| Conditions { if_match: Some(tag), if_none_match: None };
    let absent = Conditions { if_match: None, if_none_match: Some("*") };
    for tag in ["*", "\"x\""] {
        assert_eq!(status(&mut cloud, Verb::Put, matches(tag)), "Precondition");
        assert_eq!(status(&mut cloud, Verb::Patch, matches(tag)), "NotFound");
        assert_eq!(status(&mut cloud, Verb::Delete, matches(tag)), "Nothing");
    }
    assert_eq!(status(&mut cloud, Verb::Put, absent), "Resource");
    assert_eq!(status(&mut cloud, Verb::Put, absent), "Precondition");
    for verb in [Verb::Put, Verb::Patch, Verb::Delete] {
        assert_eq!(status(&mut cloud, verb, matches("\"other\"")), "Precondition");
    }
    let reply = cloud.call_as(Verb::Get, &url, VERSION, None).unwrap();
    let Reply::Resource { etag, .. } = reply else { panic!("{reply:?}") };
    let etag: &'static str = Box::leak(format!("\"a\", {etag}").into_boxed_str());
    assert_eq!(status(&mut cloud, Verb::Put, matches(etag)), "Resource");
    // The write made it another one.
    assert_eq!(status(&mut cloud, Verb::Put, matches(etag)), "Precondition");
    assert_eq!(status(&mut cloud, Verb::Delete, matches("*")), "Accepted");
}

#[test]
fn lists_lag_behind_creations_where_the_profile_says_so() {
    let registered = Registration { registered: true, ..Registration::default() };
    let mut cloud = Cloud::new(Profile {
        registration: [("*".to_owned(), registered)].into(),
        list_lag_seconds: 30,
        ..Profile::default()
    });
    cloud.ok(Verb::Put, "/resourceGroups/g", json!({"location": "eastus"}));
    put(&cloud);
    let lists = [
        cloud.path("/resourceGroups/g/resources"),
        cloud.path("/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters"),
    ];
    let lengths = |cloud: &Cloud| {
        lists.each_ref().map(|url| {
            let Reply::Page(page) = cloud.call_as(Verb::Get, url, VERSION, None).unwrap() else { panic!() };
            page.items.len()
        })
    };
    assert_eq!(lengths(&cloud), [0, 0]);
    assert_eq!(cloud.get(&cloud.cluster())["name"], "C-1", "it can be read at once");
    cloud.pass(30);
    assert_eq!(lengths(&cloud), [1, 1]);
}

#[test]
fn the_issuers_url_is_the_services_own_and_stays_when_the_profile_is_written_again() {
    let cloud = Cloud::ready();
    let version = "2025-08-01-preview";
    let body = with(|body| {
        body["properties"]["oidcIssuerProfile"] = json!({"enabled": true, "issuerUrl": "https://mine"});
    });
    let url = cloud.cluster();
    let write = || value(cloud.call_as(Verb::Put, &url, version, Some(&body)).unwrap());
    assert_eq!(write()["properties"]["oidcIssuerProfile"], json!({"enabled": true}));
    let issuer = "https://eastus.oic.prod-arc.azure.com/t/u/";
    let report = agent::Report { oidc_issuer_url: Some(issuer.into()), ..agent::Report::default() };
    agent::report(&cloud.world.ledger, &url.parse().unwrap(), &report, cloud.now()).unwrap();
    let expected = json!({"enabled": true, "issuerUrl": issuer});
    assert_eq!(write()["properties"]["oidcIssuerProfile"], expected);
}
