//! Rules that can be read and will probably never fire, because they name something that there is not.
//!
//! A doubt is a warning and no refusal: a profile can add names, a client may ask for what is not modelled, and somebody may
//! want a rule for what comes later. What only the user can know (names of groups, clusters, pods, callers) is not judged.

mod hosts;
mod routes;

use sim_core::faults::{Hook, Rule, text_matches};

use self::routes::Routes;
use super::nearest::nearest;
use crate::surfaces::Surface;

/// Methods that requests have.
const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"];
/// What the gateway and the proxies of a world decide about a connection.
const DECISIONS: [&str; 5] = ["routed", "allowed", "unrouted", "forward", "intercepted"];
/// Who stands on the way in a world.
const HOPS: [&str; 3] = ["gateway", "workstation-proxy", "cluster-proxy"];
/// What the kubelet asks about.
const ACTIONS: [&str; 2] = ["start", "heartbeat"];
/// What is not known of a node's heartbeat.
const OF_PODS: [&str; 4] = ["namespace", "pod", "container", "image"];

/// Why a rule will probably never fire in any world, in whole sentences with the nearest names; empty when nothing speaks
/// against it.
#[must_use]
pub fn doubts(rule: &Rule) -> Vec<String> {
    let fact = |name: &str| rule.matcher.facts.get(name).map(String::as_str);
    let mut doubts = Vec::new();
    let mut word = |name: &str, known: &[&str]| {
        doubts.extend(fact(name).and_then(|text| unknown(name, text, known)));
    };
    match rule.hook {
        Hook::Wire => {
            word("method", &[&["CONNECT"], &METHODS[..]].concat());
            word("route", &DECISIONS);
            word("hop", &HOPS);
            doubts.extend(fact("host").and_then(|text| hosts::doubt(text, true)));
        }
        Hook::Before | Hook::After => {
            word("method", &METHODS);
            word("surface", &Surface::ALL.map(Surface::name));
            doubts.extend(fact("host").and_then(|text| hosts::doubt(text, false)));
            doubts.extend(fact("status").and_then(status));
            let routes = Routes::default();
            doubts.extend(fact("route").and_then(|text| routes.unknown_route(text)));
            doubts.extend(fact("path").and_then(|text| routes.unknown_path(text)));
            if doubts.is_empty()
                && let Some(method) = fact("method")
            {
                doubts.extend(routes.foreign_method(method, fact("route"), fact("path")));
            }
        }
        Hook::Settle => {
            let routes = Routes::default();
            doubts.extend(fact("operation").and_then(|text| routes.unknown_operation(text)));
            doubts.extend(fact("resource").and_then(|text| routes.unknown_path(text)));
        }
        Hook::Kubelet => {
            word("action", &ACTIONS);
            let heartbeat = fact("action").is_some_and(|text| text.eq_ignore_ascii_case("heartbeat"));
            if let Some(name) = OF_PODS.into_iter().find(|name| heartbeat && fact(name).is_some()) {
                doubts.push(format!(
                    "a node's heartbeat has no '{name}': name the 'node', or use action start"
                ));
            }
        }
    }
    doubts
}

/// A doubt about a fact that has few values.
fn unknown(name: &str, text: &str, known: &[&str]) -> Option<String> {
    if known.iter().any(|value| text_matches(text, value)) {
        return None;
    }
    let meant = match nearest(text.trim_matches('*'), known.iter().copied()) {
        Some(nearest) => format!("did you mean '{nearest}'? "),
        None => String::new(),
    };
    Some(format!("nothing has the {name} '{text}': {meant}it is one of {}", known.join(", ")))
}

fn status(text: &str) -> Option<String> {
    let possible = (100..=599).any(|status: u16| text_matches(text, &status.to_string()));
    (!possible).then(|| format!("no reply has the status '{text}': it has three digits"))
}

#[cfg(test)]
mod tests;
