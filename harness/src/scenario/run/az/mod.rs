//! Steps as the real Azure CLI performs them: logged in, in a private home, against this world.
//!
//! A command waits by wall time, so that the world's clock runs while it is at work (60 times as fast) and stands still in between.

mod login;
mod onboarding;
mod registering;
mod rest;
mod said;

use std::ffi::OsStr;
use std::path::PathBuf;

use super::super::step::{Group, Step};
use super::clients::Clients;
use super::outcome::Outcome;
use super::program::arguments;
use super::theatre::Theatre;

/// The Azure CLI in a scenario's world.
struct Az<'a> {
    theatre: &'a Theatre,
    clients: &'a Clients,
    program: PathBuf,
    /// What this step sets over the common environment.
    more: Vec<(&'static str, String)>,
}

impl Az<'_> {
    fn set(&mut self, name: &'static str, value: String) {
        self.more.push((name, value));
    }

    /// Runs one command to its end.
    async fn run<S: AsRef<OsStr>>(&self, line: &[S]) -> Outcome {
        let mut program = self.clients.program(&self.program, arguments(line));
        // The Azure CLI has nothing to look for beside a user's scenario.
        program.folder = self.clients.facts().home();
        match self.clients.run(&program.with(&self.more), &self.theatre.clock).await {
            Ok(ran) => said::outcome(&ran),
            Err(reason) => Outcome::failed(127, reason),
        }
    }
}

/// Performs the step if it is one of those that the Azure CLI performs.
pub(super) async fn perform(theatre: &Theatre, clients: &Clients, step: &Step) -> Option<Outcome> {
    if !step.is_of_az() {
        return None;
    }
    let Some(program) = clients.find("az") else {
        return Some(Outcome::failed(127, "'az' was not found on PATH"));
    };
    let more = super::environment::variables(theatre, clients, step.environment.as_ref());
    let mut az = Az { theatre, clients, program, more };
    if let Some(who) = &step.who
        && let Err(refused) = login::sign_in(&mut az, who).await
    {
        return Some(refused);
    }
    Some(match step {
        Step { register: Some(register), .. } => registering::perform(&az, register).await,
        Step { onboard: Some(onboard), .. } => onboarding::connect(&mut az, onboard).await,
        Step { offboard: Some(offboard), .. } => onboarding::delete(&az, offboard).await,
        Step { arm: Some(call), .. } => rest::perform(&az, call).await,
        Step { group: Some(Group { name, delete: true, .. }), .. } => {
            az.run(&["group", "delete", "--name", name, "--yes"]).await
        }
        Step { group: Some(Group { name, location, .. }), .. } => {
            az.run(&["group", "create", "--name", name, "--location", location]).await
        }
        _ => return None,
    })
}
