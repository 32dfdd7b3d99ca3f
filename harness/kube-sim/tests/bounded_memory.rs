//! What hostile and careless clients cost: the server is a process of its own, whose memory is measured from outside.
//!
//! Limits are generous, since a debug build and its allocator keep some memory back; what they rule out is that memory grows
//! with what a client sends without end, or does not read.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::net::{HttpClient, Net, NetError, roots_from_pem};

const MIB: u64 = 1024 * 1024;

/// How long one answer may take, in wall time.
const PATIENCE: Duration = Duration::from_secs(120);

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A server in a process of its own.
struct Server {
    child: Child,
    folder: PathBuf,
    url: String,
    config: Value,
    clock: Clock,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kube-sim-memory-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let kubeconfig = folder.join("kubeconfig");
        let mut child = Command::new(env!("CARGO_BIN_EXE_kube-sim"))
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let config = serde_saphyr::from_str(&std::fs::read_to_string(&kubeconfig).unwrap()).unwrap();
        let url = ready["url"].as_str().unwrap().to_owned();
        Self { child, folder, url, config, clock: Clock::running(1.0) }
    }

    /// A client with connections of its own.
    fn client(&self) -> HttpClient {
        let pem = |at: &str| {
            let text = self.config.pointer(at).unwrap().as_str().unwrap();
            String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
        };
        let roots = roots_from_pem(&pem("/clusters/0/cluster/certificate-authority-data")).unwrap();
        let (certificate, key) =
            (pem("/users/0/user/client-certificate-data"), pem("/users/0/user/client-key-data"));
        Net::builder().roots(roots).client_identity(&certificate, &key).build().unwrap().http()
    }

    async fn open(
        &self,
        client: &HttpClient,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Response<Incoming> {
        self.try_open(client, method, path, media, body).await.unwrap()
    }

    async fn try_open(
        &self,
        client: &HttpClient,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, NetError> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request.header("content-type", media).body(body).unwrap();
        let sent = client.send_streaming(request);
        self.clock.wall_timeout(PATIENCE, sent).await.expect("no answer in time")
    }

    async fn send(&self, client: &HttpClient, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let body = Bytes::from(body.to_string());
        let (head, body) = self.open(client, method, path, "application/json", body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    /// A figure of the process, in bytes: `VmRSS`, or `VmHWM`, the most since the peak was reset.
    fn figure(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }

    /// What the process has now; its peak begins anew.
    fn begin(&self) -> u64 {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
        self.figure("VmRSS")
    }

    /// Fails if the process has had more than so much beyond what it began with.
    #[track_caller]
    fn cost_at_most(&self, began: u64, most: u64, what: &str) {
        let peak = self.figure("VmHWM").saturating_sub(began);
        assert!(peak <= most, "{what} cost {} MiB, more than {} MiB", peak / MIB, most / MIB);
    }
}

fn config_map(name: &str, size: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": "x".repeat(size)}})
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large_too_deep_or_broken_cost_little_and_are_refused() {
    let server = Server::start();
    let client = server.client();
    let protobuf = |length: &[u8]| [b"k8s\0\x0a", length, b"\x0a\x02v1"].concat();
    let lines = |line: &str, count: usize| {
        (0..count).map(|n| format!("{}{line}\n", " ".repeat(n))).collect::<String>()
    };
    let laughs = (1..40).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let alias = format!("*a{}", n - 1);
        format!("{text}a{n}: &a{n} [{}]\n", vec![alias; 9].join(", "))
    });
    let bodies: [(&str, &str, Vec<u8>); 10] = [
        ("a body of 64 MiB", "application/json", vec![b' '; 64 * 1024 * 1024]),
        ("JSON of three million lists", "application/json", vec![b'['; 3_000_000]),
        ("JSON of a million objects", "application/json", "{\"a\":".repeat(600_000).into_bytes()),
        ("YAML of three million lists", "application/yaml", vec![b'['; 3_000_000]),
        ("YAML of deep maps", "application/yaml", lines("a:", 2000).into_bytes()),
        ("YAML whose aliases multiply", "application/yaml", laughs.into_bytes()),
        (
            "protobuf of a text without end",
            "application/vnd.kubernetes.protobuf",
            protobuf(b"\xff\xff\xff\xff\x7f"),
        ),
        ("protobuf of a number without end", "application/vnd.kubernetes.protobuf", protobuf(&[0xff; 1000])),
        (
            "protobuf of nothing but beginnings",
            "application/vnd.kubernetes.protobuf",
            protobuf(&[0x0a; 2_000_000]),
        ),
        ("a patch of three million lists", "application/json-patch+json", vec![b'['; 3_000_000]),
    ];
    for (what, media, body) in bodies {
        let patch = media.contains("patch");
        let (method, path) =
            if patch { (Method::PATCH, format!("{MAPS}/x")) } else { (Method::POST, MAPS.to_owned()) };
        let began = server.begin();
        for _ in 0..3 {
            let sent = server.try_open(&client, method.clone(), &path, media, body.clone().into());
            let answer = match sent.await {
                Ok(answer) => answer,
                // Who sends much too much may find the connection closed before the refusal is read.
                Err(broken) => {
                    assert!(body.len() > 4 * 1024 * 1024, "{what}: {broken}");
                    continue;
                }
            };
            let code = answer.status().as_u16();
            assert!((400..500).contains(&code), "{what} is answered with {code}");
            answer.into_body().collect().await.unwrap();
        }
        server.cost_at_most(began, 192 * MIB, what);
    }
    let (code, _) = server.send(&client, Method::POST, MAPS, &config_map("still-there", 1)).await;
    assert_eq!(code, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_who_do_not_read_and_watchers_who_are_dead_cost_little() {
    let server = Server::start();
    let writer = server.client();
    for number in 0..400 {
        let (code, _) =
            server.send(&writer, Method::POST, MAPS, &config_map(&format!("m{number}"), 50_000)).await;
        assert_eq!(code, 201);
    }
    let began = server.begin();
    let mut open = Vec::new();
    for _ in 0..40 {
        let client = server.client();
        open.push(server.open(&client, Method::GET, MAPS, "", Bytes::new()).await);
        let watch = format!("{MAPS}?watch=1");
        open.push(server.open(&client, Method::GET, &watch, "", Bytes::new()).await);
    }
    // A list of 20 MiB for each of them, and as much for each watch, would be 1,600 MiB.
    server.cost_at_most(began, 160 * MIB, "40 readers of lists and 40 watchers who read nothing");
    for round in 0..2 {
        for number in 0..200 {
            let mut changed = config_map(&format!("m{number}"), 50_000);
            changed["data"]["round"] = json!(round.to_string());
            let path = format!("{MAPS}/m{number}");
            assert_eq!(server.send(&writer, Method::PUT, &path, &changed).await.0, 200);
        }
    }
    // 400 changes are 20 MiB that the feed keeps; written for each watcher they would be 800 MiB more.
    server.cost_at_most(began, 260 * MIB, "changes that 40 watchers do not read");
    drop(open);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_in_cel_cost_bounded_time_and_memory_whatever_they_are_about() {
    let server = Server::start();
    let client = server.client();
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {
                    "type": "object",
                    "properties": {
                        "list": {"type": "array", "items": {"type": "integer"}},
                        "name": {"type": "string"},
                        "keyed": {"type": "array", "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object", "required": ["k"],
                                "properties": {"k": {"type": "integer"}},
                                "x-kubernetes-validations": [{"rule": "self.k == oldSelf.k"}]}},
                    },
                    "x-kubernetes-validations": [
                        {"rule": "!has(self.name) || self.name.replace('', self.name).size() > 1"},
                        {"rule": "!has(self.list) || self.list.all(x, x >= 0)"},
                    ],
                }},
            }}}],
        },
    });
    assert_eq!(server.send(&client, Method::POST, DEFINITIONS, &definition).await.0, 201);
    let things = "/apis/example.com/v1/namespaces/default/things";
    let thing = |name: &str, spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec});
    let numbers: Vec<u32> = vec![1; 1_400_000];
    let began = server.begin();
    for spec in [json!({"name": "x".repeat(3_000_000)}), json!({"list": numbers})] {
        let (code, answer) = server.send(&client, Method::POST, things, &thing("large", spec)).await;
        assert_eq!(code, 422, "{answer}");
        let why = answer["message"].as_str().unwrap();
        assert!(
            why.contains("operation cancelled: actual cost limit exceeded"),
            "{}",
            &why[..300.min(why.len())]
        );
    }
    server.cost_at_most(began, 700 * MIB, "rules about objects of 3 MiB");
    let keyed: Vec<Value> = (0..20_000).map(|k| json!({"k": k})).collect();
    let (code, _) =
        server.send(&client, Method::POST, things, &thing("keyed", json!({"keyed": keyed}))).await;
    assert_eq!(code, 201);
    let reversed: Vec<Value> = keyed.into_iter().rev().collect();
    let patch = json!({"spec": {"keyed": reversed}}).to_string();
    let path = format!("{things}/keyed");
    let media = "application/merge-patch+json";
    let answer = server.open(&client, Method::PATCH, &path, media, patch.into()).await;
    assert_eq!(answer.status().as_u16(), 200);
}
