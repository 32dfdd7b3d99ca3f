//! The recorded exchanges of `az connectedk8s`, sent to the simulated cloud: machines without the extension check the contract
//! by them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use e2e_tests::command::Sandbox;
use e2e_tests::exchanges::{Exchange, Names, VERBS, recorded, requests};
use http::{Request, Response};
use mock_arm::profile::{Profile, Registration};
use mock_arm::server::{Cloud, CloudConfig};
use serde_json::Value;
use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::{Bits, KeySource};
use sim_core::net::{HttpClient, Net};
use sim_core::pki::{Authority, Constraints};
use sim_core::seed::Seed;

/// A cloud, and a client that finds all of its hosts.
struct Setting {
    cloud: Cloud,
    http: HttpClient,
    names: Names,
}

async fn setting() -> Setting {
    let clock = Clock::running(600.0);
    let (seed, journal) = (Seed::new(1), Journal::new(clock.clone()));
    let authority = Arc::new(Authority::new("test", &Constraints::default(), clock.wall()).unwrap());
    let mut profile = Profile::default();
    profile.registration.insert("*".into(), Registration { registered: true, ..Registration::default() });
    let keys = KeySource::fresh();
    let cloud = Cloud::start(CloudConfig {
        faults: FaultSet::new(seed, clock.clone(), journal.clone()),
        clock,
        seed,
        journal,
        keys: keys.clone(),
        authority: authority.clone(),
        profile,
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        names: Vec::new(),
    })
    .await
    .unwrap();
    let hosts = [
        "management.azure.com",
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "mcr.microsoft.com",
        "eastus.dp.kubernetesconfiguration.azure.com",
    ];
    let net = Net::builder().roots(authority.roots());
    let net = hosts.into_iter().fold(net, |net, host| net.host(host, cloud.addr())).build().unwrap();
    let profile = cloud.world().profile.clone();
    let key = keys.rsa("onboarding", Bits::Rsa2048).await.unwrap();
    let mut names = Names::default();
    names.set("sub", profile.subscriptions[0].id.to_string());
    names.set("group", "AzureArcTest");
    names.set("cluster", "AzureArcTest1");
    names.set("LOCATION", "EASTUS");
    names.set("key", base64(key.public_pkcs1_der()));
    Setting { http: net.http(), cloud, names }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

impl Setting {
    async fn token(&self, audience: &str) -> String {
        let profile = &self.cloud.world().profile;
        let principal = &profile.principals[0];
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={audience}/.default",
            principal.client_id, principal.secret
        );
        let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", profile.tenant.id);
        let request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
        let reply = self.http.send(request.body(form.into()).unwrap()).await.unwrap();
        let reply: Value = serde_json::from_slice(reply.body()).unwrap();
        reply["access_token"].as_str().unwrap().to_owned()
    }

    async fn send(&self, exchange: &Exchange) -> Response<Bytes> {
        let query: Vec<String> = exchange
            .query()
            .map(|(name, value)| format!("{name}={}", value.replace(' ', "%20").replace('\'', "%27")))
            .collect();
        let url =
            format!("https://{}{}?{}", exchange.host(), self.names.fill(exchange.path()), query.join("&"));
        let mut request = Request::builder().method(exchange.method()).uri(url);
        if let Some(audience) = exchange.audience() {
            request = request.header("authorization", format!("Bearer {}", self.token(audience).await));
        }
        let body = exchange.body().map(|body| self.names.fill_value(body).to_string()).unwrap_or_default();
        let request = request.header("content-type", "application/json").body(body.into()).unwrap();
        self.http.send(request).await.unwrap()
    }

    /// Remembers what later requests are made of.
    fn remember(&mut self, exchange: &Exchange, reply: &Response<Bytes>, body: &Value) {
        let header = |name: &str| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(digest) = header("docker-content-digest") {
            self.names.set("digest", digest);
        }
        if let Some(digest) = body.pointer("/layers/0/digest") {
            self.names.set("digest", digest.clone());
        }
        if let Some(operation) = header("azure-asyncoperation") {
            let path = operation.split('?').next().unwrap();
            self.names.set("operation", path.rsplit('/').next().unwrap().to_owned());
        }
        if exchange.method() == "PUT" {
            self.names.set("resource", body.clone());
        }
    }
}

