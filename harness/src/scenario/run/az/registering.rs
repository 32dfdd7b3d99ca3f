//! `az provider register`, and looking until it is done.

use std::time::Duration;

use super::super::super::step::Register;
use super::super::outcome::Outcome;
use super::super::registration;
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
    let look = async |namespace: &str| {
        let line = ["provider", "show", "--namespace", namespace, "--query", QUERY, "--output", "json"];
        let shown = az.run(&line).await;
        if shown.exit != 0 {
            return Err(shown);
        }
        Ok(shown.body["registrationState"].as_str().unwrap_or("unknown").to_owned())
    };
    let clock = &az.theatre.clock;
    let mut pause = FIRST;
    let rest = async |left: Duration| {
        clock.foreground_sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST);
    };
    registration::watch(clock, register, look, rest).await
}
