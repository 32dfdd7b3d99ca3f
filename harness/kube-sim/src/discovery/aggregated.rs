//! Aggregated discovery: everything in two answers (`apidiscovery.k8s.io`).

use serde_json::{Value, json};

use super::{group_versions, response_kind, sub_verbs};
use crate::registry::{Kind, Registry};

/// `/api` (the core group) or `/apis` in the aggregated form of `version`.
#[must_use]
pub fn aggregated(registry: &Registry, core: bool, version: &str) -> Value {
    let groups = if core { vec![(String::new(), vec!["v1".to_owned()])] } else { group_versions(registry) };
    let kinds = registry.all();
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let metadata = if group.is_empty() {
                json!({"creationTimestamp": null})
            } else {
                json!({"name": group, "creationTimestamp": null})
            };
            let of = |version: &String| {
                let own = kinds.iter().filter(|kind| kind.group == *group && kind.version == *version);
                let resources: Vec<Value> = own.map(|kind| resource(kind)).collect();
                json!({"version": version, "resources": resources, "freshness": "Current"})
            };
            json!({"metadata": metadata, "versions": versions.iter().map(of).collect::<Vec<_>>()})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items,
    })
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular, "verbs": kind.verbs(),
    });
    if !kind.short_names.is_empty() {
        entry["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        entry["categories"] = json!(kind.categories);
    }
    if !kind.subresources.is_empty() {
        let subs = kind.subresources.iter().map(|sub| {
            let (group, version, name) = response_kind(kind, *sub);
            json!({
                "subresource": sub.name(), "verbs": sub_verbs(*sub),
                "responseKind": {"group": group, "version": version, "kind": name},
            })
        });
        entry["subresources"] = Value::Array(subs.collect());
    }
    entry
}
