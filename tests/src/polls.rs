//! What a run of a client cost, from the journal of its world: how long the cloud worked, and how long the client waited between two
//! looks at an operation.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sim_core::journal::Event;

/// How long the cloud may work for one connect.
const SERVER: Duration = Duration::from_millis(500);

/// The speed of the worlds that are measured, which is what `dryarc up` has by default.
const SPEED: u32 = 60;

/// What the cloud asks for between two looks: world time by the world's speed, but at least a second, since clients take whole seconds.
/// No operation of a connect asks for more than a minute of world time.
const POLL: Duration = Duration::from_secs(1);

/// What a client needs beside it to ask again, on a machine with other work.
const SLACK: Duration = Duration::from_millis(1500);

/// A request of the client: neither of an agent nor of a connection that stays open.
fn is_clients(event: &Event) -> bool {
    let text = |name: &str| event.facts.get(name).and_then(Value::as_str).unwrap_or_default();
    let of_agents = text("surface") == "agents" && !text("path").starts_with("/azure-arc-k8sagents");
    event.actor == "arm" && event.kind == "request" && !of_agents && text("surface") != "relay"
}

/// How long the cloud worked on the client's requests.
#[must_use]
pub fn server_time(events: &[Event]) -> Duration {
    let of_client = events.iter().filter(|event| is_clients(event));
    Duration::from_micros(of_client.filter_map(|event| event.took_micros).sum())
}

/// The longest pause, in wall time, between two looks at one operation, and which operation that was.
#[must_use]
pub fn longest_pause(events: &[Event], speed: u32) -> Option<(Duration, String)> {
    let mut last: BTreeMap<&str, &Event> = BTreeMap::new();
    let mut longest: Option<(Duration, String)> = None;
    for event in events.iter().filter(|event| is_clients(event)) {
        let text = |name: &str| event.facts.get(name).and_then(Value::as_str).unwrap_or_default();
        let path = text("path");
        if text("method") != "GET" || !path.to_ascii_lowercase().contains("/operationstatus") {
            continue;
        }
        if let Some(before) = last.insert(path, event) {
            // An event is stamped when its request is over.
            let span = event.time.duration_since(before.time).unsigned_abs() / speed;
            let pause = span.saturating_sub(Duration::from_micros(event.took_micros.unwrap_or_default()));
            if longest.as_ref().is_none_or(|(known, _)| *known < pause) {
                longest = Some((pause, path.to_owned()));
            }
        }
    }
    longest
}

/// Says what one connect, whose journal this is, cost too much; prints what it cost.
#[must_use]
#[expect(clippy::print_stdout, reason = "the figures are for whoever reads what the test says")]
pub fn costs_too_much(journal: &[Value]) -> Option<String> {
    let events: Vec<Event> =
        journal.iter().filter_map(|event| serde_json::from_value(event.clone()).ok()).collect();
    let (server, pause) = (server_time(&events), longest_pause(&events, SPEED));
    println!("one connect: the cloud worked {server:?}; the longest pause between two looks: {pause:?}");
    let Some((pause, operation)) = pause else {
        return Some("no operation was looked at twice, so that no pause can be told\n".into());
    };
    let late = (pause > POLL + SLACK).then(|| format!("{pause:?} passed between two looks at {operation}\n"));
    late.or_else(|| (server > SERVER).then(|| format!("the cloud worked {server:?}, more than {SERVER:?}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(seconds: u64, took: u64, surface: &str, path: &str) -> Event {
        serde_json::from_value(json!({
            "seq": 1, "time": format!("2026-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60), "actor": "arm",
            "actorSeq": 1, "kind": "request", "tookMicros": took,
            "facts": { "method": "GET", "surface": surface, "path": path },
        }))
        .unwrap()
    }

    #[test]
    fn pauses_are_between_looks_at_one_operation_and_agents_do_not_count() {
        let status = "/providers/Microsoft.Kubernetes/locations/EASTUS/operationStatuses/1";
        let events = [
            event(0, 1_000, "arm", status),
            event(10, 500_000, "agents", "/discovery"),
            event(60, 200_000, "arm", status),
            event(600, 1_000, "arm", "/subscriptions/s"),
        ];
        assert_eq!(server_time(&events), Duration::from_millis(202));
        assert_eq!(longest_pause(&events, 60), Some((Duration::from_millis(800), status.to_owned())));
        assert_eq!(longest_pause(&events[..1], 60), None);
    }
}
