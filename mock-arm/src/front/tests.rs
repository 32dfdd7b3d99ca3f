//! The chain, without sockets.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sim_core::journal::{Event, Filter};

use super::Front;
use super::faults::Cut;
use crate::profile::{Authentication, Bucket, Profile, Throttling};
use crate::providers::Registry;
use crate::world::World;

pub(super) struct Client {
    pub(super) world: World,
    pub(super) front: Arc<Front>,
}

impl Client {
    pub(super) fn new(authentication: Authentication) -> Self {
        Self::with(Profile { authentication, ..Profile::default() })
    }

    pub(super) fn with(profile: Profile) -> Self {
        let world = World::for_tests(profile);
        let front = Front::new(world.clone(), Registry::default());
        Self { front: Arc::new(front), world }
    }

    pub(super) fn open() -> Self {
        Self::new(Authentication::None)
    }

    async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Response<axum::body::Body> {
        let subscription = self.world.profile.subscriptions[0].id.to_string();
        let request = Request::builder()
            .method(method)
            .uri(path.replace("{s}", &subscription))
            .header("host", "management.azure.com")
            .header("x-ms-client-request-id", "mine")
            .header("x-ms-return-client-request-id", "true")
            .header("CommandName", "group create")
            .body(body.into())
            .unwrap();
        self.front.answer(request).await
    }

    pub(super) async fn group(&self) -> Response<axum::body::Body> {
        self.send(
            "PUT",
            "/subscriptions/{s}/resourcegroups/g?api-version=2024-11-01",
            r#"{"location":"eastus"}"#,
        )
        .await
    }

    fn last_event(&self) -> Event {
        let filter = Filter { kind: Some("request".into()), ..Filter::default() };
        self.world.journal.read(&filter).last().unwrap().clone()
    }

    fn rule(&self, rule: Value) {
        self.world.faults.add(serde_json::from_value(rule).unwrap());
    }
}

pub(super) async fn json_of(response: Response<axum::body::Body>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap_or_default()
}

