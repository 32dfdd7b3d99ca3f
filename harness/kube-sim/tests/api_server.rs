//! The API server as a client sees it: over TLS, with certificates and tokens.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use kube_sim::auth::TokenAsk;
use kube_sim::cluster::{Cluster, ClusterConfig};
use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::net::{HttpClient, Net, roots_from_pem};
use sim_core::seed::Seed;

struct World {
    cluster: Cluster,
    admin: HttpClient,
    nobody: HttpClient,
    clock: Clock,
}

async fn world() -> World {
    let clock = Clock::running(1.0);
    let work_dir = std::env::temp_dir().join(format!("kube-sim-test-{}", std::process::id()));
    let config = ClusterConfig::new("test", &clock, Seed::new(1), work_dir);
    let cluster = Cluster::start(config).await.unwrap();
    let net = || Net::builder().roots(roots_from_pem(cluster.ca_pem()).unwrap());
    let (certificate, key) = cluster.admin_identity();
    let admin = net().client_identity(certificate, key).build().unwrap().http();
    let nobody = net().build().unwrap().http();
    World { admin, nobody, cluster, clock }
}

impl World {
    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Request<Bytes> {
        let builder = Request::builder().method(method).uri(format!("{}{path}", self.cluster.url()));
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        builder.header("content-type", "application/json").body(body).unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let response = self.admin.send(self.request(method, path, body)).await.unwrap();
        (response.status(), serde_json::from_slice(response.body()).unwrap())
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"a": "Yg=="}})
}

