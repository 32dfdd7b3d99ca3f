//! The journal in an order that does not depend on who was faster within one moment of the world's time.
//!
//! Two runs of a scenario with the same seed have the same canonical journal, byte for byte. Positions and counts of the
//! journal are left out, as they follow the order of arrival, and so do drawn correlation ids, which are numbered here by
//! their first appearance; what happened, when, by whom and with which facts stays.

use std::collections::HashMap;

use serde_json::json;
use sim_core::journal::Event;

/// One line of JSON for each event, in the order of time, actor, kind and facts.
#[must_use]
pub fn text(events: &[Event]) -> String {
    let mut lines: Vec<(jiff::Timestamp, String, &str)> = events
        .iter()
        .map(|event| {
            let line = json!({
                "time": event.time,
                "actor": event.actor,
                "kind": event.kind,
                "committed": event.committed,
                "delivered": event.delivered,
                "facts": event.facts,
            });
            (event.time, line.to_string(), event.correlation.as_deref().unwrap_or_default())
        })
        .collect();
    lines.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut text = String::new();
    for (_, line, correlation) in lines {
        let next = known.len() + 1;
        if correlation.is_empty() {
            text.push_str(&format!("- {line}\n"));
        } else {
            text.push_str(&format!("{} {line}\n", known.entry(correlation).or_insert(next)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::clock::{Clock, Mode};
    use sim_core::journal::{Entry, Filter, Journal};

    #[test]
    fn two_orders_of_one_moment_have_one_text() {
        let journal = |order: [(&str, &str); 2]| {
            let journal = Journal::new(Clock::new(Mode::Manual, jiff::Timestamp::UNIX_EPOCH));
            for (path, correlation) in order {
                journal.record(Entry::new("arm", "request").fact("path", path).correlation(correlation));
            }
            text(&journal.read(&Filter::default()))
        };
        let one = journal([("/a", "drawn-1"), ("/b", "drawn-2")]);
        assert_eq!(one, journal([("/b", "drawn-1"), ("/a", "drawn-2")]));
        assert_ne!(one, journal([("/a", "drawn-1"), ("/c", "drawn-2")]));
        assert!(one.starts_with("1 {\"time\""), "{one}");
    }
}
