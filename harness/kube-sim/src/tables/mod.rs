//! Tables (`meta.k8s.io/v1 Table`): what `kubectl get` shows. Columns and cell texts are those of the printers of a real
//! v1.34 API server; descriptions of the columns of built-in kinds are left empty.

mod age;
mod cluster;
mod columns;
mod custom;
mod jsonpath;
mod network;
mod pods;
mod rbac;
mod storage;
mod texts;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use age::human_duration;

use age::since;

/// How much of each object a row carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata, as `PartialObjectMetadata`.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl IncludeObject {
    /// From the query parameter `includeObject`; empty means [`IncludeObject::Metadata`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "None" => Some(Self::None),
            "" | "Metadata" => Some(Self::Metadata),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// What decides the columns.
#[derive(Debug, Clone, Copy)]
pub struct TableKind<'a> {
    /// API group; empty for the core group.
    pub group: &'a str,
    /// `Pod`.
    pub kind: &'a str,
    /// `additionalPrinterColumns` of a custom kind; `None` for built-in kinds.
    pub printer_columns: Option<&'a [Value]>,
}

/// Cells of one row.
type Cells = Vec<Value>;
/// From an object to its cells at a time.
type Print = fn(&Value, Timestamp) -> Cells;

/// Who fills the rows of one table.
enum Printer {
    Builtin(Print),
    Custom(custom::Columns),
}

/// The table of `objects`, with ages as of `now`. `list_meta` is the list's metadata (`resourceVersion`, `continue`, …).
#[must_use]
pub fn table(
    kind: &TableKind<'_>,
    objects: &[Value],
    list_meta: &Value,
    now: Timestamp,
    include: IncludeObject,
) -> Value {
    let (definitions, printer) = match kind.printer_columns {
        Some(stated) => {
            let columns = custom::Columns::new(stated);
            (columns.definitions(), Printer::Custom(columns))
        }
        None => {
            let (spec, print) = layout(kind.group, kind.kind);
            (columns::definitions(spec), Printer::Builtin(print))
        }
    };
    let cells = |object: &Value| match &printer {
        Printer::Builtin(print) => print(object, now),
        Printer::Custom(columns) => columns.cells(object, now),
    };
    let rows: Vec<Value> = objects.iter().map(|object| row(kind, object, cells(object), include)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list_meta,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn row(kind: &TableKind<'_>, object: &Value, cells: Cells, include: IncludeObject) -> Value {
    let mut row = json!({"cells": cells});
    if kind.group.is_empty() && kind.kind == "Pod" {
        let phase = object["status"]["phase"].as_str();
        let message = match phase {
            Some("Succeeded") => Some("The pod has completed successfully."),
            Some("Failed") => Some("The pod failed."),
            _ => None,
        };
        if let Some(message) = message {
            row["conditions"] =
                json!([{"type": "Completed", "status": "True", "reason": phase, "message": message}]);
        }
    }
    row["object"] = match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Object => object.clone(),
        IncludeObject::Metadata => json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
        }),
    };
    row
}

/// Columns and printer of a built-in kind. A column is a name; `*` marks those of `-o wide`, `#` integers, `?` booleans,
/// `@` names and `%` dates.
fn layout(group: &str, kind: &str) -> (&'static str, Print) {
    match (group, kind) {
        ("", "Pod") => (pods::COLUMNS, pods::pod),
        ("" | "apps" | "batch", _) if workloads::layout(kind).is_some() => {
            workloads::layout(kind).unwrap_or((columns::DEFAULT, plain))
        }
        ("" | "discovery.k8s.io" | "networking.k8s.io", _) if network::layout(kind).is_some() => {
            network::layout(kind).unwrap_or((columns::DEFAULT, plain))
        }
        ("" | "storage.k8s.io", _) if storage::layout(kind).is_some() => {
            storage::layout(kind).unwrap_or((columns::DEFAULT, plain))
        }
        ("rbac.authorization.k8s.io" | "certificates.k8s.io", _) => {
            rbac::layout(kind).unwrap_or((columns::DEFAULT, plain))
        }
        _ => cluster::layout(group, kind).unwrap_or((columns::DEFAULT, plain)),
    }
}

/// Kinds without a printer: name and time of creation.
fn plain(object: &Value, _now: Timestamp) -> Cells {
    let created = object["metadata"]["creationTimestamp"].as_str().unwrap_or("0001-01-01T00:00:00Z");
    vec![name(object), json!(created)]
}

fn name(object: &Value) -> Value {
    json!(object["metadata"]["name"].as_str().unwrap_or_default())
}

/// How long ago an object was made.
fn age(object: &Value, now: Timestamp) -> Value {
    json!(since(&object["metadata"]["creationTimestamp"], now))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    }
}

/// A text; `otherwise` when it is missing or empty.
fn text<'a>(value: &'a Value, otherwise: &'a str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(otherwise)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
