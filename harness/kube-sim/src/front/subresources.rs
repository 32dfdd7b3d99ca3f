//! Subresources that are actions: log, token, binding, eviction, exec, attach, port forwarding. Proxying is refused
//! by name.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::resources::Request;
use super::{options, render, streams};
use crate::admission;
use crate::api::{DeleteOptions, Sub, meta};
use crate::auth::TokenAsk;
use crate::kubelet::{LogError, LogOptions};
use crate::status::{Cause, Status};

/// Answers a request about such a subresource.
pub(super) async fn answer(request: &Request<'_>, sub: Sub) -> Result<Response, Status> {
    let what = match (request.info.verb.as_str(), sub) {
        ("get", Sub::Log) => return log(request),
        ("create", Sub::Token) => return token(request).await,
        ("create", Sub::Binding) => return bind(request),
        ("create", Sub::Eviction) => return evict(request),
        ("get" | "create", Sub::Exec) => return streams::exec(request),
        ("get" | "create", Sub::Attach) => return streams::attach(request),
        ("get" | "create", Sub::PortForward) => return streams::port_forward(request),
        (_, Sub::Proxy) => "proxying through the API server",
        _ => return Err(Status::method_not_allowed()),
    };
    Err(Status::not_modelled(what))
}

pub(super) fn pod(request: &Request<'_>) -> Result<Value, Status> {
    request.server.api.get(&request.kind, request.info.namespace(), &request.info.name)
}

pub(super) fn containers(pod: &Value) -> Vec<&str> {
    let lists = ["initContainers", "containers", "ephemeralContainers"].into_iter();
    let all = lists.flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    all.map(|container| meta::text(container, "/name")).collect()
}

pub(super) fn choose_container(request: &Request<'_>, pod: &Value) -> Result<String, Status> {
    let name = meta::name(pod);
    let all = containers(pod);
    match request.query.get("container").filter(|container| !container.is_empty()) {
        Some(wanted) if all.contains(&wanted) => Ok(wanted.to_owned()),
        Some(wanted) => Err(Status::bad_request(format!("container {wanted} is not valid for pod {name}"))),
        None => match pod["spec"]["containers"].as_array().map(Vec::as_slice) {
            Some([only]) => Ok(meta::text(only, "/name").to_owned()),
            _ => Err(Status::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                all.join(" ")
            ))),
        },
    }
}

fn log_options(request: &Request<'_>) -> Result<LogOptions, Status> {
    let query = request.query;
    let number = |name: &str| match query.get(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse::<u32>().map(Some).map_err(|_| {
            Status::bad_request(format!("{name}: Invalid value: \"{text}\": must be a whole number"))
        }),
    };
    let since_time = query.get("sinceTime").filter(|text| !text.is_empty()).map(str::parse).transpose();
    let count = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok());
    Ok(LogOptions {
        follow: query.flag("follow"),
        tail_lines: count(number("tailLines")?),
        since_seconds: number("sinceSeconds")?.map(i64::from),
        since_time: since_time.map_err(|_| Status::bad_request("sinceTime must be an RFC 3339 time"))?,
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        limit_bytes: count(number("limitBytes")?),
    })
}

/// Why a container has no log yet, as the kubelet reports it.
fn waiting_reason(pod: &Value, container: &str) -> String {
    let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
    let mut all = lists.flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    let status = all.find(|status| status["name"] == container);
    let reason = status.map(|status| meta::text(status, "/state/waiting/reason")).unwrap_or_default();
    if reason.is_empty() { "ContainerCreating".to_owned() } else { reason.to_owned() }
}

