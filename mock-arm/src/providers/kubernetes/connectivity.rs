//! Whether a cluster counts as connected, computed when somebody looks.

use std::time::Duration;

use arm_wire::connected_cluster::ConnectivityStatus;
use jiff::Timestamp;
use serde_json::Value;
use sim_core::clock::later;

/// After how long without a report a cluster counts as offline (Azure Arc documentation).
pub const OFFLINE_AFTER: Duration = Duration::from_secs(15 * 60);

fn time(properties: &Value, name: &str) -> Option<Timestamp> {
    properties.get(name)?.as_str()?.parse().ok()
}

/// The status of a cluster with these properties at `now`. An expired identity certificate wins over everything; a
/// stored `AgentNotInstalled` stays until agents report.
#[must_use]
pub fn status(properties: &Value, now: Timestamp) -> ConnectivityStatus {
    if time(properties, "managedIdentityCertificateExpirationTime").is_some_and(|expiry| expiry <= now) {
        return ConnectivityStatus::Expired;
    }
    match time(properties, "lastConnectivityTime") {
        Some(last) if now >= later(last, OFFLINE_AFTER) => ConnectivityStatus::Offline,
        Some(_) => ConnectivityStatus::Connected,
        None if properties.get("connectivityStatus").is_some_and(|status| status == "AgentNotInstalled") => {
            ConnectivityStatus::AgentNotInstalled
        }
        None => ConnectivityStatus::Connecting,
    }
}

/// The next moment after `now` at which the status changes by itself; the end of time when it does not.
#[must_use]
pub fn changes_at(properties: &Value, now: Timestamp) -> Timestamp {
    let expiry = time(properties, "managedIdentityCertificateExpirationTime");
    let silence = time(properties, "lastConnectivityTime").map(|last| later(last, OFFLINE_AFTER));
    [expiry, silence].into_iter().flatten().filter(|at| *at > now).min().unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn silence_turns_connected_into_offline_after_fifteen_minutes() {
        let mut properties = json!({"lastConnectivityTime": "2026-01-01T00:00:00.5Z"});
        assert_eq!(status(&properties, at("2026-01-01T00:15:00Z")), ConnectivityStatus::Connected);
        assert_eq!(status(&properties, at("2026-01-01T00:15:00.5Z")), ConnectivityStatus::Offline);
        properties["managedIdentityCertificateExpirationTime"] = json!("2026-01-01T00:10:00Z");
        assert_eq!(status(&properties, at("2026-01-01T00:10:00Z")), ConnectivityStatus::Expired);
        assert_eq!(changes_at(&properties, at("2026-01-01T00:00:01Z")), at("2026-01-01T00:10:00Z"));
        assert_eq!(changes_at(&properties, at("2026-01-01T00:10:00Z")), at("2026-01-01T00:15:00.5Z"));
        assert_eq!(changes_at(&properties, at("2026-01-01T00:16:00Z")), Timestamp::MAX);
        assert_eq!(status(&json!({}), at("2026-01-01T00:00:00Z")), ConnectivityStatus::Connecting);
    }
}