/// The value at a pointer, whose steps may be keys with dots.
fn at<'v>(body: &'v Value, pointer: &str) -> Option<&'v Value> {
    body.pointer(pointer).filter(|value| !value.is_null())
}

#[tokio::test]
async fn the_cloud_answers_what_the_extension_reads() {
    let mut setting = setting().await;
    assert_eq!(make_group(&setting).await, 201);
    for exchange in VERBS.iter().flat_map(|(verb, _)| recorded(verb).unwrap()) {
        let line = exchange.line();
        let mut tries = 0;
        loop {
            let reply = setting.send(&exchange).await;
            let body: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
            assert_eq!(u64::from(reply.status().as_u16()), exchange.status(), "{line}: {body}");
            for name in exchange.headers() {
                assert!(reply.headers().contains_key(name), "{line}: no header {name}");
            }
            for pointer in exchange.reads() {
                assert!(at(&body, pointer).is_some(), "{line}: no {pointer} in {body}");
            }
            setting.remember(&exchange, &reply, &body);
            match exchange.until() {
                Some((pointer, value)) if at(&body, pointer).and_then(Value::as_str) != Some(value) => {
                    tries += 1;
                    assert!(tries < 200, "{line} never says {value}");
                    setting.cloud.world().clock.wall_sleep(std::time::Duration::from_millis(20)).await;
                }
                _ => break,
            }
        }
    }
    setting.cloud.shutdown().await;
}

async fn make_group(setting: &Setting) -> u16 {
    let url = setting.names.fill(
        "https://management.azure.com/subscriptions/{sub}/resourcegroups/{group}?api-version=2024-11-01",
    );
    let token = setting.token("https://management.core.windows.net/").await;
    let request = Request::put(url)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Bytes::from_static(br#"{"location":"eastus"}"#))
        .unwrap();
    setting.http.send(request).await.unwrap().status().as_u16()
}

/// What of a recording the native driver sends too, each line once.
fn native(verb: &str) -> Vec<String> {
    let mut wanted: Vec<String> = Vec::new();
    for exchange in recorded(verb).unwrap().iter().filter(|exchange| exchange.not_native().is_none()) {
        if wanted.last() != Some(&exchange.line()) {
            wanted.push(exchange.line());
        }
    }
    wanted
}

#[test]
fn the_native_driver_sends_what_the_extension_sends() {
    let sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))).unwrap();
    let run = |arguments: &[&str]| sandbox.run(arguments).unwrap().ok();
    run(&["up", "--detach", "--seed", "1", "--speed", "600"]);
    for namespace in
        ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration", "Microsoft.ExtendedLocation"]
    {
        run(&["provider", "set", namespace, "--state", "Registered"]);
    }
    let mut position = 0;
    for (verb, command) in [
        ("connect", &["onboard", "--name", "c", "--resource-group", "g", "--location", "eastus"][..]),
        ("list", &["list", "--resource-group", "g"]),
        ("delete", &["offboard", "--name", "c", "--resource-group", "g", "--yes"]),
    ] {
        run(command);
        let after = position.to_string();
        let journal = run(&["journal", "--after", &after, "--output", "json"]).stdout;
        let journal: Vec<Value> = serde_json::from_str(&journal).unwrap();
        position = journal.last().unwrap()["seq"].as_u64().unwrap();
        // The group is there for the extension and made by the driver, which the recording does not have.
        let made = "PUT management.azure.com/subscriptions/{sub}/resourcegroups/{group}";
        let sent: Vec<String> = requests(&journal).into_iter().filter(|line| line != made).collect();
        assert_eq!(sent, native(verb), "{verb}");
    }
    run(&["down"]);
}
