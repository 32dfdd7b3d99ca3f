//! Random histories: one writer, many watchers whose connections break again and again. Whatever happens, a watcher that
//! follows the rules of clients (list, watch from there, start over after 410) ends with what a list shows, and has seen
//! every object come and go in order, nothing lost and nothing twice.
//!
//! Histories are drawn from fixed seeds: a failure names its seed and comes again.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube_sim::api::{Api, Caller, DeleteOptions, Sub, WriteOptions};
use kube_sim::cluster::{Cluster, ClusterConfig};
use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::net::{HttpClient, Net, roots_from_pem};
use sim_core::seed::{Seed, Stream};

/// How many histories.
const HISTORIES: u64 = 12;

/// Writes per history.
const WRITES: u64 = 150;

/// Different names, few enough to meet often.
const NAMES: u64 = 12;

/// The object whose coming ends a history.
const END: &str = "the-end";

/// How a watcher asks.
#[derive(Debug, Clone, Copy)]
struct Way {
    selector: &'static str,
    /// Begins with the state of things as events instead of a list.
    streaming: bool,
}

const WAYS: [Way; 4] = [
    Way { selector: "", streaming: false },
    Way { selector: "color%3Dred", streaming: false },
    Way { selector: "", streaming: true },
    Way { selector: "color%3Dred", streaming: true },
];

async fn cluster(clock: &Clock) -> Cluster {
    let work_dir = std::env::temp_dir().join(format!("kube-sim-histories-{}", std::process::id()));
    Cluster::start(ClusterConfig::new("histories", clock, Seed::new(1), work_dir)).await.unwrap()
}

fn object(name: &str, draw: &Stream) -> Value {
    let color = if draw.below(2) == 0 { "red" } else { "blue" };
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"color": color}},
        "data": {"n": draw.next_u64().to_string()}})
}

/// Writes one history into a namespace. Now and then what is old is forgotten.
async fn write(api: &Api, namespace: &str, draw: &Stream) {
    let caller = Caller::controller("writer");
    let kind = api.kind("", "ConfigMap").unwrap();
    let space = Some(namespace);
    for _ in 0..WRITES {
        let name = format!("m{}", draw.below(NAMES));
        let fresh = object(&name, draw);
        let there = api.get(&kind, space, &name).is_ok();
        match draw.below(10) {
            0..=3 if there => {
                api.delete(&caller, &kind, space, &name, &DeleteOptions::default()).unwrap();
            }
            _ if there => {
                let written = api.modify(&caller, &kind, Sub::Main, space, &name, |object| {
                    object["metadata"]["labels"] = fresh["metadata"]["labels"].clone();
                    object["data"] = fresh["data"].clone();
                    true
                });
                written.unwrap();
            }
            _ => {
                api.create(&caller, &kind, space, fresh, &WriteOptions::default()).unwrap();
            }
        }
        if draw.below(40) == 0 {
            api.ledger().compact(api.ledger().revision());
        }
        if draw.below(3) == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut end = object(END, draw);
    end["metadata"]["labels"]["color"] = json!("red");
    api.create(&caller, &kind, space, end, &WriteOptions::default()).unwrap();
}

/// What a client keeps.
struct Watcher {
    client: HttpClient,
    base: String,
    way: Way,
    /// Breaks its connections.
    draw: Stream,
    seen: BTreeMap<String, Value>,
    version: u64,
}

/// Why a watch ended.
enum Ended {
    Broken,
    Expired,
    Done,
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

impl Watcher {
    fn request(&self, query: &str) -> Request<Bytes> {
        let uri = format!("{}?labelSelector={}{query}", self.base, self.way.selector);
        Request::builder().method(Method::GET).uri(uri).body(Bytes::new()).unwrap()
    }

    async fn list(&mut self) {
        let answer = self.client.send(self.request("")).await.unwrap();
        let list: Value = serde_json::from_slice(answer.body()).unwrap();
        let named = |item: &Value| (item["metadata"]["name"].as_str().unwrap().to_owned(), item.clone());
        self.seen = list["items"].as_array().unwrap().iter().map(named).collect();
        self.version = version(&list);
    }

    /// Follows until the history is over; returns what it keeps then.
    async fn follow(mut self) -> BTreeMap<String, Value> {
        if self.way.streaming {
            self.version = 0;
        } else {
            self.list().await;
        }
        loop {
            if self.seen.contains_key(END) {
                return self.seen;
            }
            match self.watch().await {
                Ended::Broken => {}
                Ended::Done => return self.seen,
                Ended::Expired if self.way.streaming => {
                    self.seen.clear();
                    self.version = 0;
                }
                Ended::Expired => self.list().await,
            }
        }
    }

    async fn watch(&mut self) -> Ended {
        let initial = self.version == 0;
        let query = if initial {
            "&watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
                .to_owned()
        } else {
            format!("&watch=1&allowWatchBookmarks=true&resourceVersion={}", self.version)
        };
        let response = self.client.send_streaming(self.request(&query)).await.unwrap();
        if response.status() == 410 {
            return Ended::Expired;
        }
        assert_eq!(response.status(), 200);
        // Broken after so many events, most of the time in the middle of things.
        let mut left = self.draw.below(25);
        let (mut body, mut buffer) = (response.into_body(), BytesMut::new());
        // The state at the beginning counts only when it came whole.
        let mut synced = !initial;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { break };
            buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let event: Value = serde_json::from_slice(&buffer[..end]).unwrap();
                buffer.advance(end + 1);
                if event["type"] == "ERROR" {
                    assert_eq!(event["object"]["code"], 410, "{event}");
                    return Ended::Expired;
                }
                synced |= event["type"] == "BOOKMARK";
                self.take(&event, synced);
                if synced && self.seen.contains_key(END) {
                    return Ended::Done;
                }
                if synced && left == 0 {
                    return Ended::Broken;
                }
                left = left.saturating_sub(1);
            }
        }
        if !synced {
            self.seen.clear();
            self.version = 0;
        }
        Ended::Broken
    }

    fn take(&mut self, event: &Value, synced: bool) {
        let object = &event["object"];
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let known = self.seen.contains_key(&name);
        match event["type"].as_str().unwrap() {
            "ADDED" => assert!(!known, "twice: {event}"),
            "MODIFIED" => assert!(known, "never added: {event}"),
            "DELETED" => assert!(known, "never there: {event}"),
            "BOOKMARK" => {
                assert!(version(object) >= self.version, "backwards: {event}");
                self.version = version(object);
                return;
            }
            other => panic!("{other}: {event}"),
        }
        if synced {
            assert!(version(object) > self.version, "again after {}: {event}", self.version);
            self.version = version(object);
        }
        if event["type"] == "DELETED" {
            self.seen.remove(&name);
        } else {
            self.seen.insert(name, object.clone());
        }
    }
}

