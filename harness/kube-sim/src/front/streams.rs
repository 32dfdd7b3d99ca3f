//! Requests that become connections: `pods/exec`, `pods/attach` and `pods/portforward`.

use axum::response::Response;
use futures::StreamExt as _;
use serde_json::Value;

use super::resources::Request;
use super::subresources::{choose_container, containers, pod};
use crate::api::meta;
use crate::kubelet::LogOptions;
use crate::kubelet::live::Backing;
use crate::status::Status;
use crate::streaming::{self, Ask, Connection, Pod, Source};

fn connection<'a>(request: &'a Request<'_>) -> Connection<'a> {
    Connection {
        headers: request.headers,
        upgrade: request.upgrade.clone(),
        clock: request.server.api.clock().clone(),
    }
}

fn stopped(request: &Request<'_>) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = request.server.stop.clone();
    async move { super::stopped(&mut stop).await }
}

fn on_a_node(request: &Request<'_>) -> Result<Value, Status> {
    let pod = pod(request)?;
    if meta::text(&pod, "/spec/nodeName").is_empty() {
        return Err(Status::bad_request(format!("pod {} does not have a host assigned", meta::name(&pod))));
    }
    Ok(pod)
}

/// Runs a command in a container.
pub(super) fn exec(request: &Request<'_>) -> Result<Response, Status> {
    let pod = on_a_node(request)?;
    let container = choose_container(request, &pod)?;
    let live = request.server.live.find(meta::uid(&pod), &container);
    let live =
        live.ok_or_else(|| format!("unable to upgrade connection: container not found (\"{container}\")"));
    if live.as_ref().is_ok_and(|live| live.backing == Backing::Script) {
        return Err(Status::not_modelled(&format!(
            "running commands in container \"{container}\" of pod \"{}\", which is scripted and has no process,",
            meta::name(&pod)
        )));
    }
    let query = request.query;
    let ask = Ask {
        argv: query.all("command").map(ToOwned::to_owned).collect(),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        tty: query.flag("tty"),
    };
    if ask.argv.is_empty() {
        return Err(Status::bad_request("you must specify at least 1 command for the container"));
    }
    if !(ask.stdin || ask.stdout || ask.stderr) {
        return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    streaming::run_command(&connection(request), Source::Command(live), ask, stopped(request))
}

/// Connects a client with what a container writes from now on.
pub(super) fn attach(request: &Request<'_>) -> Result<Response, Status> {
    let pod = on_a_node(request)?;
    let container = choose_container(request, &pod)?;
    let query = request.query;
    if query.flag("stdin") {
        return Err(Status::not_modelled("attaching to the input of containers"));
    }
    let ask = Ask {
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        tty: query.flag("tty"),
        ..Ask::default()
    };
    if !(ask.stdout || ask.stderr) {
        return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    let fresh = LogOptions { follow: true, tail_lines: Some(0), ..LogOptions::default() };
    let runs = request.server.live.find(meta::uid(&pod), &container).is_some();
    let log = runs.then(|| request.server.logs.read(meta::uid(&pod), &container, &fresh).ok()).flatten();
    let source = match log {
        Some(log) => Source::Log(log.boxed()),
        None => Source::Command(Err(format!(
            "unable to upgrade connection: container {container} not found in pod"
        ))),
    };
    streaming::run_command(&connection(request), source, ask, stopped(request))
}

/// Connects a client with ports of a pod.
pub(super) fn port_forward(request: &Request<'_>) -> Result<Response, Status> {
    let pod = on_a_node(request)?;
    let (name, uid) = (meta::name(&pod).to_owned(), meta::uid(&pod).to_owned());
    if meta::text(&pod, "/status/phase") != "Running" {
        let phase = meta::text(&pod, "/status/phase");
        return Err(Status::bad_request(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let live = containers(&pod).into_iter().filter_map(|container| request.server.live.find(&uid, container));
    let live: Vec<_> = live.collect();
    if live.iter().all(|live| live.backing == Backing::Script) {
        return Err(Status::not_modelled(&format!(
            "forwarding ports of pod \"{name}\", whose containers are scripted and listen nowhere,"
        )));
    }
    let pod = Pod { name, uid, containers: live };
    streaming::forward_ports(&connection(request), pod, stopped(request))
}
