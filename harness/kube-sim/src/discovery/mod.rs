//! Discovery documents: which groups, versions and kinds are served, in both forms that clients ask for.

mod aggregated;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::KUBERNETES_VERSION;
use crate::registry::{Kind, Registry, Sub};

pub use aggregated::aggregated;

/// `/version`.
#[must_use]
pub fn version() -> Value {
    let mut parts = KUBERNETES_VERSION.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    json!({
        "major": major, "minor": minor,
        "emulationMajor": major, "emulationMinor": minor,
        "minCompatibilityMajor": major, "minCompatibilityMinor": "33",
        "gitVersion": KUBERNETES_VERSION, "gitCommit": "kube-sim", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none (kube-sim)", "compiler": "rustc",
        "platform": "linux/amd64",
    })
}

/// `/api`.
#[must_use]
pub fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// Groups but the core one, with their versions, by preference.
pub(crate) fn group_versions(registry: &Registry) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for kind in registry.all().iter().filter(|kind| !kind.group.is_empty()) {
        match groups.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version) => {}
            Some((_, versions)) => versions.push(kind.version.clone()),
            None => groups.push((kind.group.clone(), vec![kind.version.clone()])),
        }
    }
    groups
}

fn group_entry(group: &str, versions: &[String]) -> Value {
    let entry = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let entries: Vec<Value> = versions.iter().map(entry).collect();
    json!({"name": group, "versions": entries, "preferredVersion": entries.first()})
}

/// `/apis`.
#[must_use]
pub fn groups(registry: &Registry) -> Value {
    let groups: Vec<Value> =
        group_versions(registry).iter().map(|(group, versions)| group_entry(group, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/{group}`.
#[must_use]
pub fn group(registry: &Registry, name: &str) -> Option<Value> {
    let groups = group_versions(registry);
    let (group, versions) = groups.iter().find(|(group, _)| group == name)?;
    let mut document = json!({"kind": "APIGroup", "apiVersion": "v1"});
    if let (Some(document), Some(entry)) =
        (document.as_object_mut(), group_entry(group, versions).as_object())
    {
        document.extend(entry.clone());
    }
    Some(document)
}

/// `/api/v1` and `/apis/{group}/{version}`.
#[must_use]
pub fn resources(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let kinds: Vec<_> =
        registry.all().into_iter().filter(|kind| kind.group == group && kind.version == version).collect();
    let api_version = kinds.first()?.api_version();
    let mut resources = Vec::new();
    for kind in &kinds {
        let mut entry = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": kind.verbs(),
        });
        if !kind.short_names.is_empty() {
            entry["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            entry["categories"] = json!(kind.categories);
        }
        if let Some(hash) = storage_hash(kind) {
            entry["storageVersionHash"] = json!(hash);
        }
        resources.push(entry);
        for sub in &kind.subresources {
            let (group, version, name) = response_kind(kind, *sub);
            let mut entry = json!({
                "name": format!("{}/{}", kind.plural, sub.name()), "singularName": "",
                "namespaced": kind.namespaced, "kind": name, "verbs": sub_verbs(*sub),
            });
            if (group.as_str(), version.as_str()) != (kind.group.as_str(), kind.version.as_str()) {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            resources.push(entry);
        }
    }
    let mut document = json!({"kind": "APIResourceList"});
    if !group.is_empty() {
        document["apiVersion"] = json!("v1");
    }
    document["groupVersion"] = json!(api_version);
    document["resources"] = Value::Array(resources);
    Some(document)
}

/// What tells which version a kind is stored in: the first bytes of a hash of its group, version and kind.
fn storage_hash(kind: &Kind) -> Option<String> {
    if !kind.stored || !kind.verbs().contains(&"delete") {
        return None;
    }
    let (group, version) = match (kind.group.as_str(), kind.kind.as_str()) {
        // What has several forms or versions is stored in one of them.
        ("events.k8s.io", "Event") => ("", "v1"),
        ("autoscaling", "HorizontalPodAutoscaler") => ("autoscaling", "v2"),
        ("apiextensions.k8s.io", _) => ("apiextensions.k8s.io", "v1beta1"),
        ("storage.k8s.io", "VolumeAttributesClass") => ("storage.k8s.io", "v1beta1"),
        ("resource.k8s.io", _) => ("resource.k8s.io", "v1beta2"),
        (group, _) => (group, kind.version.as_str()),
    };
    let named = format!("{group}/{version}/{}", kind.kind);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, named.as_bytes());
    Some(STANDARD.encode(digest.as_ref().get(..8)?))
}

/// Group, version and kind of what a subresource shows or takes.
pub(crate) fn response_kind(kind: &Kind, sub: Sub) -> (String, String, String) {
    let own = |name: &str| (kind.group.clone(), kind.version.clone(), name.to_owned());
    let other = |group: &str, name: &str| (group.to_owned(), "v1".to_owned(), name.to_owned());
    match sub {
        Sub::Scale => other("autoscaling", "Scale"),
        Sub::Token => other("authentication.k8s.io", "TokenRequest"),
        Sub::Eviction => other("policy", "Eviction"),
        Sub::Binding => own("Binding"),
        Sub::Exec => own("PodExecOptions"),
        Sub::Attach => own("PodAttachOptions"),
        Sub::PortForward => own("PodPortForwardOptions"),
        Sub::Proxy => own(&format!("{}ProxyOptions", kind.kind)),
        _ => own(&kind.kind),
    }
}

/// Verbs that discovery lists for a subresource; those that are refused by name are listed as the real server does.
pub(crate) fn sub_verbs(sub: Sub) -> &'static [&'static str] {
    match sub {
        Sub::Main => &[],
        Sub::Status | Sub::Scale | Sub::Approval | Sub::EphemeralContainers | Sub::Resize => {
            &["get", "patch", "update"]
        }
        Sub::Finalize => &["update"],
        Sub::Binding | Sub::Eviction | Sub::Token => &["create"],
        Sub::Log => &["get"],
        Sub::Exec | Sub::Attach | Sub::PortForward => &["create", "get"],
        Sub::Proxy => &["create", "delete", "get", "patch", "update"],
    }
}

/// `/`.
#[must_use]
pub fn paths(registry: &Registry) -> Value {
    let mut paths: Vec<String> = ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/"]
        .into_iter()
        .map(ToOwned::to_owned)
        .collect();
    for (group, versions) in group_versions(registry) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    let rest = ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"];
    paths.extend(rest.into_iter().map(ToOwned::to_owned));
    json!({"paths": paths})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_every_kind_once_and_prefer_newer_versions() {
        let registry = Registry::builtin();
        let autoscaling = group(&registry, "autoscaling").unwrap();
        assert_eq!(autoscaling["preferredVersion"]["groupVersion"], "autoscaling/v2");
        let core = resources(&registry, "", "v1").unwrap();
        let names: Vec<_> = core["resources"].as_array().unwrap().iter().map(|r| r["name"].clone()).collect();
        assert!(names.contains(&json!("pods/log")) && names.contains(&json!("serviceaccounts/token")));
        assert!(resources(&registry, "apps", "v2").is_none());
        let document = aggregated(&registry, false, "v2");
        assert_eq!(document["items"].as_array().unwrap().len(), group_versions(&registry).len());
    }
}
