//! From a CustomResourceDefinition to kinds.

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::Value;

use super::kind::{Custom, Kind, ScalePaths, Sub};
use crate::rules::Rules;

/// The served versions of an established definition; none when it is not established.
pub(super) fn kinds(definition: &Value) -> Vec<Kind> {
    if !established(definition) {
        return Vec::new();
    }
    let versions = definition["spec"]["versions"].as_array();
    versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true)
        .filter_map(|version| kind(&definition["spec"], version))
        .collect()
}

/// An established definition's kind in the version that is stored, which need not be served.
pub(crate) fn any_version(definition: &Value) -> Option<Kind> {
    let versions = definition["spec"]["versions"].as_array().filter(|_| established(definition))?;
    let stored = versions.iter().find(|version| version["storage"] == true)?;
    kind(&definition["spec"], stored)
}

/// Group and version of everything that an established definition serves.
pub(crate) fn served_versions(definition: &Value) -> Vec<(String, String)> {
    kinds(definition).into_iter().map(|kind| (kind.group, kind.version)).collect()
}

fn established(definition: &Value) -> bool {
    let conditions = definition["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == "Established" && one["status"] == "True")
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}

fn kind(spec: &Value, version: &Value) -> Option<Kind> {
    let names = &spec["names"];
    let (name, plural) = (names["kind"].as_str()?, names["plural"].as_str()?);
    let group = spec["group"].as_str()?;
    let mut subresources = Vec::new();
    if version["subresources"]["status"].is_object() {
        subresources.push(Sub::Status);
    }
    let scale = scale(&version["subresources"]["scale"]);
    if scale.is_some() {
        subresources.push(Sub::Scale);
    }
    Some(Kind {
        group: group.into(),
        version: version["name"].as_str()?.into(),
        kind: name.into(),
        list_kind: names["listKind"].as_str().map_or_else(|| format!("{name}List"), Into::into),
        plural: plural.into(),
        singular: names["singular"].as_str().map_or_else(|| name.to_lowercase(), Into::into),
        short_names: strings(&names["shortNames"]),
        categories: strings(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        stored: true,
        generation: true,
        subresources,
        builtin: false,
        custom: Some(Arc::new(custom(spec, version, scale))),
        table: format!("{group}/{plural}"),
    })
}

fn custom(spec: &Value, version: &Value, scale: Option<ScalePaths>) -> Custom {
    let deprecated = version["deprecated"] == true;
    let stated = version["deprecationWarning"].as_str().map(ToOwned::to_owned);
    let usual = || deprecation(spec, version["name"].as_str().unwrap_or_default());
    let fields = version["selectableFields"].as_array().into_iter().flatten();
    Custom {
        schema: version["schema"].get("openAPIV3Schema").cloned(),
        printer_columns: version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default(),
        scale,
        selectable_fields: fields
            .filter_map(|field| field["jsonPath"].as_str())
            .map(|path| path.trim_start_matches('.').to_owned())
            .collect(),
        warning: deprecated.then(|| stated.unwrap_or_else(usual)),
        rules: Rules::default(),
    }
}

/// What is said of a deprecated version, with the newest served version that is not, if there is a newer one.
fn deprecation(spec: &Value, version: &str) -> String {
    let (group, kind) =
        (spec["group"].as_str().unwrap_or_default(), spec["names"]["kind"].as_str().unwrap_or_default());
    let all = spec["versions"].as_array().into_iter().flatten();
    let current = all.filter(|one| one["served"] == true && one["deprecated"] != true);
    let newest = current.filter_map(|one| one["name"].as_str()).max_by_key(|name| version_rank(name));
    let newer = newest.filter(|newest| version_rank(newest) > version_rank(version));
    let instead = newer.map(|newer| format!("; use {group}/{newer} {kind}")).unwrap_or_default();
    format!("{group}/{version} {kind} is deprecated{instead}")
}

fn scale(scale: &Value) -> Option<ScalePaths> {
    Some(ScalePaths {
        spec: scale["specReplicasPath"].as_str()?.into(),
        status: scale["statusReplicasPath"].as_str()?.into(),
        selector: scale["labelSelectorPath"].as_str().map(Into::into),
    })
}

/// Orders versions as Kubernetes does: `v2` before `v1` before `v1beta2` before `v1alpha1` before anything else.
pub(super) fn version_rank(version: &str) -> (u8, u64, u64, Reverse<String>) {
    let parsed = || {
        let rest = version.strip_prefix('v')?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let major: u64 = rest.get(..digits)?.parse().ok()?;
        let (stage, minor) = match rest.get(digits..)? {
            "" => (3, ""),
            tail => {
                let beta = tail.strip_prefix("beta").map(|minor| (2, minor));
                beta.or_else(|| tail.strip_prefix("alpha").map(|minor| (1, minor)))?
            }
        };
        let minor = if minor.is_empty() { 0 } else { minor.parse().ok()? };
        Some((stage, major, minor))
    };
    match parsed() {
        Some((stage, major, minor)) => (stage, major, minor, Reverse(String::new())),
        None => (0, 0, 0, Reverse(version.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_kubernetes_does() {
        let mut versions = ["v1alpha1", "foo", "v1", "v10beta3", "v2", "v1beta2", "v10"];
        versions.sort_by_key(|version| Reverse(version_rank(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v10beta3", "v1beta2", "v1alpha1", "foo"]);
    }
}
