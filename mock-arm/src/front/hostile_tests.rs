//! Hostile and broken requests: refused with an error that says why, nothing half written, never a panic. And whatever is asked in whatever
//! order, what is stored stays sound, and one seed leaves one journal.

use std::time::Duration;

use http::HeaderValue;
use jiff::SignedDuration;
use sim_core::seed::Stream;

use super::tests::{Client, code, json_of};
use super::*;
use crate::profile::{Authentication, Profile};
use crate::store::{GROUPS, OPERATIONS, RESOURCES};
use crate::surfaces::identity::claims::{Claims, Proof, Subject};
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use sim_core::journal::Filter;

const GROUP: &str = "/subscriptions/{s}/resourcegroups/g?api-version=2024-11-01";
const CLUSTER: &str = "/subscriptions/{s}/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c?api-version=2024-01-01";

async fn raw(client: &Client, method: &str, host: &str, target: &str, body: Vec<u8>) -> http::Response<Body> {
    let subscription = client.world.profile.subscriptions[0].id.to_string();
    let target = target.replace("{s}", &subscription);
    let request = Request::builder().method(method).uri(target).header("host", host);
    let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
    client.front.answer(request).await
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_too_slowly_is_given_up_with_the_reason() {
    let client = Client::open();
    let before = client.world.ledger.revision();
    let begun = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{\"location\":"))]);
    let endless = futures::StreamExt::chain(begun, futures::stream::pending());
    let url = GROUP.replace("{s}", &client.world.profile.subscriptions[0].id.to_string());
    let request = Request::builder().method("PUT").uri(url).header("host", "management.azure.com");
    let response = client.front.answer(request.body(Body::from_stream(endless)).unwrap()).await;
    assert_eq!(response.status(), 400);
    assert_eq!(client.world.ledger.revision(), before);
}

