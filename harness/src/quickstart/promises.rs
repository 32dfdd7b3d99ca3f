//! What must have come true, and the reason when it has not.

use serde_json::Value;

use super::kubectl_table::records;
use super::page::AGENTS;

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Fails with `reason` unless `holds`.
pub(super) fn expect(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

/// Whether the agents' first report shows.
pub(super) fn has_reported(cluster: &Value) -> bool {
    let has =
        |key: &str| cluster.pointer(&format!("/properties/{key}")).is_some_and(|value| !value.is_null());
    text(cluster, "/properties/connectivityStatus") == "Connected"
        && ["kubernetesVersion", "agentVersion", "totalNodeCount", "totalCoreCount"].into_iter().all(has)
}

/// Whether the expiry of the identity certificate shows.
pub(super) fn knows_expiry(cluster: &Value) -> bool {
    !text(cluster, "/properties/managedIdentityCertificateExpirationTime").is_empty()
}

fn column<'a>(record: &'a [(String, String)], name: &str) -> &'a str {
    record.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map_or("", |(_, cell)| cell)
}

pub(super) fn check_deployments(table: &Value) -> Result<(), String> {
    let found = records(table);
    for (agent, _) in AGENTS {
        let ready =
            found.iter().find(|record| column(record, "Name") == agent).map(|record| column(record, "Ready"));
        expect(ready == Some("1/1"), || {
            format!("deployment {agent} is {}, not 1/1", ready.unwrap_or("missing"))
        })?;
    }
    expect(found.len() == AGENTS.len(), || {
        format!("there are {} deployments, not {}", found.len(), AGENTS.len())
    })
}

pub(super) fn check_pods(table: &Value) -> Result<(), String> {
    let found = records(table);
    for (agent, wanted) in AGENTS {
        // A pod is named after its deployment, its replica set's hash and its own suffix.
        let own = |record: &&Vec<(String, String)>| {
            let name = column(record, "Name").rsplitn(3, '-').nth(2);
            name == Some(agent)
        };
        let pod = found.iter().find(own).ok_or_else(|| format!("{agent} has no pod"))?;
        let (ready, status) = (column(pod, "Ready"), column(pod, "Status"));
        expect(ready == wanted && status == "Running", || {
            format!("the pod of {agent} is {status} with READY {ready}, not Running with {wanted}")
        })?;
    }
    expect(found.len() == AGENTS.len(), || format!("there are {} pods, not {}", found.len(), AGENTS.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(rows: &[[&str; 3]]) -> Value {
        let rows: Vec<Value> = rows.iter().map(|cells| json!({ "cells": cells })).collect();
        json!({ "columnDefinitions": [{ "name": "Name" }, { "name": "Ready" }, { "name": "Status" }], "rows": rows })
    }

    #[test]
    fn agents_that_are_missing_or_not_ready_fail_the_step() {
        let names: Vec<String> =
            AGENTS.iter().map(|(agent, _)| format!("{agent}-7cbd6cb89f-9fdnt")).collect();
        let mut rows: Vec<[&str; 3]> =
            AGENTS.iter().zip(&names).map(|((_, ready), name)| [name.as_str(), *ready, "Running"]).collect();
        check_pods(&table(&rows)).unwrap();
        rows[3][2] = "Pending";
        assert!(check_pods(&table(&rows)).unwrap_err().contains("config-agent is Pending"));
        let mut rows: Vec<[&str; 3]> = AGENTS.iter().map(|(agent, _)| [*agent, "1/1", ""]).collect();
        check_deployments(&table(&rows)).unwrap();
        rows.pop();
        assert!(check_deployments(&table(&rows)).unwrap_err().contains("resource-sync-agent is missing"));
    }
}