pub(super) async fn code(response: Response<axum::body::Body>) -> (u16, String) {
    let status = response.status().as_u16();
    (status, json_of(response).await["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_request_gets_ids_and_is_journalled() {
    let client = Client::open();
    let response = client.group().await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let id = response.headers()["x-ms-request-id"].clone();
    assert_eq!(response.headers()["x-ms-correlation-request-id"], id);
    assert_eq!(response.headers()["x-ms-client-request-id"], "mine");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let event = client.last_event();
    assert_eq!(event.correlation.as_deref(), Some(id.to_str().unwrap()));
    assert_eq!((event.committed, event.delivered), (Some(true), Some(true)));
    assert_eq!(event.facts["status"], 201);
    assert_eq!((&event.facts["command"], &event.facts["run"]), (&json!("group create"), &json!("mine")));
    assert_eq!(event.facts["location"], "eastus");
    let head = "/subscriptions/{s}/resourcegroups/G?api-version=2024-11-01";
    assert_eq!(client.send("HEAD", head, Body::empty()).await.status(), StatusCode::NO_CONTENT);
    let missing = client.send("HEAD", &head.replace("/G?", "/x?"), Body::empty()).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(json_of(missing).await, Value::Null);
}

#[tokio::test]
async fn callers_without_a_good_token_are_told_where_to_get_one() {
    let client = Client::new(Authentication::Required);
    let response = client.group().await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains(&client.world.profile.tenant.id.to_string()), "{challenge}");
    assert_eq!(json_of(response).await["error"]["code"], "AuthenticationFailed");
    let request = Request::get("/subscriptions?api-version=2022-12-01")
        .header("host", "management.azure.com")
        .header("authorization", "Bearer nonsense")
        .body(Body::empty())
        .unwrap();
    let response = client.front.answer(request).await;
    assert_eq!(code(response).await, (401, "InvalidAuthenticationToken".into()));
}

#[tokio::test]
async fn bad_input_is_answered_with_an_arm_error() {
    let client = Client::open();
    let url = "/subscriptions/{s}/resourcegroups/g?api-version=2024-11-01";
    let big = client.send("PUT", url, vec![b' '; 10 << 20]).await;
    assert_eq!(code(big).await, (413, "RequestContentTooLarge".into()));
    assert_eq!(code(client.send("PUT", url, "{not json").await).await, (400, "InvalidRequestContent".into()));
    assert_eq!(code(client.send("PUT", url, "[]").await).await, (400, "InvalidRequestContent".into()));
    assert_eq!(
        code(client.send("PUT", url, Body::empty()).await).await,
        (400, "InvalidRequestContent".into())
    );
    assert_eq!(code(client.send("TRACE", url, Body::empty()).await).await, (405, "MethodNotAllowed".into()));
    let version = |text: &str| format!("/subscriptions/{{s}}/resourcegroups{text}");
    let missing = client.send("GET", &version(""), Body::empty()).await;
    assert_eq!(code(missing).await, (400, "MissingApiVersionParameter".into()));
    let invalid = client.send("GET", &version("?api-version=latest"), Body::empty()).await;
    assert_eq!(code(invalid).await, (400, "InvalidApiVersionParameter".into()));
    let path = client.send("GET", "/no/such/thing", Body::empty()).await;
    assert_eq!(code(path).await, (404, "InvalidRequestUri".into()));
}

#[tokio::test]
async fn bodies_of_other_kinds_are_refused() {
    let client = Client::open();
    let subscription = client.world.profile.subscriptions[0].id;
    let request =
        Request::put(format!("/subscriptions/{subscription}/resourcegroups/g?api-version=2024-11-01"))
            .header("host", "management.azure.com")
            .header("content-type", "text/plain; charset=utf-8")
            .body(Body::from("location=eastus"))
            .unwrap();
    let response = client.front.answer(request).await;
    assert_eq!(code(response).await, (415, "UnsupportedMediaType".into()));
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let limits =
        Throttling { enforced: true, reads: Bucket { size: 1, per_second: 1 }, ..Throttling::default() };
    let client = Client::with(Profile {
        authentication: Authentication::None,
        throttling: limits,
        ..Profile::default()
    });
    let url = "/subscriptions/{s}/resourcegroups?api-version=2024-11-01";
    let first = client.send("GET", url, Body::empty()).await;
    assert_eq!(first.headers()["x-ms-ratelimit-remaining-subscription-global-reads"], "14");
    let second = client.send("GET", url, Body::empty()).await;
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(code(second).await, (429, "SubscriptionRequestsThrottled".into()));
    // Writes have a bucket of their own, and the clock fills this one again.
    assert_eq!(client.group().await.status(), StatusCode::CREATED);
    client.world.clock.advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(client.send("GET", url, Body::empty()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_deletion_is_followed_through_its_location() {
    let client = Client::open();
    client.group().await;
    let url = "/subscriptions/{s}/resourcegroups/g?api-version=2024-11-01";
    let response = client.send("DELETE", url, Body::empty()).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["retry-after"], "1");
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with("https://management.azure.com/subscriptions/"), "{location}");
    let path = location.strip_prefix("https://management.azure.com").unwrap();
    let running = client.send("GET", path, Body::empty()).await;
    assert_eq!(running.status(), StatusCode::ACCEPTED);
    assert_eq!(running.headers()["location"], location.as_str());
    client.world.clock.advance(std::time::Duration::from_secs(20)).await;
    Registry::default().settle_due(&client.world, client.world.clock.now());
    assert_eq!(client.send("GET", path, Body::empty()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn pages_link_to_the_next_one() {
    let client = Client::open();
    for name in ["a", "b", "c"] {
        let url = format!("/subscriptions/{{s}}/resourcegroups/{name}?api-version=2024-11-01");
        client.send("PUT", &url, r#"{"location":"eastus"}"#).await;
    }
    let mut next = "/subscriptions/{s}/resourcegroups?api-version=2024-11-01&$top=2".to_owned();
    let mut names = Vec::new();
    loop {
        let page = json_of(client.send("GET", &next, Body::empty()).await).await;
        names.extend(page["value"].as_array().unwrap().iter().map(|group| group["name"].clone()));
        match page["nextLink"].as_str() {
            Some(link) => next = link.strip_prefix("https://management.azure.com").unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_fault_before_changes_nothing_and_one_after_loses_the_answer() {
    let client = Client::open();
    let facts =
        json!({"facts": {"method": "PUT", "route": "Microsoft.Resources/resourceGroups"}, "nth": [1]});
    client.rule(json!({
        "id": "early", "hook": "before", "match": facts,
        "effect": "respond", "status": 429, "code": "TooManyRequests", "message": "later", "retryAfter": 7,
    }));
    let response = client.group().await;
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(code(response).await, (429, "TooManyRequests".into()));
    assert_eq!(client.last_event().committed, None);
    client.rule(json!({"id": "late", "hook": "after", "match": facts, "effect": "reset"}));
    let response = client.group().await;
    assert!(response.extensions().get::<Cut>().is_some());
    let event = client.last_event();
    assert_eq!((event.committed, event.delivered), (Some(true), Some(false)));
    assert_eq!(client.group().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn surfaces_answer_beside_resource_manager() {
    let client = Client::open();
    let document = client.send("GET", "//metadata/endpoints?api-version=2022-09-01", Body::empty()).await;
    assert_eq!(document.status(), StatusCode::OK);
    assert_eq!(client.last_event().facts["surface"], "metadata");
}

#[tokio::test]
async fn an_answer_to_head_tells_the_length_of_the_body_that_it_has_not() {
    let client = Client::open();
    let path = "//metadata/endpoints?api-version=2022-09-01";
    let length = |response: &Response<Body>| {
        let told = response.headers().get("content-length")?;
        told.to_str().unwrap().parse::<usize>().ok()
    };
    let got = client.send("GET", path, Body::empty()).await;
    assert_eq!(length(&got), None, "the server writes it");
    let head = client.send("HEAD", path, Body::empty()).await;
    assert!(length(&head).unwrap() > 0);
    assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
}