#[tokio::test]
async fn hostile_bodies_and_paths_are_refused_and_leave_nothing() {
    let client = Client::open();
    client.group().await;
    let deep = |count: usize| [vec![b'['; count], vec![b']'; count]].concat();
    let bodies: [(&str, Vec<u8>); 8] = [
        ("truncated", br#"{"location":"east"#.to_vec()),
        ("deep", deep(100_000)),
        ("deep within", [br#"{"location":"eastus","tags":"#.to_vec(), deep(500), b"}".to_vec()].concat()),
        ("not UTF-8", b"{\"location\":\"\xff\xfe\"}".to_vec()),
        ("NUL", b"\0\0\0\0".to_vec()),
        ("a number too big", br#"{"location":1e999999}"#.to_vec()),
        ("half a surrogate", br#"{"location":"\ud800"}"#.to_vec()),
        ("two documents", br#"{"location":"eastus"}{"location":"eastus"}"#.to_vec()),
    ];
    for (what, body) in bodies {
        for (method, url) in [("PUT", CLUSTER), ("PATCH", CLUSTER), ("PUT", &GROUP.replace("/g?", "/h?"))] {
            let before = client.world.ledger.revision();
            let response = raw(&client, method, "management.azure.com", url, body.clone()).await;
            let status = response.status().as_u16();
            assert!((400..500).contains(&status), "{what}: {method} {url} answered {status}");
            assert!(!code(response).await.1.is_empty(), "{what}");
            assert_eq!(client.world.ledger.revision(), before, "{what}");
        }
    }
    let twice = br#"{"location":"eastus","location":"westeurope"}"#.to_vec();
    let url = GROUP.replace("/g?", "/twice?");
    let response = raw(&client, "PUT", "management.azure.com", &url, twice).await;
    assert_eq!(json_of(response).await["location"], "westeurope", "of two members the later counts");
    for path in [
        "/subscriptions/%00/resourcegroups/g?api-version=2024-11-01",
        "/subscriptions/{s}/resourcegroups/%ff%fe?api-version=2024-11-01",
        "/subscriptions/{s}/resourcegroups/%00?api-version=2024-11-01",
        "/subscriptions/{s}/resourcegroups/..%2f..%2fetc?api-version=2024-11-01",
        "/subscriptions/{s}/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/%0a%0d?api-version=2024-01-01",
        "/subscriptions/{s}/resourceGroups/g/providers//%2e%2e/?api-version=2024-01-01",
        "/%",
        "/%zz",
        "/subscriptions/%E0%A4%A/x?api-version=%",
        "/?",
        "//",
        "/providers",
    ] {
        for method in ["GET", "PUT", "DELETE", "POST", "PATCH", "HEAD", "OPTIONS"] {
            let body = br#"{"location":"eastus"}"#.to_vec();
            let before = client.world.ledger.revision();
            let response = raw(&client, method, "management.azure.com", path, body).await;
            let status = response.status().as_u16();
            assert!(status < 500 || status == 501, "{method} {path} answered {status}");
            assert!(status < 400 || client.world.ledger.revision() == before, "{method} {path}");
        }
    }
}

fn subject(world: &World, tenant: uuid::Uuid) -> Subject {
    let principal = &world.profile.principals[0];
    let (appid, oid) = (principal.client_id, principal.object_id);
    Subject { tenant, appid, oid, mirid: None, proof: Proof::Secret }
}

#[tokio::test]
async fn tokens_that_are_not_good_are_refused_by_what_is_wrong_with_them() {
    const ARM: &str = "https://management.azure.com/";
    let client = Client::new(Authentication::Required);
    let world = &client.world;
    let (tenant, now) = (world.profile.tenant.id, world.clock.wall());
    let sign = async |tenant, audience: &str, moment| {
        world.tokens.issue(&Claims::new(&subject(world, tenant), audience, moment)).await.unwrap()
    };
    let good = sign(tenant, ARM, now).await;
    let (head, signature) = good.rsplit_once('.').unwrap();
    let claims = head.split_once('.').unwrap().1;
    let foreign = Client::new(Authentication::Required);
    let other_key =
        foreign.world.tokens.issue(&Claims::new(&subject(world, tenant), ARM, now)).await.unwrap();
    let cases = [
        (sign(tenant, ARM, now - SignedDuration::from_hours(2)).await, "ExpiredAuthenticationToken"),
        (sign(tenant, "https://graph.microsoft.com", now).await, "InvalidAuthenticationTokenAudience"),
        (sign(uuid::Uuid::from_u128(5), ARM, now).await, "InvalidAuthenticationTokenTenant"),
        (other_key, "InvalidAuthenticationToken"),
        (format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."), "InvalidAuthenticationToken"),
        (format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.{signature}"), "InvalidAuthenticationToken"),
        (format!("{head}."), "InvalidAuthenticationToken"),
        ("a.b".into(), "InvalidAuthenticationToken"),
        ("x".repeat(20_000), "InvalidAuthenticationToken"),
    ];
    let ask = async |header: HeaderValue| {
        let request = Request::get("/subscriptions?api-version=2022-12-01")
            .header("host", "management.azure.com")
            .header("authorization", header);
        client.front.answer(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(ask(format!("Bearer {good}").parse().unwrap()).await.status(), 200);
    for (token, expected) in cases {
        let response = ask(format!("Bearer {token}").parse().unwrap()).await;
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(code(response).await, (401, expected.into()), "{token}");
    }
    for header in [&b"Bearer"[..], b"Basic eDp5", b"Bearer \xff\xfe", b""] {
        assert_eq!(ask(HeaderValue::from_bytes(header).unwrap()).await.status(), 401);
    }
}

fn pick<'a>(dice: &Stream, from: &[&'a str]) -> &'a str {
    from[usize::try_from(dice.below(from.len() as u64)).unwrap()]
}

/// A request that means nothing, or nearly something.
fn noise(dice: &Stream) -> (String, String, String, Vec<u8>) {
    let segments = [
        "subscriptions",
        "{s}",
        "resourceGroups",
        "g",
        "providers",
        "Microsoft.Kubernetes",
        "connectedClusters",
        "c",
        "Microsoft.Authorization",
        "locks",
        "Microsoft.Resources",
        "tags",
        "default",
        "deployments",
        "%00",
        "%2F",
        "..",
        "",
        "operationresults",
        "Microsoft.KubernetesConfiguration",
        "extensions",
        "register",
        "oauth2",
        "v2.0",
        "token",
        "devicecode",
        "common",
        "listClusterUserCredential",
        "%F0%9F",
        "metadata",
        "identity",
    ];
    let path: String = (0..dice.below(12)).map(|_| format!("/{}", pick(dice, &segments))).collect();
    let queries = [
        "",
        "?api-version=2024-01-01",
        "?api-version=2024-11-01&$filter=a eq 'b",
        "?$skiptoken=%%%",
        "?api-version=&api-version=1",
        "?api-version=2021-04-01&$top=-1",
        "?api-version=2021-04-01&$skiptoken=AAAA",
    ];
    let bodies: [&[u8]; 9] = [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"{\"location\":\"eastus\"}",
        b"{\"properties\":{\"mode\":\"Incremental\",\"template\":{\"resources\":[{}]}}}",
        b"grant_type=client_credentials",
        b"\xff\xfe",
        b"{\"tags\":{\"a\":null},\"identity\":[],\"properties\":7}",
    ];
    let hosts = [
        "management.azure.com",
        "login.microsoftonline.com",
        "127.0.0.1:1",
        "graph.microsoft.com",
        "169.254.169.254",
        "",
        "mcr.microsoft.com",
        "eastus.his.arc.azure.com",
    ];
    let body = bodies[usize::try_from(dice.below(bodies.len() as u64)).unwrap()].to_vec();
    let path = if path.is_empty() { "/".into() } else { path };
    let method = pick(dice, &["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD"]).to_owned();
    (
        method,
        pick(dice, &hosts).to_owned(),
        format!("{path}{}", pick(dice, &queries).replace(' ', "%20")),
        body,
    )
}

#[tokio::test]
async fn noise_of_any_kind_is_answered_and_changes_nothing_where_it_is_refused() {
    for seed in 0..4 {
        let client = Client::open();
        let dice = sim_core::seed::Seed::new(seed).stream("noise");
        for _ in 0..400 {
            let (method, host, target, body) = noise(&dice);
            let before = client.world.ledger.revision();
            let response = raw(&client, &method, &host, &target, body).await;
            let status = response.status().as_u16();
            assert!(status < 500 || status == 501, "seed {seed}: {method} {host} {target} answered {status}");
            assert!(
                status < 400 || client.world.ledger.revision() == before,
                "seed {seed}: {method} {host} {target}"
            );
        }
    }
}

/// One step of a busy day.
async fn step(client: &Client, dice: &Stream) {
    let group = pick(dice, &["a", "b"]);
    let base = format!("/subscriptions/{{s}}/resourceGroups/{group}");
    let cluster =
        format!("{base}/providers/Microsoft.Kubernetes/connectedClusters/{}", pick(dice, &["x", "y"]));
    let extension =
        format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/e?api-version=2023-05-01");
    let key = "MEgCQQC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvuNMoSfm77AgMBAAE=";
    let made = json!({"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"agentPublicKeyCertificate": key}});
    let fitted = json!({"properties": {"extensionType": "microsoft.flux"}});
    let lock = json!({"properties": {"level": pick(dice, &["CanNotDelete", "ReadOnly"])}});
    let lock_url = format!("{base}/providers/Microsoft.Authorization/locks/l?api-version=2020-05-01");
    let group_url = format!("{base}?api-version=2024-11-01");
    let cluster_url = format!("{cluster}?api-version=2024-01-01");
    let (method, url, body) = match dice.below(12) {
        0 | 1 => ("PUT", group_url, json!({"location": "eastus"})),
        2 => ("DELETE", group_url, Value::Null),
        3..=5 => ("PUT", cluster_url, made),
        6 => ("DELETE", cluster_url, Value::Null),
        7 => ("PATCH", cluster_url, json!({"tags": {"t": dice.below(9).to_string()}})),
        8 => ("PUT", extension, fitted),
        9 if dice.below(4) == 0 => ("PUT", lock_url, lock),
        9 => ("DELETE", lock_url, Value::Null),
        _ => {
            client.world.clock.advance(Duration::from_secs(dice.below(120))).await;
            Registry::default().settle_due(&client.world, client.world.clock.now());
            return;
        }
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let before = client.world.ledger.revision();
    let response = raw(client, method, "management.azure.com", &url, body).await;
    let status = response.status().as_u16();
    assert!(status < 500, "{method} {url} answered {status}");
    assert!(status < 400 || client.world.ledger.revision() == before, "{method} {url}");
}

/// What holds whatever happened.
fn sound(client: &Client) {
    client.world.ledger.read(|view| {
        for (key, row) in view.scan(RESOURCES, "") {
            let parts: Vec<&str> = key.split('/').collect();
            assert!(view.get(GROUPS, &parts[..2].join("/")).is_some(), "{key} is in no group");
            if let Some(at) = parts[2..].iter().position(|part| *part == "providers") {
                assert!(view.get(RESOURCES, &parts[..at + 2].join("/")).is_some(), "{key} has no host");
            }
            let resource = crate::store::resources::resource(row);
            let id = resource["id"].as_str().unwrap_or_default().to_ascii_lowercase();
            assert!(id.ends_with(parts.last().unwrap()), "{key} is called {id}");
            if let Some(operation) = row.value["operation"].as_str()
                && let Some(operation) = view.get(OPERATIONS, operation)
                && operation.value["state"] == "Running"
            {
                let state = resource["properties"]["provisioningState"].as_str();
                assert_ne!(state, Some("Succeeded"), "{key} is done before its operation is");
            }
        }
    });
}

#[tokio::test]
async fn any_interleaving_keeps_what_is_stored_sound_and_one_seed_leaves_one_journal() {
    let registered = crate::profile::Registration { registered: true, ..Default::default() };
    let day = async |seed: u64| {
        let client = Client::with(Profile {
            authentication: Authentication::None,
            registration: [("*".to_owned(), registered)].into(),
            ..Profile::default()
        });
        let dice = sim_core::seed::Seed::new(seed).stream("day");
        for _ in 0..120 {
            step(&client, &dice).await;
            sound(&client);
        }
        let mut journal = client.world.journal.read(&Filter::default());
        journal.iter_mut().for_each(|event| event.took_micros = None);
        let journal = serde_json::to_string(&journal).unwrap();
        (journal, serde_json::to_string(&client.world.ledger.snapshot()).unwrap())
    };
    for seed in 0..3 {
        let (journal, stored) = day(seed).await;
        assert_eq!((journal, stored), day(seed).await, "seed {seed}");
    }
}