fn log(request: &Request<'_>) -> Result<Response, Status> {
    let pod = pod(request)?;
    let (name, container) = (meta::name(&pod), choose_container(request, &pod)?);
    let options = log_options(request)?;
    if meta::text(&pod, "/spec/nodeName").is_empty() {
        return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let stream = request.server.logs.read(meta::uid(&pod), &container, &options).map_err(|error| {
        Status::bad_request(match error {
            LogError::NoPrevious => {
                format!("previous terminated container \"{container}\" in pod \"{name}\" not found")
            }
            LogError::NotStarted => {
                let reason = waiting_reason(&pod, &container);
                let reason = if reason == "ImagePullBackOff" || reason == "ErrImagePull" {
                    format!("trying and failing to pull image ({reason})")
                } else {
                    reason
                };
                format!("container \"{container}\" in pod \"{name}\" is waiting to start: {reason}")
            }
        })
    })?;
    let mut stop = request.server.stop.clone();
    let stopped = async move { super::stopped(&mut stop).await };
    let body = Body::from_stream(stream.take_until(Box::pin(stopped)).map(Ok::<_, std::convert::Infallible>));
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

async fn token(request: &Request<'_>) -> Result<Response, Status> {
    let mut object = request.object()?;
    let audiences = object["spec"]["audiences"].as_array().into_iter().flatten();
    let audiences: Vec<String> = audiences.filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    let bound = &object["spec"]["boundObjectRef"];
    let pod = match meta::text(bound, "/kind") {
        "" => None,
        "Pod" => Some((meta::text(bound, "/name").to_owned(), meta::text(bound, "/uid").to_owned())),
        other => return Err(unbound(request, bound, other)),
    };
    let seconds = token_lifetime(&object)?;
    let fields = asked_fields(&object["spec"]);
    if let Some((name, _)) = &pod {
        let pods = request.server.api.kind("", "Pod")?;
        request.server.api.get(&pods, request.info.namespace(), name)?;
    }
    let ask = TokenAsk {
        namespace: request.info.namespace.clone(),
        account: request.info.name.clone(),
        audiences,
        lifetime: Some(Duration::from_secs(seconds)),
        pod,
    };
    let (token, expiry) = request.server.tokens.issue(&ask).await?;
    let map = meta::as_map(&mut object);
    map.insert("kind".into(), "TokenRequest".into());
    map.insert("apiVersion".into(), "authentication.k8s.io/v1".into());
    map.insert("status".into(), json!({"token": token, "expirationTimestamp": meta::time(expiry)}));
    let metadata = meta::metadata(&mut object);
    metadata.insert("name".into(), request.info.name.clone().into());
    metadata.insert("namespace".into(), request.info.namespace.clone().into());
    let now = meta::time(request.server.api.now());
    metadata.insert("uid".into(), request.server.api.draw_uid().into());
    metadata.insert("creationTimestamp".into(), now.clone().into());
    if !fields.is_empty() {
        let fields = json!({"f:spec": fields});
        let managed = json!([{
            "manager": request.caller.manager, "operation": "Update", "subresource": "token", "time": now,
            "apiVersion": "authentication.k8s.io/v1", "fieldsType": "FieldsV1", "fieldsV1": fields,
        }]);
        metadata.insert("managedFields".into(), managed);
    }
    Ok(render::json(StatusCode::CREATED, &object, false))
}

/// Why a token is bound to nothing but pods: other things that are there are not modelled.
fn unbound(request: &Request<'_>, bound: &Value, kind: &str) -> Status {
    let api = &request.server.api;
    let version = meta::text(bound, "/apiVersion");
    let known = version == "v1" && ["Secret", "Node"].contains(&kind);
    let Some(found) = api.kind("", kind).ok().filter(|_| known) else {
        let shown = if version.contains('/') { version.to_owned() } else { format!("/{version}") };
        return Status::bad_request(format!("cannot bind token to object of type {shown}, Kind={kind}"));
    };
    let namespace = request.info.namespace().filter(|_| found.namespaced);
    match api.get(&found, namespace, meta::text(bound, "/name")) {
        Err(missing) => missing,
        Ok(_) => Status::not_modelled(&format!("binding a token to a {kind}")),
    }
}

/// The fields of a token request that its sender owns.
fn asked_fields(spec: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    for (field, value) in spec.as_object().into_iter().flatten() {
        let mut below = json!({});
        if let Some(inner) = value.as_object() {
            below["."] = json!({});
            inner.keys().for_each(|name| below[format!("f:{name}")] = json!({}));
        }
        fields.insert(format!("f:{field}"), below);
    }
    fields
}

/// How long a token is to live, in seconds: from ten minutes on.
fn token_lifetime(object: &Value) -> Result<u64, Status> {
    let stated = &object["spec"]["expirationSeconds"];
    let seconds = stated.as_i64().unwrap_or(3600);
    let why = match seconds {
        ..600 => "may not specify a duration less than 10 minutes",
        600..=0x1_0000_0000 => return Ok(seconds.unsigned_abs()),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let message = format!("Invalid value: {seconds}: {why}");
    let cause = Cause::new("FieldValueInvalid", "spec.expirationSeconds", message.clone());
    let details = json!({"group": "authentication.k8s.io", "kind": "TokenRequest", "causes": [cause]});
    let message =
        format!("TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: {message}");
    Err(Status::new(422, "Invalid", message).with_details(details))
}

fn created() -> Response {
    let body =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    render::json(StatusCode::CREATED, &body, false)
}

fn bind(request: &Request<'_>) -> Result<Response, Status> {
    let object = request.object()?;
    let node = meta::text(&object, "/target/name").to_owned();
    if node.is_empty() {
        return Err(Status::new(500, "", "target.name: Required value"));
    }
    request.server.api.bind(&request.caller, request.info.namespace(), &request.info.name, &node)?;
    Ok(created())
}

fn evict(request: &Request<'_>) -> Result<Response, Status> {
    let object = request.object()?;
    let stated = meta::name(&object);
    if !stated.is_empty() && stated != request.info.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let sent = &object["deleteOptions"];
    let options = DeleteOptions {
        dry_run: options::write(request.query, options::Verb::Create)?.dry_run,
        grace: sent["gracePeriodSeconds"].as_i64(),
        ..DeleteOptions::default()
    };
    let (namespace, name) = (request.info.namespace(), request.info.name.as_str());
    admission::evict(&request.server.api, &request.caller, &request.kind, namespace, name, &options)?;
    Ok(created())
}