const SECRETS: &str = "/api/v1/namespaces/kube-public/secrets";
const MAPS: &str = "/api/v1/namespaces/kube-public/configmaps";

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_created_listed_in_pages_changed_and_deleted() {
    let world = world().await;
    for name in ["one", "three", "two"] {
        let (code, created) = world.send(Method::POST, SECRETS, Some(&secret(name))).await;
        assert_eq!((code, &created["metadata"]["namespace"]), (StatusCode::CREATED, &json!("kube-public")));
    }
    let (code, status) = world.send(Method::POST, SECRETS, Some(&secret("one"))).await;
    assert_eq!((code.as_u16(), &status["reason"]), (409, &json!("AlreadyExists")));

    let (_, page) = world.send(Method::GET, &format!("{SECRETS}?limit=2"), None).await;
    assert_eq!(page["metadata"]["remainingItemCount"], 1);
    let resume = page["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = world.send(Method::GET, &format!("{SECRETS}?limit=2&continue={resume}"), None).await;
    assert!(rest["metadata"].get("continue").is_none());
    assert_eq!(rest["items"][0]["metadata"]["name"], "two");

    let path = format!("{SECRETS}/one");
    let (_, mut live) = world.send(Method::GET, &path, None).await;
    live["data"]["a"] = json!("Yw==");
    assert_eq!(world.send(Method::PUT, &path, Some(&live)).await.0, StatusCode::OK);
    let (code, status) = world.send(Method::PUT, &path, Some(&live)).await;
    assert_eq!((code.as_u16(), &status["reason"]), (409, &json!("Conflict")));

    let (code, status) = world.send(Method::DELETE, &path, None).await;
    assert_eq!((code, &status["status"]), (StatusCode::OK, &json!("Success")));
    assert_eq!(world.send(Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    world.cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_nothing_behind() {
    let world = world().await;
    let (code, shown) =
        world.send(Method::POST, &format!("{MAPS}?dryRun=All"), Some(&config_map("dry"))).await;
    assert_eq!(code, StatusCode::CREATED);
    assert!(shown["metadata"].get("resourceVersion").is_none());
    assert_eq!(world.send(Method::GET, &format!("{MAPS}/dry"), None).await.0, StatusCode::NOT_FOUND);
    world.cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_replays_from_a_revision_and_goes_on_without_holding_the_clock() {
    let world = world().await;
    let (_, list) = world.send(Method::GET, MAPS, None).await;
    let from = list["metadata"]["resourceVersion"].as_str().unwrap();
    world.send(Method::POST, MAPS, Some(&config_map("seen"))).await;
    let path = format!("{MAPS}?watch=1&resourceVersion={from}&fieldSelector=metadata.name%3Dseen");
    let mut stream =
        world.admin.send_streaming(world.request(Method::GET, &path, None)).await.unwrap().into_body();
    let mut next = async || {
        let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        let event: Value = serde_json::from_slice(&frame).unwrap();
        (event["type"].as_str().unwrap().to_owned(), event["object"]["metadata"]["name"].clone())
    };
    assert_eq!(next().await, ("ADDED".into(), json!("seen")));
    assert!(world.clock.quiet().await, "an idle watch keeps the world from being quiet");
    world.send(Method::DELETE, &format!("{MAPS}/seen"), None).await;
    assert_eq!(next().await, ("DELETED".into(), json!("seen")));
    let (code, status) = world.send(Method::GET, &format!("{MAPS}?watch=1&resourceVersion=soon"), None).await;
    // The real server answers so, without a reason.
    assert_eq!((code.as_u16(), status.get("reason")), (500, None));
    world.cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_known_by_certificate_or_token_and_may_do_what_their_roles_say() {
    let world = world().await;
    let ask = async |path: &str, token: Option<&str>| {
        let mut request = world.request(Method::GET, path, None);
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let response = world.nobody.send(request).await.unwrap();
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), body["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ask("/version", None).await.0, 200);
    let (code, message) = ask(MAPS, None).await;
    assert_eq!(code, 403);
    assert!(message.contains("User \"system:anonymous\" cannot list resource \"configmaps\""), "{message}");
    assert_eq!(ask(MAPS, Some("nonsense")).await.0, 401);

    let accounts = "/api/v1/namespaces/kube-public/serviceaccounts";
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}});
    world.send(Method::POST, accounts, Some(&account)).await;
    let (code, answer) = world.send(Method::POST, &format!("{accounts}/bot/token"), Some(&json!({}))).await;
    assert_eq!(code, StatusCode::CREATED);
    let token = answer["status"]["token"].as_str().unwrap().to_owned();
    assert_eq!(ask(MAPS, Some(&token)).await.0, 403);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "bot"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "bot", "namespace": "kube-public"}],
    });
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/rolebindings";
    assert_eq!(world.send(Method::POST, bindings, Some(&binding)).await.0, StatusCode::CREATED);
    assert_eq!(ask(MAPS, Some(&token)).await.0, 200);
    assert_eq!(ask("/api/v1/namespaces/kube-public/secrets", Some(&token)).await.0, 403);

    let other = TokenAsk {
        namespace: "kube-public".into(),
        account: "bot".into(),
        audiences: vec!["https://elsewhere".into()],
        ..TokenAsk::default()
    };
    let (elsewhere, _) = world.cluster.tokens().issue(&other).await.unwrap();
    assert_eq!(ask(MAPS, Some(&elsewhere)).await.0, 401);
    world.send(Method::DELETE, &format!("{accounts}/bot"), None).await;
    assert_eq!(ask(MAPS, Some(&token)).await.0, 401);
    world.cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_a_status_that_names_the_problem() {
    let world = world().await;
    let send = async |method: Method, path: &str, media: &str, body: &[u8]| {
        let mut request = world.request(method, path, None);
        request.headers_mut().insert("content-type", media.parse().unwrap());
        *request.body_mut() = Bytes::copy_from_slice(body);
        let response = world.admin.send(request).await.unwrap();
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["kind"], "Status");
        (response.status().as_u16(), body["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(send(Method::POST, MAPS, "application/json", b"{not json").await.0, 400);
    assert_eq!(send(Method::POST, MAPS, "application/json", b"[]").await.0, 400);
    assert_eq!(send(Method::POST, MAPS, "text/html", b"<p>").await.0, 415);
    assert_eq!(send(Method::POST, MAPS, "application/vnd.kubernetes.protobuf", b"k8s").await.0, 400);
    let large = vec![b' '; 10 * 1024 * 1024];
    assert_eq!(send(Method::POST, MAPS, "application/json", &large).await.0, 413);
    assert_eq!(send(Method::GET, "/apis/apps/v9/things", "", b"").await.0, 404);
    assert_eq!(send(Method::DELETE, "/api/v1/namespaces", "", b"").await.0, 405);
    assert_eq!(send(Method::DELETE, "/api/v1/componentstatuses/etcd-0", "", b"").await.0, 405);
    assert_eq!(send(Method::PUT, MAPS, "application/json", b"{}").await.0, 405);
    assert_eq!(send(Method::DELETE, "/api/v1/namespaces/kube-system", "", b"").await.0, 403);
    let mut broken = secret("broken");
    broken["data"]["a"] = json!("!!");
    let (code, message) =
        send(Method::POST, SECRETS, "application/json", broken.to_string().as_bytes()).await;
    assert_eq!(code, 400);
    assert!(message.ends_with("illegal base64 data at input byte 0"), "{message}");
    let wrong = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}});
    assert_eq!(send(Method::POST, MAPS, "application/json", wrong.to_string().as_bytes()).await.0, 400);
    let (code, message) = send(Method::POST, "/api/v1/namespaces/default/pods/x/attach", "", b"").await;
    assert_eq!((code, message.as_str()), (404, "pods \"x\" not found"));
    world.cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_forms_of_the_real_server() {
    let world = world().await;
    for path in ["/apis/nowhere.io/v1/things", "/apis/nowhere.io", "/foo", "/%ff/..//x"] {
        let response = world.admin.send(world.request(Method::GET, path, None)).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(&response.body()[..], b"404 page not found\n", "{path}");
    }
    let mut typo = config_map("typo");
    typo["dta"] = json!({});
    let response = world.admin.send(world.request(Method::POST, MAPS, Some(&typo))).await.unwrap();
    assert_eq!(response.headers()["warning"], "299 - \"unknown field \\\"dta\\\"\"");
    let mut request =
        world.request(Method::PATCH, &format!("{MAPS}/typo"), Some(&json!([{"op": "remove", "path": "/x"}])));
    request.headers_mut().insert("content-type", "application/json-patch+json".parse().unwrap());
    let status: Value = serde_json::from_slice(world.admin.send(request).await.unwrap().body()).unwrap();
    assert_eq!(status["message"], "the server rejected our request due to an error in our request");
    assert_eq!((&status["code"], &status["details"]), (&json!(422), &json!({})));

    let (_, components) = world.send(Method::GET, "/api/v1/componentstatuses", None).await;
    let etcd = json!({"metadata": {"name": "etcd-0"},
        "conditions": [{"type": "Healthy", "status": "True", "message": "ok"}]});
    assert_eq!(components["items"][1]["metadata"], etcd["metadata"]);
    assert_eq!(components["items"][1]["conditions"], etcd["conditions"]);
    let (_, local) =
        world.send(Method::GET, "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps", None).await;
    assert_eq!(local["status"]["conditions"][0]["reason"], "Local");
    let (code, early) = world.send(Method::GET, &format!("{MAPS}?resourceVersion=99999999"), None).await;
    assert_eq!((code.as_u16(), &early["reason"]), (504, &json!("Timeout")));
    assert_eq!(early["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(world.send(Method::GET, &format!("{MAPS}?resourceVersion=x"), None).await.0.as_u16(), 400);
    let (_, schemas) = world.send(Method::GET, "/openapi/v3/api/v1", None).await;
    let field =
        &schemas["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["restartPolicy"];
    assert_eq!(field["enum"], json!(["Always", "Never", "OnFailure"]));
    let refused = world.nobody.send(world.request(Method::GET, MAPS, None)).await.unwrap();
    let refused: Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(refused["details"], json!({"kind": "configmaps"}));
    world.cluster.shutdown().await;
}
