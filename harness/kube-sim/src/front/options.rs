//! Options that come in the query or, for deletions, in the body.

use serde_json::Value;

use super::request_info::Query;
use crate::api::{DeleteOptions, Propagation, meta};
use crate::status::Status;

/// Whether the request asks for a dry run.
pub(super) fn dry_run(query: &Query) -> Result<bool, Status> {
    let mut asked = false;
    for value in query.all("dryRun") {
        match value {
            "All" => asked = true,
            "" => {}
            other => {
                return Err(Status::bad_request(format!(
                    "dryRun: Unsupported value: \"{other}\": supported values: \"All\""
                )));
            }
        }
    }
    Ok(asked)
}

fn propagation(text: &str) -> Result<Option<Propagation>, Status> {
    Ok(Some(match text {
        "" => return Ok(None),
        "Background" => Propagation::Background,
        "Foreground" => Propagation::Foreground,
        "Orphan" => Propagation::Orphan,
        other => {
            return Err(Status::bad_request(format!(
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\""
            )));
        }
    }))
}

/// How to delete: the body's options, else the query's.
pub(super) fn delete(query: &Query, sent: &Value) -> Result<DeleteOptions, Status> {
    let number = |text: &str| text.parse::<i64>().ok();
    let grace =
        sent["gracePeriodSeconds"].as_i64().or_else(|| query.get("gracePeriodSeconds").and_then(number));
    let policy = match meta::text(sent, "/propagationPolicy") {
        "" => query.get("propagationPolicy").unwrap_or_default(),
        stated => stated,
    };
    let mut policy = propagation(policy)?;
    if policy.is_none() && (sent["orphanDependents"] == true || query.get("orphanDependents") == Some("true"))
    {
        policy = Some(Propagation::Orphan);
    }
    let text = |pointer: &str| Some(meta::text(sent, pointer).to_owned()).filter(|text| !text.is_empty());
    let in_body = sent["dryRun"].as_array().is_some_and(|list| list.iter().any(|one| one == "All"));
    Ok(DeleteOptions {
        dry_run: in_body || dry_run(query)?,
        grace,
        propagation: policy,
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
    })
}
