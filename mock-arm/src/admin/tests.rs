use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sim_core::journal::Entry;
use tower::ServiceExt as _;

use super::*;
use crate::lro::{self, Draft, seconds};
use crate::profile::{Profile, Style};

pub(super) fn world() -> World {
    World::for_tests(Profile::default())
}

async fn send(router: &Router, request: Request<Body>) -> Response {
    router.clone().oneshot(request).await.unwrap()
}

fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method(method.parse::<Method>().unwrap())
        .uri(path)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

pub(super) async fn call(world: &World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let response = send(&router(world.clone()), request(method, path, body)).await;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn the_clock_is_shown_set_and_advanced() {
    let world = world();
    let (_, reading) = call(&world, "GET", "/v1/clock", "").await;
    assert_eq!(reading, json!({"now": "2026-01-01T00:00:00Z", "mode": "manual"}));
    let (status, advanced) = call(&world, "POST", "/v1/clock/advance", r#"{"span":"11m"}"#).await;
    assert_eq!(status, 200);
    assert_eq!((&advanced["now"], &advanced["quiet"]), (&json!("2026-01-01T00:11:00Z"), &json!(true)));
    assert_eq!(call(&world, "POST", "/v1/clock/advance", r#"{"span":"9999d"}"#).await.0, 400);
    let (_, set) = call(&world, "PUT", "/v1/clock", r#"{"speed":60}"#).await;
    assert_eq!((&set["mode"], &set["speed"]), (&json!("scaled"), &json!(60.0)));
    for body in [
        "",
        "{",
        r#"{"speed":0}"#,
        r#"{"mode":"backwards"}"#,
        r#"{"mode":"manual","speed":2}"#,
        r#"{"pace":1}"#,
    ] {
        let (status, problem) = call(&world, "PUT", "/v1/clock", body).await;
        assert_eq!(status, 400, "{body}");
        assert!(!problem["error"]["next"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_journal_is_filtered() {
    let world = world();
    world.journal.record(Entry::new("arm", "request").fact("path", "/a"));
    world.journal.record(Entry::new("gateway", "unrouted").fact("host", "example.com"));
    let (_, all) = call(&world, "GET", "/v1/journal", "").await;
    assert_eq!(all.as_array().unwrap().len(), 2);
    let (_, some) = call(&world, "GET", "/v1/journal?kind=unrouted&text=example", "").await;
    assert_eq!(some[0]["actor"], "gateway");
    let (_, later) = call(&world, "GET", "/v1/journal?after=2", "").await;
    assert_eq!(later, json!([]));
    assert_eq!(call(&world, "GET", "/v1/journal?colour=red", "").await.0, 400);
}

#[tokio::test]
async fn a_follower_of_the_journal_gets_what_comes_and_only_what_it_wants() {
    let world = world();
    world.journal.record(Entry::new("arm", "request").fact("n", 1));
    let response =
        send(&router(world.clone()), request("GET", "/v1/journal?follow=true&actor=arm", "")).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await.unwrap().unwrap();
        serde_json::from_slice::<Value>(&frame.into_data().unwrap()).unwrap()["facts"]["n"].clone()
    };
    assert_eq!(next().await, 1);
    let journal = world.journal.clone();
    tokio::spawn(async move {
        journal.record(Entry::new("gateway", "unrouted").fact("n", 2));
        tokio::task::yield_now().await;
        journal.record(Entry::new("arm", "request").fact("n", 3));
    });
    assert_eq!(next().await, 3);
}

#[tokio::test]
async fn fault_rules_are_added_listed_and_removed() {
    let world = world();
    let rule = r#"{"hook":"before","effect":"reset"}"#;
    let (status, added) = call(&world, "POST", "/v1/faults", rule).await;
    assert_eq!((status, &added["id"], &added["fired"]), (201, &json!("fault-1"), &json!(0)));
    assert_eq!(call(&world, "POST", "/v1/faults", rule).await.1["id"], "fault-2");
    assert_eq!(call(&world, "GET", "/v1/faults", "").await.1.as_array().unwrap().len(), 2);
    assert_eq!(call(&world, "DELETE", "/v1/faults/fault-1", "").await.1["removed"], 1);
    assert_eq!(call(&world, "DELETE", "/v1/faults/fault-1", "").await.0, 404);
    assert_eq!(call(&world, "DELETE", "/v1/faults", "").await.1["removed"], 1);
    let chance = r#"{"hook":"before","effect":"reset","match":{"probability":2}}"#;
    let nameless = r#"{"id":"","hook":"before","effect":"reset"}"#;
    let status = r#"{"hook":"before","effect":"respond","status":9999,"code":"x","message":"y"}"#;
    for wrong in ["{}", "[]", r#"{"hook":"nowhere","effect":"reset"}"#, chance, nameless, status] {
        assert_eq!(call(&world, "POST", "/v1/faults", wrong).await.0, 400, "{wrong}");
    }
    let misspelled = "{\"hook\":\"before\",\n \"effect\":\"reset\",\n \"macht\":{}}";
    let (status, problem) = call(&world, "POST", "/v1/faults", misspelled).await;
    let message = problem["error"]["message"].as_str().unwrap();
    assert!(status == 400 && message.contains("`macht`") && message.contains("line 3"), "{problem}");
    let inside = r#"{"hook":"before","effect":"reset","match":{"nht":[1]}}"#;
    let (status, problem) = call(&world, "POST", "/v1/faults", inside).await;
    let message = problem["error"]["message"].as_str().unwrap();
    assert!(status == 400 && message.contains("`nht`") && message.contains("`nth`"), "{problem}");
    assert!(problem["error"]["next"].as_str().unwrap().contains("send, for example"), "{problem}");
}

#[tokio::test]
async fn a_rule_on_a_route_that_is_not_there_is_added_with_a_warning() {
    let world = world();
    let rule = r#"{"hook":"before","match":{"facts":{"path":"*/connectedCluster/*"}},"effect":"reset"}"#;
    let (status, added) = call(&world, "POST", "/v1/faults", rule).await;
    let warning = added["warnings"][0].as_str().unwrap();
    assert!(status == 201 && warning.contains("did you mean 'connectedClusters'?"), "{added}");
    let rule = r#"{"hook":"before","match":{"facts":{"path":"*/connectedClusters/*"}},"effect":"reset"}"#;
    assert!(call(&world, "POST", "/v1/faults", rule).await.1.get("warnings").is_none());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_a_problem_like_any_other() {
    let guarded = super::guarded(router(world()), "right");
    let mut long = request("POST", "/v1/faults", &" ".repeat(3 << 20));
    long.headers_mut().insert(header::AUTHORIZATION, "Bearer right".parse().unwrap());
    let response = send(&guarded, long).await;
    assert_eq!(response.status(), 413);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(problem["error"]["code"], "TooLarge");
    assert!(problem["error"]["next"].is_string(), "{problem}");
}

#[tokio::test]
async fn a_namespace_is_told_how_to_register_and_put_into_a_state() {
    let world = world();
    let path = "/v1/providers/microsoft.kubernetes";
    let subscription = world.profile.subscriptions[0].id.to_string();
    let (_, before) = call(&world, "GET", path, "").await;
    assert_eq!((&before["delaySeconds"], &before["outcome"]), (&json!(71), &json!("registered")));
    assert_eq!(before["states"][&subscription], "NotRegistered");
    let change = r#"{"delaySeconds":600,"outcome":"stuck"}"#;
    let (_, changed) = call(&world, "PUT", path, change).await;
    assert_eq!((&changed["delaySeconds"], &changed["outcome"]), (&json!(600), &json!("stuck")));
    let (_, put) = call(&world, "PUT", path, r#"{"state":"Registered"}"#).await;
    assert_eq!((&put["delaySeconds"], &put["states"][&subscription]), (&json!(600), &json!("Registered")));
    let (_, all) = call(&world, "GET", "/v1/providers", "").await;
    assert!(all.as_array().unwrap().iter().any(|shown| shown["namespace"] == "Microsoft.ExtendedLocation"));
    assert_eq!(call(&world, "PUT", "/v1/providers/Microsoft.Nowhere", change).await.0, 404);
    assert_eq!(call(&world, "PUT", path, r#"{"state":"Almost"}"#).await.0, 400);
}

fn begin(world: &World, id: &str) {
    let draft = Draft {
        id: id.into(),
        name: "Microsoft.Kubernetes/connectedClusters/write".into(),
        namespace: "Microsoft.Kubernetes".into(),
        subscription: "s".into(),
        subject: "/x".into(),
        key: "x".into(),
        location: "eastus".into(),
        style: Style::Both,
        retry_after: 10,
        span: seconds(60),
        document: lro::Document::default(),
        fate: crate::profile::Fate::Succeed,
        hidden: std::time::Duration::ZERO,
    };
    let done: Result<(), ()> = world.ledger.write(|txn| {
        lro::begin(txn, draft, world.clock.now());
        Ok(())
    });
    done.unwrap();
}

#[tokio::test]
async fn operations_are_hurried_failed_and_cancelled() {
    let world = world();
    for id in ["a", "b", "c"] {
        begin(&world, id);
    }
    let due = || world.ledger.read(|view| lro::due(view, world.clock.now()));
    assert!(due().is_empty());
    assert_eq!(call(&world, "POST", "/v1/operations/a/advance", "").await.0, 200);
    assert_eq!(due(), ["a"]);
    let reason = r#"{"code":"QuotaExceeded","message":"none left"}"#;
    let (_, failed) = call(&world, "POST", "/v1/operations/b/fail", reason).await;
    assert_eq!(failed["verdict"]["error"]["code"], "QuotaExceeded");
    assert_eq!(call(&world, "POST", "/v1/operations/c/cancel", "").await.0, 200);
    assert_eq!(due(), ["a", "b", "c"]);
    assert_eq!(call(&world, "GET", "/v1/operations", "").await.1.as_array().unwrap().len(), 3);
    assert_eq!(call(&world, "GET", "/v1/operations/a", "").await.1["id"], "a");
    assert_eq!(call(&world, "POST", "/v1/operations/z/advance", "").await.0, 404);
    assert_eq!(call(&world, "POST", "/v1/operations/a/explode", "").await.0, 404);
    let ended: Result<(), ()> = world.ledger.write(|txn| {
        let mut operation = lro::get(txn, "a").unwrap();
        lro::finish(txn, &mut operation, lro::State::Succeeded, world.clock.now());
        Ok(())
    });
    ended.unwrap();
    assert_eq!(call(&world, "POST", "/v1/operations/a/cancel", "").await.0, 409);
}

#[tokio::test]
async fn a_guard_asks_for_token_and_version_and_explains_unknown_paths() {
    let router = guarded(router(world()), "right");
    let ask = async |token: &str, version: &str, path: &str| {
        let mut request = request("GET", path, "");
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers.insert(VERSION_HEADER, version.parse().unwrap());
        let response = send(&router, request).await;
        assert_eq!(response.headers()[VERSION_HEADER], VERSION);
        response.status()
    };
    assert_eq!(ask("right", VERSION, "/v1/seed").await, StatusCode::OK);
    assert_eq!(ask("wrong", VERSION, "/v1/seed").await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("right", "0", "/v1/seed").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(ask("right", VERSION, "/v1/nothing").await, StatusCode::NOT_FOUND);
    let bare = send(&router, request("GET", "/v1/seed", "")).await;
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wrong_method_is_explained() {
    let (status, problem) = call(&world(), "DELETE", "/v1/seed", "").await;
    assert_eq!((status, &problem["error"]["code"]), (405, &json!("MethodNotAllowed")));
}

#[tokio::test]
async fn advancing_waits_for_who_was_woken() {
    let world = world();
    let (clock, done) = (world.clock.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let flag = done.clone();
    tokio::spawn(async move {
        let _busy = clock.sleep(Duration::from_secs(60)).await;
        tokio::task::yield_now().await;
        flag.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    call(&world, "POST", "/v1/clock/advance", r#"{"span":120}"#).await;
    assert!(done.load(std::sync::atomic::Ordering::SeqCst));
}
