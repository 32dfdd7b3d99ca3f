//! Whether the journal tells what it should.

use sim_core::journal::Event;

use super::super::expect::JournalCheck;
use super::fields::fits;

/// What is not as it should be among these events.
pub(super) fn unmet(events: &[Event], checks: &[JournalCheck]) -> Vec<String> {
    let wrong = |check: &JournalCheck| {
        let count = events.iter().filter(|event| matches(event, check)).count() as u64;
        let least = check.at_least.unwrap_or(u64::from(check.at_most.is_none()));
        let most = check.at_most.unwrap_or(u64::MAX);
        (!(least..=most).contains(&count)).then(|| {
            let facts: Vec<String> =
                check.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let actor = check.actor.as_deref().unwrap_or("anybody");
            let kind = check.kind.as_deref().unwrap_or("anything");
            format!("the journal has {count} entries '{kind}' of {actor} with {}", facts.join(", "))
        })
    };
    checks.iter().filter_map(wrong).collect()
}

fn matches(event: &Event, check: &JournalCheck) -> bool {
    check.actor.as_ref().is_none_or(|actor| event.actor == *actor)
        && check.kind.as_ref().is_none_or(|kind| event.kind == *kind)
        && check.committed.is_none_or(|committed| event.committed == Some(committed))
        && check.delivered.is_none_or(|delivered| event.delivered == Some(delivered))
        && check.facts.iter().all(|(name, wanted)| fits(wanted, event.facts.get(name)))
}

/// How often the rule of this id fired.
pub(super) fn fired(events: &[Event], id: &str) -> u64 {
    let of = |event: &&Event| {
        event.kind == "fault" && event.facts.get("rule").and_then(|rule| rule.as_str()) == Some(id)
    };
    events.iter().filter(of).count() as u64
}
