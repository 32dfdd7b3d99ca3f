//! Objects and lists in the form that was negotiated.

use serde_json::{Value, json};

use super::negotiate::Form;
use crate::api::{Api, Listed};
use crate::registry::Kind;
use crate::tables::{self, IncludeObject};

fn metadata_of(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// A table of objects.
pub(crate) fn table(api: &Api, kind: &Kind, items: &[Value], list: Value, include: IncludeObject) -> Value {
    let columns = kind.custom.as_ref().map(|custom| custom.printer_columns.as_slice());
    let asked = tables::TableKind { group: &kind.group, kind: &kind.kind, printer_columns: columns };
    tables::table(&asked, items, &list, api.now(), include)
}

/// One object.
pub(crate) fn one(api: &Api, kind: &Kind, object: Value, form: Form, include: IncludeObject) -> Value {
    match form {
        // Answers to deletions may be a Status, which has no table.
        _ if object["kind"] == "Status" && object["apiVersion"] == "v1" => object,
        Form::Plain => object,
        Form::Metadata => metadata_of(&object),
        Form::Table => {
            let list = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table(api, kind, &[object], list, include)
        }
    }
}

/// A list of objects.
pub(crate) fn list(api: &Api, kind: &Kind, listed: Listed, form: Form, include: IncludeObject) -> Value {
    let mut meta = json!({"resourceVersion": listed.revision.to_string()});
    if let Some(resume) = listed.resume {
        meta["continue"] = json!(resume);
    }
    if let Some(remaining) = listed.remaining {
        meta["remainingItemCount"] = json!(remaining);
    }
    match form {
        Form::Table => table(api, kind, &listed.items, meta, include),
        Form::Metadata => {
            let items: Vec<Value> = listed.items.iter().map(metadata_of).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items})
        }
        Form::Plain => json!({
            "kind": kind.list_kind, "apiVersion": kind.api_version(), "metadata": meta,
            "items": Value::Array(items(kind, listed.items)),
        }),
    }
}

/// The items of a list of a built-in kind leave out what the list says of them all.
fn items(kind: &Kind, mut items: Vec<Value>) -> Vec<Value> {
    if kind.builtin {
        for map in items.iter_mut().filter_map(Value::as_object_mut) {
            map.shift_remove("kind");
            map.shift_remove("apiVersion");
        }
    }
    items
}
