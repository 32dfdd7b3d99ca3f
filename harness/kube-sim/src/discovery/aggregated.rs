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
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
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

/// Group and version are left out where they are those of the list.
fn shown_kind(of: &Kind, group: &str, version: &str, name: &str) -> Value {
    if of.builtin && group == of.group && version == of.version {
        return json!({"group": "", "version": "", "kind": name});
    }
    json!({"group": group, "version": version, "kind": name})
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "resource": kind.plural,
        "responseKind": shown_kind(kind, &kind.group, &kind.version, &kind.kind),
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
                "responseKind": shown_kind(kind, &group, &version, &name),
            })
        });
        entry["subresources"] = Value::Array(subs.collect());
    }
    entry
}