async fn history(number: u64, cluster: &Cluster, client: &HttpClient, clock: &Clock) {
    let (api, seed) = (cluster.api().clone(), Seed::new(1000 + number));
    let namespace = format!("history-{number}");
    let spaces = api.kind("", "Namespace").unwrap();
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    api.create(&Caller::controller("writer"), &spaces, None, space, &WriteOptions::default()).unwrap();
    let base = format!("{}/api/v1/namespaces/{namespace}/configmaps", cluster.url());
    let watchers: Vec<_> = WAYS
        .into_iter()
        .enumerate()
        .map(|(index, way)| {
            let draw = seed.stream(&format!("watcher {index}"));
            let watcher = Watcher {
                client: client.clone(),
                base: base.clone(),
                way,
                draw,
                seen: BTreeMap::new(),
                version: 0,
            };
            tokio::spawn(watcher.follow())
        })
        .collect();
    write(&api, &namespace, &seed.stream("writer")).await;
    for (way, watcher) in WAYS.into_iter().zip(watchers) {
        let kept = clock.wall_timeout(Duration::from_secs(60), watcher).await;
        let kept =
            kept.unwrap_or_else(|_| panic!("history {number}: {way:?} did not come to its end")).unwrap();
        let uri = format!("{base}?labelSelector={}", way.selector);
        let request = Request::builder().uri(uri).body(Bytes::new()).unwrap();
        let list: Value = serde_json::from_slice(client.send(request).await.unwrap().body()).unwrap();
        let items = list["items"].as_array().unwrap();
        // Lists leave out what all their items share.
        let bare = |object: &Value| (object["metadata"].clone(), object["data"].clone());
        // The controllers put their own map into every namespace, some time.
        let own = |object: &&Value| object["metadata"]["name"] != "kube-root-ca.crt";
        let expected: Vec<_> = items.iter().filter(own).map(bare).collect();
        let kept: Vec<_> = kept.values().filter(own).map(bare).collect();
        assert_eq!(kept, expected, "history {number}: {way:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_watcher_ends_with_what_a_list_shows_whatever_breaks() {
    let clock = Clock::running(1.0);
    let cluster = cluster(&clock).await;
    let (certificate, key) = cluster.admin_identity();
    let net = Net::builder().roots(roots_from_pem(cluster.ca_pem()).unwrap());
    let client = net.client_identity(certificate, key).build().unwrap().http();
    for number in 0..HISTORIES {
        history(number, &cluster, &client, &clock).await;
    }
    cluster.shutdown().await;
}
