//! The `scale` subresource: one small object in front of any kind that can be scaled.

use serde_json::{Value, json};

use super::{LabelSelector, meta};
use crate::registry::{Kind, ScalePaths};
use crate::status::{Cause, Status};

fn paths(kind: &Kind) -> ScalePaths {
    let custom = kind.custom.as_ref().and_then(|custom| custom.scale.clone());
    custom.unwrap_or_else(|| ScalePaths {
        spec: ".spec.replicas".into(),
        status: ".status.replicas".into(),
        selector: None,
    })
}

fn pointer(path: &str) -> String {
    path.replace('.', "/")
}

/// The `autoscaling/v1 Scale` of an object.
pub(super) fn of(kind: &Kind, object: &Value) -> Result<Value, Status> {
    let paths = paths(kind);
    let count = |path: &str| object.pointer(&pointer(path)).and_then(Value::as_i64).unwrap_or(0);
    let copied = |field: &str| object["metadata"][field].clone();
    let mut metadata = json!({"name": copied("name")});
    for field in ["namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if !copied(field).is_null() {
            metadata[field] = copied(field);
        }
    }
    let mut status = json!({"replicas": count(&paths.status)});
    let selector = match &paths.selector {
        Some(path) => object.pointer(&pointer(path)).and_then(Value::as_str).unwrap_or_default().to_owned(),
        None => LabelSelector::of(&selector_of(object)).to_string(),
    };
    if !selector.is_empty() {
        status["selector"] = json!(selector);
    }
    let spec = match count(&paths.spec) {
        0 => json!({}),
        wanted => json!({"replicas": wanted}),
    };
    Ok(json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status,
    }))
}

/// Replication controllers have a plain map of labels as selector.
fn selector_of(object: &Value) -> Value {
    let selector = &object["spec"]["selector"];
    let labelled = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    if labelled { selector.clone() } else { json!({"matchLabels": selector}) }
}

/// The object with the count that `scale` wants.
pub(super) fn with_scale(kind: &Kind, live: &Value, scale: &Value) -> Result<Value, Status> {
    let name = meta::name(live);
    let version = meta::text(scale, "/metadata/resourceVersion");
    if !version.is_empty() && version != meta::text(live, "/metadata/resourceVersion") {
        return Err(Status::outdated(kind, name));
    }
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => 0,
        count => count.as_i64().filter(|count| *count >= 0).ok_or_else(|| {
            let message = format!("Invalid value: {count}: must be greater than or equal to 0");
            Status::invalid(kind, name, &[Cause::new("FieldValueInvalid", "spec.replicas", message)])
        })?,
    };
    let mut object = live.clone();
    let path = paths(kind).spec;
    let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
    if let Some((last, parents)) = steps.split_last() {
        let mut here = &mut object;
        for step in parents {
            here = meta::as_map(here).entry(*step).or_insert(Value::Null);
        }
        meta::as_map(here).insert((*last).to_owned(), replicas.into());
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn a_scale_shows_and_sets_the_count() {
        let kind = Registry::builtin().by_kind("apps", "Deployment").unwrap();
        let live = json!({"metadata": {"name": "a", "resourceVersion": "7"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "a"}}}, "status": {"replicas": 1}});
        let mut scale = of(&kind, &live).unwrap();
        assert_eq!(scale["status"], json!({"replicas": 1, "selector": "app=a"}));
        scale["spec"]["replicas"] = json!(5);
        assert_eq!(with_scale(&kind, &live, &scale).unwrap()["spec"]["replicas"], 5);
        scale["spec"]["replicas"] = json!(-1);
        assert_eq!(with_scale(&kind, &live, &scale).unwrap_err().code, 422);
    }
}
