//! The Kubernetes API, as far as onboarding uses it: plain objects, whatever their kind.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use kube::Error;
use serde_json::{Value, json};

/// Who the API server says has written a field.
const MANAGER: &str = "dryarc";

/// What discovery says about a kind.
#[derive(Debug, Clone)]
struct Resource {
    plural: String,
    namespaced: bool,
}

/// A cluster, as the owner of a kubeconfig sees it. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// By `apiVersion` and kind.
    known: Arc<RwLock<HashMap<(String, String), Resource>>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// Whether the API server says that there is no such thing.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 409)
}

fn encoded(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

impl Cluster {
    /// The cluster behind a client.
    #[must_use]
    pub fn new(client: kube::Client) -> Self {
        Self { client, known: Arc::default() }
    }

    /// The client behind it.
    #[must_use]
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    async fn call(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Value, Error> {
        let mut request = Request::builder().method(method).uri(path).header(ACCEPT, "application/json");
        if let Some((kind, _)) = body {
            request = request.header(CONTENT_TYPE, kind);
        }
        let bytes = body.map(|(_, body)| encoded(body)).unwrap_or_default();
        self.client.request(request.body(bytes).map_err(Error::HttpError)?).await
    }

    /// Reads a path.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.call(Method::GET, path, None).await
    }

    /// Reads a path; `None` when there is nothing.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, Error> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a list as the table that `kubectl get` prints.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn table(&self, path: &str) -> Result<Value, Error> {
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        let request = Request::get(path).header(ACCEPT, accept).body(Vec::new()).map_err(Error::HttpError)?;
        self.client.request(request).await
    }

    /// Creates what a path names.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.call(Method::POST, path, Some(("application/json", body))).await
    }

    /// Changes what a path names by a merge patch.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn merge(&self, path: &str, patch: &Value) -> Result<Value, Error> {
        self.call(Method::PATCH, path, Some(("application/merge-patch+json", patch))).await
    }

    /// Reads a path as text: the log of a container.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn text(&self, path: &str) -> Result<String, Error> {
        self.client.request_text(Request::get(path).body(Vec::new()).map_err(Error::HttpError)?).await
    }

    /// Deletes what a path names, with everything that depends on it; false when there was nothing.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn delete(&self, path: &str) -> Result<bool, Error> {
        let options =
            json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background" });
        match self.call(Method::DELETE, path, Some(("application/json", &options))).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the user may do something to a kind of a group.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn may(&self, verb: &str, group: &str, resource: &str) -> Result<bool, Error> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": { "verb": verb, "group": group, "resource": resource } },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = self.post(path, &review).await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false))
    }

    /// Creates an object, or changes the one that is there into it.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn put_object(&self, object: &Value) -> Result<(), Error> {
        let (collection, path) = self.paths(object).await?;
        match self.post(&format!("{collection}?fieldManager={MANAGER}"), object).await {
            Ok(_) => Ok(()),
            Err(error) if is_conflict(&error) => {
                let path = format!("{path}?fieldManager={MANAGER}");
                let patch = Some(("application/merge-patch+json", object));
                self.call(Method::PATCH, &path, patch).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    /// Changes the object of this kind and name by a merge patch.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn merge_object(&self, object: &Value, patch: &Value) -> Result<(), Error> {
        let (_, path) = self.paths(object).await?;
        self.merge(&path, patch).await.map(drop)
    }

    /// Deletes the object of this kind and name; false when there was none, not even its kind.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn delete_object(&self, object: &Value) -> Result<bool, Error> {
        match self.paths(object).await {
            Ok((_, path)) => self.delete(&path).await,
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The object of this kind and name as it is now.
    ///
    /// # Errors
    /// What the API server or the connection says.
    pub async fn find_object(&self, object: &Value) -> Result<Option<Value>, Error> {
        match self.paths(object).await {
            Ok((_, path)) => self.find(&path).await,
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The paths of an object's collection and of the object itself.
    async fn paths(&self, object: &Value) -> Result<(String, String), Error> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        let resource = self.resource(version, kind).await?;
        let namespace = match text("/metadata/namespace") {
            namespace if resource.namespaced && !namespace.is_empty() => format!("/namespaces/{namespace}"),
            _ => String::new(),
        };
        let collection = format!("{}{namespace}/{}", root(version), resource.plural);
        let path = format!("{collection}/{}", text("/metadata/name"));
        Ok((collection, path))
    }

    async fn resource(&self, version: &str, kind: &str) -> Result<Resource, Error> {
        let key = (version.to_owned(), kind.to_owned());
        let known = |map: &HashMap<_, Resource>| map.get(&key).cloned();
        if let Some(resource) = known(&self.known.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(resource);
        }
        let list = self.get(&root(version)).await?;
        let mut map = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for entry in list.get("resources").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let plural = text("name");
            if !plural.contains('/') {
                let namespaced = entry.get("namespaced").and_then(Value::as_bool).unwrap_or(false);
                map.insert((version.to_owned(), text("kind")), Resource { plural, namespaced });
            }
        }
        known(&map).ok_or_else(|| unknown_kind(version, kind))
    }
}

/// As the API server answers for a resource that does not exist.
fn unknown_kind(version: &str, kind: &str) -> Error {
    let mut status =
        kube::core::Status::failure(&format!("the server has no kind {kind} in {version}"), "NotFound");
    status.code = 404;
    Error::Api(Box::new(status))
}

fn root(version: &str) -> String {
    if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") }
}
