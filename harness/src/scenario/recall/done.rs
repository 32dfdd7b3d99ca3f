//! What was done in a world, in its order: commands and requests of clients, rules that came and went.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;
use sim_core::journal::Event;

use super::connect;
use super::end::End;
use super::fact;
use super::requests::Request;
use super::rules::{Rules, Struck};

/// Something that was done.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// The position of its first event.
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    /// Who says that it was this: a command's own name, or nothing for mere requests.
    pub(super) command: String,
    pub(super) action: Action,
    pub(super) end: End,
}

/// What it was.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    Register { namespace: String, waits: bool },
    Group { name: String, location: Option<String>, delete: bool },
    Connect { cluster: Option<[String; 2]>, location: Option<String> },
    Disconnect { cluster: Option<[String; 2]> },
    Call { method: String, path: String, version: String, waits: bool, body: Body },
    Fault { id: String, rule: Value, fired: u64 },
    Clear { id: String },
    Provider(Value),
    Advance { seconds: u64 },
}

/// Whether a request can be repeated, as the journal has no bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// It needs none.
    None,
    /// It was refused before anybody read it.
    Unread,
    /// Nobody knows it.
    Unknown,
}

impl Action {
    pub(super) fn is_of_client(&self) -> bool {
        match self {
            Self::Call { body, .. } => *body != Body::Unknown,
            Self::Register { .. } | Self::Group { .. } | Self::Connect { .. } | Self::Disconnect { .. } => {
                true
            }
            Self::Fault { .. } | Self::Clear { .. } | Self::Provider(_) | Self::Advance { .. } => false,
        }
    }
}

/// Everything that was done.
pub(super) fn of(events: &[Event]) -> Vec<Done> {
    let struck = Struck::of(events);
    let mut done = Rules::of(events);
    done.extend(events.iter().filter_map(control));
    let (mut commands, mut alone) = (Vec::<Vec<Request<'_>>>::new(), Vec::new());
    let mut runs: HashMap<(&str, &str), usize> = HashMap::new();
    for request in events.iter().filter_map(Request::of) {
        match request.command() {
            Some(run) => {
                let at = *runs.entry(run).or_insert_with(|| {
                    commands.push(Vec::new());
                    commands.len() - 1
                });
                commands[at].push(request);
            }
            None => alone.push(request),
        }
    }
    let starts: Vec<u64> = commands.iter().filter_map(|one| Some(one.first()?.event.seq)).collect();
    for (number, requests) in commands.iter().enumerate() {
        let until = starts.get(number + 1).copied().unwrap_or(u64::MAX);
        done.extend(of_command(requests, events, until, &struck));
    }
    done.extend(of_requests(&alone, "", &struck));
    done.sort_by_key(|one| one.seq);
    done
}

/// A command's requests. `until` is where the next command begins.
fn of_command(requests: &[Request<'_>], events: &[Event], until: u64, struck: &Struck<'_>) -> Vec<Done> {
    let Some((first, (command, _))) = requests.first().and_then(|one| Some((one.event, one.command()?)))
    else {
        return Vec::new();
    };
    let range = |event: &&Event| event.seq >= first.seq && event.seq < until;
    let (action, end) = match command {
        "connectedk8s connect" => connect::connected(requests, events.iter().filter(range)),
        "connectedk8s delete" => connect::disconnected(requests, events.iter().filter(range)),
        _ => return of_requests(requests, command, struck),
    };
    vec![Done { seq: first.seq, at: first.time, command: command.into(), action, end }]
}

/// Requests one by one. Polls belong to the write before them, and what is tried again or looked at again is one thing.
fn of_requests(requests: &[Request<'_>], command: &str, struck: &Struck<'_>) -> Vec<Done> {
    let mut done: Vec<Done> = Vec::new();
    let mut last: Option<Request<'_>> = None;
    for request in requests {
        let before = last.replace(*request);
        if let Some(one) = done.last_mut() {
            let watches = match &one.action {
                Action::Register { namespace, .. } => {
                    request.method == "GET"
                        && request.is_one_of("providers")
                        && request.named("providers").is_some_and(|name| name.eq_ignore_ascii_case(namespace))
                }
                _ => !request.is_write() && request.is_poll(),
            };
            if watches {
                one.action.follow();
                last = before;
                continue;
            }
        }
        let again = before.is_some_and(|before| {
            before.method == request.method
                && before.path == request.path
                && (!request.is_write() || before.is_tried_again())
        });
        if again {
            done.pop();
        }
        let (action, end) = (action(request, struck), ended(request));
        let (seq, at) = (request.event.seq, request.event.time);
        done.push(Done { seq, at, command: command.into(), action, end });
    }
    done
}

impl Action {
    /// The client went on looking how it ends.
    fn follow(&mut self) {
        if let Self::Register { waits, .. } | Self::Call { waits, .. } = self {
            *waits = true;
        }
    }
}

fn action(request: &Request<'_>, struck: &Struck<'_>) -> Action {
    if let Some(namespace) = request.registers() {
        return Action::Register { namespace: namespace.into(), waits: false };
    }
    let group = request.named("resourceGroups").filter(|_| request.is_one_of("resourceGroups"));
    if let Some(name) = group
        && (request.method == "PUT" || request.method == "DELETE")
    {
        let (delete, location) = (request.method == "DELETE", request.location());
        return Action::Group { name: name.into(), location, delete };
    }
    let body = match request.method {
        "PUT" | "PATCH" if struck.at(request) => Body::Unread,
        "PUT" | "PATCH" => Body::Unknown,
        _ => Body::None,
    };
    Action::Call {
        method: request.method.into(),
        path: request.path.into(),
        version: fact(request.event, "apiVersion").into(),
        waits: false,
        body,
    }
}

fn ended(request: &Request<'_>) -> End {
    match request.status() {
        Some(status) if status < 400 => End::Done,
        status => End::Failed { status, code: request.code() },
    }
}

/// What was done by the control interface, rules apart.
fn control(event: &Event) -> Option<Done> {
    let action = match event.kind.as_str() {
        "provider" => Action::Provider(Value::Object(event.facts.clone())),
        "advance" => {
            let seconds = event.facts.get("seconds")?.as_f64()?.round();
            // A command on an instant clock pushes it by a second at a time.
            let whole = (seconds >= 60.0).then(|| format!("{seconds}").parse::<u64>().ok()).flatten()?;
            Action::Advance { seconds: whole }
        }
        _ => return None,
    };
    let (seq, at) = (event.seq, event.time);
    (event.actor == "control").then(|| Done { seq, at, command: String::new(), action, end: End::Done })
}
