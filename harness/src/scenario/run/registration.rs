//! Looking until namespaces are registered, whoever looks.

use std::time::Duration;

use sim_core::clock::{Clock, later, span_between};

use super::super::model::Span;
use super::super::step::Register;
use super::outcome::Outcome;

/// Asks `look` for the state of each namespace until all are registered as often in a row as the step wants, and lets `pause` pass
/// in between, which is told how much is left of the step's time. Without a limit nothing is looked at.
pub(super) async fn watch(
    clock: &Clock,
    register: &Register,
    look: impl AsyncFn(&str) -> Result<String, Outcome>,
    mut pause: impl AsyncFnMut(Duration),
) -> Outcome {
    let Some(Span(limit)) = register.within else { return Outcome::done() };
    let deadline = later(clock.now(), limit);
    let mut in_row = 0;
    loop {
        let mut open = Vec::new();
        for namespace in &register.namespaces {
            match look(namespace).await {
                Ok(state) if state == "Registered" => {}
                Ok(state) => open.push(format!("{namespace} is {state}")),
                Err(outcome) => return outcome,
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
        pause(span_between(clock.now(), deadline)).await;
    }
}
