//! A scenario made of what just happened in a world, as far as its journal tells it.
//!
//! The journal holds requests and not commands, no bodies and no output. Commands are recognised by what their clients say of
//! them and by what they ask for ([`done`]); where something had to be assumed, or cannot be known, the text says so in a
//! comment. What kubectl did in the cluster is left out: the journal does not tell it from what the agents do.

mod connect;
mod done;
mod end;
mod flow;
mod requests;
mod rules;
mod text;

use jiff::Timestamp;
use sim_core::faults::RuleStatus;
use sim_core::journal::Event;

use super::model::Scenario;

/// What is known of a world.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub world: String,
    /// Its seed.
    pub seed: u64,
    /// The subscription of its clients.
    pub subscription: String,
    /// Its tenant.
    pub tenant: String,
    /// Whether the providers that onboarding needs are registered now.
    pub registered: bool,
    /// Whether a customer's proxy is in it.
    pub proxies: bool,
    /// Its fault rules.
    pub rules: Vec<RuleStatus>,
    /// Its journal, or the end of it.
    pub events: Vec<Event>,
}

/// Why no scenario could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecallError {
    /// No client did anything that is recognised.
    #[error("the journal has no step of a client in it")]
    Nothing,
    /// Everything that is recognised went well.
    #[error("nothing in this journal has failed: {0} steps of clients, and each ended well")]
    NoFailure(usize),
    /// The text is no scenario: a mistake of this program.
    #[error("what was made of the journal is no scenario: {0}")]
    Wrong(String),
}

/// The text of a scenario file. Its first act ends with the last step that failed; what came after it is the remedy.
///
/// # Errors
/// [`RecallError`] when the journal shows no failure of a client.
pub fn recall(source: &Source) -> Result<String, RecallError> {
    let done = done::of(&source.events);
    let clients = done.iter().filter(|one| one.action.is_of_client()).count();
    if clients == 0 {
        return Err(RecallError::Nothing);
    }
    let failed = done.iter().rposition(|one| one.action.is_of_client() && one.end.is_failure());
    let Some(failed) = failed else { return Err(RecallError::NoFailure(clients)) };
    let text = text::of(source, &done, failed);
    Scenario::read("new", &text).map_err(|error| RecallError::Wrong(error.reason))?;
    Ok(text)
}

/// A fact of an event that is a text.
fn fact<'a>(event: &'a Event, name: &str) -> &'a str {
    event.facts.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// When the world began, as far as the journal goes back.
fn begun(events: &[Event]) -> Option<Timestamp> {
    let started = events.iter().find(|event| event.kind == "started").or(events.first());
    started.map(|event| event.time)
}

#[cfg(test)]
mod tests;
