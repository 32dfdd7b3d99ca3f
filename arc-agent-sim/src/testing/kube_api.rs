//! An API server in memory, as far as the agents use one: get, list, create, replace, merge patch, watch.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::broadcast;

type Reply = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Debug)]
struct Inner {
    /// Objects by path.
    objects: Mutex<BTreeMap<String, Value>>,
    changes: broadcast::Sender<(String, Value)>,
}

/// Cheap to clone; clones are the same server.
#[derive(Debug, Clone)]
pub(crate) struct KubeApi(Arc<Inner>);

impl Default for KubeApi {
    fn default() -> Self {
        Self(Arc::new(Inner { objects: Mutex::default(), changes: broadcast::channel(256).0 }))
    }
}

/// Plurals that are not the kind's lower case and an `s`.
fn plural(kind: &str) -> String {
    match kind {
        "AzureClusterIdentityRequest" | "ConnectedCluster" | "ArcCertificate" => {
            format!("{}s", kind.to_lowercase())
        }
        other => format!("{}s", other.to_lowercase().trim_end_matches('s')),
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().shift_remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

impl KubeApi {
    /// Puts an object in.
    pub(crate) fn seed(&self, object: Value) {
        let version = object["apiVersion"].as_str().unwrap();
        let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
        let space = object["metadata"]["namespace"].as_str().map(|name| format!("/namespaces/{name}"));
        let (plural, name) =
            (plural(object["kind"].as_str().unwrap()), object["metadata"]["name"].as_str().unwrap());
        let path = format!("{root}{}/{plural}/{name}", space.unwrap_or_default());
        self.0.objects.lock().unwrap().insert(path, object);
    }

    /// The object whose path ends so.
    pub(crate) fn find(&self, end: &str) -> Option<Value> {
        let objects = self.0.objects.lock().unwrap();
        objects.iter().find(|(path, _)| path.ends_with(end)).map(|(_, object)| object.clone())
    }

    /// Takes the object out whose path ends so.
    pub(crate) fn remove(&self, end: &str) {
        self.0.objects.lock().unwrap().retain(|path, _| !path.ends_with(end));
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                Ok::<_, Infallible>(server.answer(&head.method, head.uri.path(), head.uri.query(), body))
            }
        });
        kube::Client::new(service, "azure-arc")
    }

    fn answer(&self, method: &Method, path: &str, query: Option<&str>, body: Value) -> Response<Reply> {
        if path == "/version" {
            return reply(
                200,
                &json!({
                    "major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitCommit": "", "gitTreeState": "",
                    "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
                }),
            );
        }
        if query.is_some_and(|query| query.contains("watch=true")) {
            return self.watch(path);
        }
        let path = path.trim_end_matches("/status");
        match *method {
            Method::GET => self.read(path),
            Method::POST => self.create(path, body),
            Method::PUT => self.change(path, "PUT", |object| *object = body),
            _ => self.change(path, "PATCH", |object| merge(object, &body)),
        }
    }

    fn read(&self, path: &str) -> Response<Reply> {
        let objects = self.0.objects.lock().unwrap();
        if let Some(object) = objects.get(path) {
            return reply(200, object);
        }
        let below = format!("{path}/");
        let items: Vec<&Value> = objects
            .iter()
            .filter(|(own, _)| own.strip_prefix(&below).is_some_and(|name| !name.contains('/')))
            .map(|(_, object)| object)
            .collect();
        let last = path.rsplit('/').next().unwrap();
        if items.is_empty() && !last.ends_with('s') || last == "azure-identity-certificate" {
            return absent(path);
        }
        reply(
            200,
            &json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "1" }, "items": items }),
        )
    }

    fn create(&self, path: &str, object: Value) -> Response<Reply> {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!("{path}/{name}");
        if self.0.objects.lock().unwrap().contains_key(&path) {
            return reply(
                409,
                &json!({ "status": "Failure", "message": "already exists", "reason": "AlreadyExists", "code": 409 }),
            );
        }
        self.0.objects.lock().unwrap().insert(path.clone(), object.clone());
        let _ = self.0.changes.send((path, object.clone()));
        reply(201, &object)
    }

    fn change(&self, path: &str, _verb: &str, change: impl FnOnce(&mut Value)) -> Response<Reply> {
        let mut objects = self.0.objects.lock().unwrap();
        let Some(object) = objects.get_mut(path) else { return absent(path) };
        change(object);
        let _ = self.0.changes.send((path.to_owned(), object.clone()));
        reply(200, object)
    }

    fn watch(&self, path: &str) -> Response<Reply> {
        let below = format!("{path}/");
        let changes = futures::stream::unfold(self.0.changes.subscribe(), |mut changes| async {
            changes.recv().await.ok().map(|change| (change, changes))
        });
        let lines = changes.filter_map(move |(path, object)| {
            let mut line = json!({ "type": "MODIFIED", "object": object }).to_string();
            line.push('\n');
            let own = path.starts_with(&below);
            async move { own.then(|| Ok(Frame::data(Bytes::from(line)))) }
        });
        Response::new(StreamBody::new(lines).boxed_unsync())
    }
}

fn reply(status: u16, body: &Value) -> Response<Reply> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn absent(path: &str) -> Response<Reply> {
    let mut parts = path.rsplit('/');
    let (name, plural) = (parts.next().unwrap(), parts.next().unwrap());
    let message = format!("{plural} \"{name}\" not found");
    reply(
        404,
        &json!({ "kind": "Status", "status": "Failure", "message": message, "reason": "NotFound", "code": 404 }),
    )
}
