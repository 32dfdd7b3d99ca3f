//! `az provider register`, and looking until it is done.

use std::time::Duration;

use sim_core::clock::later;

use super::super::super::model::Span;
use super::super::super::step::Register;
use super::super::outcome::Outcome;
use super::Az;

/// The pause between two looks grows from the one to the other (world time): each look is a real command.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// All that is read of a namespace.
const QUERY: &str = "{registrationState: registrationState}";

/// Registers, and looks with `az provider show` ever less often, as a patient user does.
pub(super) async fn perform(az: &Az<'_>, register: &Register) -> Outcome {
    if register.call {
        for namespace in &register.namespaces {
            let called = az.run(&["provider", "register", "--namespace", namespace]).await;
            if called.exit != 0 {
                return called;
            }
        }
    }
    let Some(Span(limit)) = register.within else { return Outcome::done() };
    let clock = &az.theatre.clock;
    let deadline = later(clock.now(), limit);
    let (mut in_row, mut pause) = (0, FIRST);
    loop {
        let mut open = Vec::new();
        for namespace in &register.namespaces {
            let line = ["provider", "show", "--namespace", namespace, "--query", QUERY, "--output", "json"];
            let shown = az.run(&line).await;
            if shown.exit != 0 {
                return shown;
            }
            let state = shown.body["registrationState"].as_str().unwrap_or("unknown");
            if state != "Registered" {
                open.push(format!("{namespace} is {state}"));
            }
        }
        in_row = if open.is_empty() { in_row + 1 } else { 0 };
        if in_row >= register.consecutive.max(1) {
            return Outcome::done();
        }
        if clock.now() >= deadline {
            let what = if open.is_empty() { "the answers disagree".into() } else { open.join(", ") };
            return Outcome::failed(1, format!("after {}: {what}", crate::span::format(limit)));
        }
        let left = sim_core::clock::span_between(clock.now(), deadline);
        clock.foreground_sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST);
    }
}
