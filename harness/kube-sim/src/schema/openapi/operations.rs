//! Paths and operations of one kind, in the form of OpenAPI v3.

use serde_json::{Map, Value, json};

use crate::registry::{Kind, Sub};
use crate::schema::place::REF;

/// Media types of patches; the strategic one is for built-in kinds only.
const PATCHES: [&str; 4] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

const DRY_RUN: Parameter = ("dryRun", "string", "`All`: do everything but persist.");
const MANAGER: Parameter =
    ("fieldManager", "string", "Name of whoever makes the change; required for apply.");
const VALIDATION: Parameter =
    ("fieldValidation", "string", "What unknown and duplicate fields do: `Ignore`, `Warn` or `Strict`.");
const FORCE: Parameter = ("force", "boolean", "Take over fields that others own; apply only.");
const PRETTY: Parameter = ("pretty", "string", "`true`: indent the reply.");
const DELETE: [Parameter; 4] = [
    DRY_RUN,
    ("gracePeriodSeconds", "integer", "Seconds until the object is deleted."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "What becomes of dependents: `Orphan`, `Background` or `Foreground`."),
];
const LIST: [Parameter; 10] = [
    ("allowWatchBookmarks", "boolean", "Send bookmarks in a watch."),
    ("continue", "string", "Where the page before ended."),
    ("fieldSelector", "string", "Only objects with these fields."),
    ("labelSelector", "string", "Only objects with these labels."),
    ("limit", "integer", "At most so many objects."),
    ("resourceVersion", "string", "The version to show or to watch from."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant."),
    ("sendInitialEvents", "boolean", "Begin a watch with what is there."),
    ("timeoutSeconds", "integer", "How long a watch lasts."),
    ("watch", "boolean", "Watch instead of listing."),
];

/// Name, type and description of a query parameter.
type Parameter = (&'static str, &'static str, &'static str);

/// Definition names that a kind's operations speak of.
pub(super) struct Names {
    pub(super) object: String,
    pub(super) list: String,
}

/// The document of one kind, path by path.
pub(super) fn paths(kind: &Kind, names: &Names) -> Map<String, Value> {
    let maker = Maker { kind, names };
    let root = format!("/{}", super::path_of(&kind.group, &kind.version));
    let scoped = if kind.namespaced { format!("{root}/namespaces/{{namespace}}") } else { root.clone() };
    let plural = &kind.plural;
    let mut paths = Map::new();
    let collection = format!("{scoped}/{plural}");
    if !kind.stored {
        paths.insert(collection, maker.item(false, &[("post", maker.write("post", &names.object))]));
        return paths;
    }
    if kind.namespaced {
        paths.insert(format!("{root}/{plural}"), maker.unscoped());
    }
    let list = maker.operation("get", "list", &LIST, None, Some(&names.list));
    let delete = maker.operation("delete", "deletecollection", &DELETE, None, Some(STATUS));
    let post = maker.write("post", &names.object);
    paths.insert(collection.clone(), maker.item(false, &[("delete", delete), ("get", list), ("post", post)]));
    let one = format!("{collection}/{{name}}");
    paths.insert(one.clone(), maker.object());
    for sub in &kind.subresources {
        if let Some(item) = maker.subresource(*sub) {
            paths.insert(format!("{one}/{}", sub.name()), item);
        }
    }
    paths
}

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const SCALE: &str = "io.k8s.api.autoscaling.v1.Scale";

struct Maker<'a> {
    kind: &'a Kind,
    names: &'a Names,
}

impl Maker<'_> {
    fn gvk(&self) -> Value {
        json!({"group": self.kind.group, "kind": self.kind.kind, "version": self.kind.version})
    }

    fn item(&self, named: bool, operations: &[(&str, Value)]) -> Value {
        let mut item: Map<String, Value> =
            operations.iter().map(|(method, operation)| ((*method).to_owned(), operation.clone())).collect();
        let mut parameters = Vec::new();
        let path = |name: &str, description: String| {
            json!({"name": name, "in": "path", "required": true, "description": description,
                "schema": {"type": "string", "uniqueItems": true}})
        };
        if named {
            parameters.push(path("name", format!("Name of the {}.", self.kind.kind)));
        }
        if self.kind.namespaced {
            parameters.push(path("namespace", "Namespace of the object.".into()));
        }
        parameters.push(query(&PRETTY));
        item.insert("parameters".into(), Value::Array(parameters));
        Value::Object(item)
    }

    /// The list over all namespaces.
    fn unscoped(&self) -> Value {
        let mut get = self.operation("get", "list", &LIST, None, Some(&self.names.list));
        if let Some(id) = get["operationId"].as_str().map(|id| format!("{id}ForAllNamespaces")) {
            get["operationId"] = json!(id);
        }
        json!({"get": get, "parameters": [query(&PRETTY)]})
    }

    fn object(&self) -> Value {
        let object = &self.names.object;
        self.item(
            true,
            &[
                ("delete", self.operation("delete", "delete", &DELETE, None, Some(STATUS))),
                ("get", self.operation("get", "get", &[], None, Some(object))),
                ("patch", self.patch(object)),
                ("put", self.write("put", object)),
            ],
        )
    }

    fn subresource(&self, sub: Sub) -> Option<Value> {
        let mut item = match sub {
            Sub::Status
            | Sub::Scale
            | Sub::Finalize
            | Sub::Approval
            | Sub::EphemeralContainers
            | Sub::Resize => {
                let object = if sub == Sub::Scale { SCALE } else { &self.names.object };
                let get = self.operation("get", "get", &[], None, Some(object));
                self.item(
                    true,
                    &[("get", get), ("patch", self.patch(object)), ("put", self.write("put", object))],
                )
            }
            Sub::Log => self.item(true, &[("get", self.operation("get", "get", &[], None, None))]),
            Sub::Binding => self.item(true, &[("post", self.write("post", "io.k8s.api.core.v1.Binding"))]),
            Sub::Eviction => {
                self.item(true, &[("post", self.write("post", "io.k8s.api.policy.v1.Eviction"))])
            }
            Sub::Token => {
                let object = "io.k8s.api.authentication.v1.TokenRequest";
                self.item(true, &[("post", self.write("post", object))])
            }
            _ => return None,
        };
        for method in ["get", "patch", "post", "put"] {
            let Some(operation) = item.get_mut(method) else { continue };
            if let Some(id) =
                operation["operationId"].as_str().map(|id| format!("{id}{}", pascal(sub.name())))
            {
                operation["operationId"] = json!(id);
            }
            let (group, kind, version) = match sub {
                Sub::Scale => ("autoscaling", "Scale", "v1"),
                Sub::Eviction => ("policy", "Eviction", "v1"),
                Sub::Token => ("authentication.k8s.io", "TokenRequest", "v1"),
                Sub::Binding => ("", "Binding", "v1"),
                _ => continue,
            };
            operation[GVK] = json!({"group": group, "kind": kind, "version": version});
        }
        Some(item)
    }

    fn write(&self, method: &str, body: &str) -> Value {
        let content = json!({"*/*": {"schema": reference(body)}});
        self.operation(method, method, &[DRY_RUN, MANAGER, VALIDATION], Some(content), Some(body))
    }

    fn patch(&self, object: &str) -> Value {
        let any = json!({"schema": {"type": "object", "description": "A patch."}});
        let accepted = PATCHES.iter().filter(|kind| self.kind.builtin || !kind.contains("strategic"));
        let content: Map<String, Value> = accepted.map(|kind| ((*kind).to_owned(), any.clone())).collect();
        let parameters = [DRY_RUN, MANAGER, VALIDATION, FORCE];
        self.operation("patch", "patch", &parameters, Some(Value::Object(content)), Some(object))
    }

    fn operation(
        &self,
        method: &str,
        action: &str,
        parameters: &[Parameter],
        content: Option<Value>,
        reply: Option<&str>,
    ) -> Value {
        let kind = self.kind;
        let verb = match (action, method) {
            ("get", _) => "read",
            ("list", _) => "list",
            ("post", _) => "create",
            ("put", _) => "replace",
            ("patch", _) => "patch",
            ("deletecollection", _) => "deleteCollection",
            _ => "delete",
        };
        let group = kind.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        let scope = if kind.namespaced { "Namespaced" } else { "" };
        let mut operation = json!({
            "description": format!("{verb} {}", kind.kind),
            "operationId": format!("{verb}{}{}{scope}{}", pascal(group), pascal(&kind.version), kind.kind),
            "tags": [format!("{group}_{}", kind.version)],
            "x-kubernetes-action": action,
        });
        if !parameters.is_empty() {
            operation["parameters"] = parameters.iter().map(query).collect();
        }
        if let Some(content) = content {
            operation["requestBody"] = json!({"content": content, "required": true});
        }
        let ok = match reply {
            Some(name) => {
                json!({"description": "OK", "content": {"application/json": {"schema": reference(name)}}})
            }
            None => json!({"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}),
        };
        operation["responses"] = json!({"200": ok, "401": {"description": "Unauthorized"}});
        operation[GVK] = self.gvk();
        operation
    }
}

const GVK: &str = "x-kubernetes-group-version-kind";

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REF}{name}")})
}

fn query((name, kind, description): &Parameter) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": {"type": kind, "uniqueItems": true}})
}

fn pascal(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
