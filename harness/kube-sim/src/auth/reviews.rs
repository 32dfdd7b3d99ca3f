//! The kinds that are questions: access reviews, token reviews, "who am I".

use serde_json::{Value, json};

use super::rbac::{Attributes, reason, rules_for};
use super::tokens::TokenService;
use crate::api::{Api, Caller, meta};
use crate::registry::Kind;
use crate::status::{Cause, Status};

/// Answers a question: the object as it was sent, with its `status`.
///
/// # Errors
/// 400 for a question without what it is about, 404 for a kind that is no question.
pub async fn review(
    api: &Api,
    tokens: &TokenService,
    caller: &Caller,
    kind: &Kind,
    namespace: Option<&str>,
    mut object: Value,
) -> Result<Value, Status> {
    api.decode_question(caller, kind, &mut object)?;
    let spec = object.get("spec").cloned().unwrap_or_default();
    let status = match kind.kind.as_str() {
        "SelfSubjectAccessReview" => access(api, caller, &spec, None)?,
        "SubjectAccessReview" => access(api, &subject(&spec)?, &spec, None)?,
        "LocalSubjectAccessReview" => access(api, &subject(&spec)?, &spec, namespace)?,
        "SelfSubjectRulesReview" => rules(api, caller, &spec),
        "SelfSubjectReview" => json!({"userInfo": user_info(caller)}),
        "TokenReview" => token(tokens, &spec).await,
        other => return Err(Status::not_modelled(&format!("creating a {other}"))),
    };
    let map = meta::as_map(&mut object);
    map.entry("kind").or_insert_with(|| kind.kind.clone().into());
    map.entry("apiVersion").or_insert_with(|| kind.api_version().into());
    let metadata = meta::as_map(map.entry("metadata").or_insert_with(|| json!({})));
    if kind.kind == "SelfSubjectReview" {
        metadata.insert("creationTimestamp".into(), meta::time(api.now()).into());
        metadata.shift_remove("managedFields");
    }
    map.insert("status".into(), status);
    Ok(object)
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn subject(spec: &Value) -> Result<Caller, Status> {
    let (user, groups) = (meta::text(spec, "/user").to_owned(), strings(&spec["groups"]));
    if user.is_empty() && groups.is_empty() {
        let why = "Invalid value: \"\": at least one of user or group must be specified";
        return Err(invalid("spec.user", why));
    }
    Ok(Caller { user, groups, uid: meta::text(spec, "/uid").to_owned(), ..Caller::default() })
}

/// 422 about a question; the real server does not say of which kind.
fn invalid(field: &str, why: &str) -> Status {
    let cause = Cause::new("FieldValueInvalid", field, why);
    Status::new(422, "Invalid", format!(".authorization.k8s.io \"\" is invalid: {field}: {why}"))
        .with_details(json!({"group": "authorization.k8s.io", "causes": [cause]}))
}

fn user_info(caller: &Caller) -> Value {
    let mut info = json!({"username": caller.user, "groups": caller.groups});
    if !caller.uid.is_empty() {
        info["uid"] = json!(caller.uid);
    }
    if !caller.extra.is_empty() {
        info["extra"] = json!(caller.extra);
    }
    info
}

fn access(api: &Api, caller: &Caller, spec: &Value, namespace: Option<&str>) -> Result<Value, Status> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let wanted = if resource.is_object() {
        let stated = meta::text(resource, "/namespace");
        if namespace.is_some_and(|namespace| namespace != stated) {
            return Err(Status::bad_request(
                "spec.resourceAttributes.namespace must match metadata.namespace",
            ));
        }
        Attributes {
            verb: meta::text(resource, "/verb"),
            group: meta::text(resource, "/group"),
            resource: meta::text(resource, "/resource"),
            subresource: meta::text(resource, "/subresource"),
            name: meta::text(resource, "/name"),
            namespace: stated,
            path: None,
        }
    } else if path.is_object() {
        let (verb, path) = (meta::text(path, "/verb"), meta::text(path, "/path"));
        Attributes { verb, path: Some(path), ..Attributes::default() }
    } else {
        let why = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
        return Err(invalid("spec.resourceAttributes", why));
    };
    let reason = reason(api, caller, &wanted);
    let mut status = json!({"allowed": reason.is_some()});
    if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
        status["reason"] = json!(reason);
    }
    Ok(status)
}

fn rules(api: &Api, caller: &Caller, spec: &Value) -> Value {
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for mut rule in rules_for(api, caller, meta::text(spec, "/namespace")) {
        let is_path = rule.get("nonResourceURLs").is_some();
        if let Some(map) = rule.as_object_mut().filter(|_| is_path) {
            map.retain(|field, _| field == "verbs" || field == "nonResourceURLs");
        }
        if is_path { paths.push(rule) } else { resources.push(rule) }
    }
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}

async fn token(tokens: &TokenService, spec: &Value) -> Value {
    let audiences = strings(&spec["audiences"]);
    match tokens.verify(meta::text(spec, "/token"), &audiences).await {
        Some((caller, audiences)) => {
            json!({"authenticated": true, "user": user_info(&caller), "audiences": audiences})
        }
        None => json!({"user": {}, "error": "invalid bearer token"}),
    }
}
