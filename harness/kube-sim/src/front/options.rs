//! Options that come in the query or, for deletions, in the body.

use serde_json::{Value, json};

use super::request_info::Query;
use crate::api::{DeleteOptions, Propagation, meta};
use crate::status::{Cause, Status};

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

/// Whether the revision that a read asks for has come; the real server waits three seconds for one that has not, this
/// one says so at once.
pub(super) fn reached(query: &Query, current: u64) -> Result<(), Status> {
    let Some(text) = query.get("resourceVersion").filter(|text| !text.is_empty()) else { return Ok(()) };
    let wanted: u64 = text.parse().map_err(|_| {
        Status::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        ))
    })?;
    if wanted <= current {
        return Ok(());
    }
    let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
    let cause = Cause::new("ResourceVersionTooLarge", "", "Too large resource version");
    Err(Status::new(504, "Timeout", message).with_details(json!({"causes": [cause], "retryAfterSeconds": 1})))
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
