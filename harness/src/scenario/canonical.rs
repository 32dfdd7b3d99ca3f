//! The journal in an order that does not depend on who was faster within one moment of the world's time.
//!
//! Two runs of a scenario with the same seed have the same canonical journal, byte for byte. Positions and counts of the
//! journal are left out, as they follow the order of arrival; what happened, when, by whom and with which facts stays.

use serde_json::json;
use sim_core::journal::Event;

/// One line of JSON for each event, in the order of time, actor, kind and facts.
#[must_use]
pub fn text(events: &[Event]) -> String {
    let mut lines: Vec<(jiff::Timestamp, String)> = events
        .iter()
        .map(|event| {
            let line = json!({
                "time": event.time,
                "actor": event.actor,
                "kind": event.kind,
                "correlation": event.correlation,
                "committed": event.committed,
                "delivered": event.delivered,
                "facts": event.facts,
            });
            (event.time, line.to_string())
        })
        .collect();
    lines.sort_unstable();
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}
