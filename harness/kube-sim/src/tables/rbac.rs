//! Role bindings and certificate requests. Roles have no printer of their own.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::human_duration;
use super::{Cells, Print, age, list, name, text};

pub(super) fn layout(kind: &str) -> Option<(&'static str, Print)> {
    Some(match kind {
        "RoleBinding" | "ClusterRoleBinding" => ("Name@,Role,Age,Users*,Groups*,ServiceAccounts*", binding),
        "CertificateSigningRequest" => {
            ("Name@,Age,SignerName,Requestor,RequestedDuration,Condition", request)
        }
        _ => return None,
    })
}

fn binding(it: &Value, now: Timestamp) -> Cells {
    let role = &it["roleRef"];
    let subjects = |kind: &str| -> String {
        let matching = list(&it["subjects"]).iter().filter(|subject| subject["kind"] == kind);
        let shown = matching.map(|subject| match kind {
            "ServiceAccount" => format!("{}/{}", text(&subject["namespace"], ""), text(&subject["name"], "")),
            _ => text(&subject["name"], "").to_owned(),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    vec![
        name(it),
        json!(format!("{}/{}", text(&role["kind"], ""), text(&role["name"], ""))),
        age(it, now),
        json!(subjects("User")),
        json!(subjects("Group")),
        json!(subjects("ServiceAccount")),
    ]
}

fn request(it: &Value, now: Timestamp) -> Cells {
    let has = |kind: &str| list(&it["status"]["conditions"]).iter().any(|one| one["type"] == kind);
    let mut condition = match () {
        () if has("Denied") => "Denied",
        () if has("Approved") => "Approved",
        () => "Pending",
    }
    .to_owned();
    if has("Failed") {
        condition.push_str(",Failed");
    }
    if !text(&it["status"]["certificate"], "").is_empty() {
        condition.push_str(",Issued");
    }
    let duration = it["spec"]["expirationSeconds"].as_i64().map(human_duration);
    vec![
        name(it),
        age(it, now),
        json!(text(&it["spec"]["signerName"], "<none>")),
        json!(text(&it["spec"]["username"], "")),
        json!(duration.as_deref().unwrap_or("<none>")),
        json!(condition),
    ]
}
