//! How connecting and disconnecting a cluster ended, by what was asked for and what came of it.

use std::time::Duration;

use sim_core::clock::span_between;
use sim_core::journal::Event;

use super::done::Action;
use super::end::End;
use super::fact;
use super::requests::Request;

const KIND: &str = "connectedClusters";
/// A release that helm has finished within this time did not run out of time: its clients wait for ten minutes at least.
const NO_TIMEOUT: Duration = Duration::from_secs(9 * 60);

/// A connect, and its end. `events` are those until the next command.
pub(super) fn connected<'a>(
    requests: &[Request<'_>],
    events: impl Iterator<Item = &'a Event>,
) -> (Action, End) {
    let of_cluster = |request: &&Request<'_>| request.is_one_of(KIND);
    let named = requests.iter().rev().find(of_cluster).and_then(cluster);
    let put = requests.iter().rev().find(|request| request.method == "PUT" && request.is_one_of(KIND));
    let location = put.and_then(Request::location);
    let action = Action::Connect { cluster: named, location };
    let Some(put) = put else {
        let refused = requests.last().filter(|last| last.status().is_none_or(|status| status >= 400));
        let (status, code) = refused.map_or((None, None), |last| (last.status(), last.code()));
        return (action, End::Failed { status, code });
    };
    if put.status().is_none_or(|status| status >= 400) {
        return (action, End::Failed { status: put.status(), code: put.code() });
    }
    let events: Vec<&Event> = events.collect();
    match operation(&events, put.path, "/write") {
        Some("Succeeded") => {}
        Some(_) => return (action, End::Failed { status: None, code: None }),
        None => return (action, End::Unclear("the operation had not ended")),
    }
    let heartbeat =
        |event: &&&Event| event.kind == "heartbeat" && fact(event, "cluster").eq_ignore_ascii_case(put.path);
    let install = |event: &&&Event| {
        let path = fact(event, "path");
        event.actor == "kube-api" && path.contains("/azure-arc-release/secrets")
    };
    let begun = events.iter().find(|event| install(event) && event.seq > put.event.seq);
    let finished = events.iter().rev().find(|event| install(event) && fact(event, "method") == "PATCH");
    let in_time = begun.zip(finished).is_some_and(|(begun, finished)| {
        finished.seq > begun.seq && span_between(begun.time, finished.time) < NO_TIMEOUT
    });
    let end = match events.iter().any(|event| heartbeat(&event)) || in_time {
        true => End::Done,
        false => End::Unclear("no agent reported, and helm did not finish in time"),
    };
    (action, end)
}

/// A disconnect, and its end.
pub(super) fn disconnected<'a>(
    requests: &[Request<'_>],
    events: impl Iterator<Item = &'a Event>,
) -> (Action, End) {
    let named = requests.iter().find(|request| request.is_one_of(KIND)).and_then(cluster);
    let action = Action::Disconnect { cluster: named };
    let deleted = requests.iter().rev().find(|request| request.method == "DELETE" && request.is_one_of(KIND));
    let Some(last) = deleted.or(requests.last()) else { return (action, End::Done) };
    if last.status().is_none_or(|status| status >= 400) {
        return (action, End::Failed { status: last.status(), code: last.code() });
    }
    if deleted.is_none() {
        return (action, End::Unclear("the resource was not deleted"));
    }
    let events: Vec<&Event> = events.collect();
    let end = match (last.status(), operation(&events, last.path, "/delete")) {
        (Some(202), None) => End::Unclear("the operation had not ended"),
        (_, Some(state)) if state != "Succeeded" => End::Failed { status: None, code: None },
        _ => End::Done,
    };
    (action, end)
}

/// Name and group.
fn cluster(request: &Request<'_>) -> Option<[String; 2]> {
    Some([request.named(KIND)?.into(), request.named("resourceGroups")?.into()])
}

/// How the last operation on a resource ended.
fn operation<'a>(events: &[&'a Event], path: &str, kind: &str) -> Option<&'a str> {
    let mut ended = events.iter().rev().filter(|event| event.kind == "operation" && event.actor == "arm");
    let of = ended.find(|event| {
        fact(event, "resource").eq_ignore_ascii_case(path) && fact(event, "operation").ends_with(kind)
    });
    of.map(|event| fact(event, "state"))
}
