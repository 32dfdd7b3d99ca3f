//! A Deployment's status: the counts and conditions that `kubectl rollout status` and `helm --wait` look at.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rolling::Limits;
use crate::controllers::manager::Next;
use crate::controllers::objects::{
    Condition, after, condition, list, name, number, set_condition, text, time, truth,
};

const PROGRESSING: &str = "Progressing";

/// No deadline: what the API writes for "never".
const NO_DEADLINE: i64 = i32::MAX as i64;

/// What the status is computed from.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) deployment: &'a Value,
    pub(super) new: Option<&'a Value>,
    pub(super) old: &'a [Arc<Value>],
    /// The new ReplicaSet was created in this very round.
    pub(super) created: bool,
    pub(super) now: Timestamp,
}

fn count(sets: &[&Value], field: &str) -> i64 {
    sets.iter().filter_map(|set| number(set, &format!("/status/{field}"))).sum()
}

/// The status as it should be, and when the progress deadline is over.
pub(super) fn status(facts: &Facts<'_>) -> (Value, Next) {
    let deployment = facts.deployment;
    let all: Vec<&Value> = facts.old.iter().map(|set| &**set).chain(facts.new).collect();
    let new: Vec<&Value> = facts.new.into_iter().collect();
    let available = count(&all, "availableReplicas");
    let wanted: i64 = all.iter().filter_map(|set| number(set, "/spec/replicas")).sum();
    let counts = [
        ("replicas", count(&all, "replicas")),
        ("updatedReplicas", count(&new, "replicas")),
        ("readyReplicas", count(&all, "readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (wanted - available).max(0)),
    ];
    let mut status = json!({"observedGeneration": deployment["metadata"]["generation"]});
    for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        status[field] = json!(count);
    }
    if let Some(collisions) = number(deployment, "/status/collisionCount") {
        status["collisionCount"] = json!(collisions);
    }
    let mut conditions = list(deployment, "/status/conditions").to_vec();
    let enough = available >= Limits::of(deployment).minimum();
    let availability = Condition {
        kind: "Available",
        status: truth(enough),
        reason: if enough { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" },
        message: format!("Deployment {} minimum availability.", if enough { "has" } else { "does not have" }),
    };
    set_condition(&mut conditions, &availability, facts.now, true);
    let next = progress(facts, &status, &mut conditions);
    failure(&all, &mut conditions, facts.now);
    status["conditions"] = json!(conditions);
    (status, next)
}

/// Whether every replica is updated and available, and no old one is left.
pub(super) fn is_complete(deployment: &Value, status: &Value) -> bool {
    let wanted = number(deployment, "/spec/replicas").unwrap_or(1);
    let of = |field: &str| status[field].as_i64().unwrap_or_default();
    of("updatedReplicas") == wanted && of("replicas") == wanted && of("availableReplicas") == wanted
}

fn has_progressed(before: &Value, after: &Value) -> bool {
    let of = |status: &Value, field: &str| status[field].as_i64().unwrap_or_default();
    let old_left = |status: &Value| of(status, "replicas") - of(status, "updatedReplicas");
    let grew = |field: &str| of(after, field) > of(before, field);
    grew("updatedReplicas")
        || old_left(after) < old_left(before)
        || grew("readyReplicas")
        || grew("availableReplicas")
}

fn progress(facts: &Facts<'_>, status: &Value, conditions: &mut Vec<Value>) -> Next {
    let deployment = facts.deployment;
    let deadline = number(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
    if deadline >= NO_DEADLINE {
        return Next::Done;
    }
    let present = condition(deployment, PROGRESSING);
    let reason = present.map_or("", |condition| text(condition, "/reason"));
    let set_name = facts.new.map_or("", |set| name(set));
    let mut say = |status: &str, reason: &str, message: String, renew: bool| {
        let known = conditions.iter_mut().find(|condition| text(condition, "/type") == PROGRESSING);
        if let Some(known) = known.filter(|_| renew) {
            // Progress counts even when the words stay the same: the deadline starts anew.
            known["reason"] = json!("");
        }
        set_condition(conditions, &Condition { kind: PROGRESSING, status, reason, message }, facts.now, true);
    };
    if deployment.pointer("/spec/paused") == Some(&json!(true)) {
        if reason != "ProgressDeadlineExceeded" {
            say("Unknown", "DeploymentPaused", "Deployment is paused".into(), false);
        }
        return Next::Done;
    }
    if reason == "DeploymentPaused" {
        say("Unknown", "DeploymentResumed", "Deployment is resumed".into(), false);
    }
    let settled = status["replicas"] == status["updatedReplicas"] && reason == "NewReplicaSetAvailable";
    if facts.created {
        say("True", "NewReplicaSetCreated", format!("Created new replica set \"{set_name}\""), true);
    } else if is_complete(deployment, status) {
        let message = format!("ReplicaSet \"{set_name}\" has successfully progressed.");
        say("True", "NewReplicaSetAvailable", message, false);
        return Next::Done;
    } else if settled {
        return Next::Done;
    } else if has_progressed(&deployment["status"], status) {
        say("True", "ReplicaSetUpdated", format!("ReplicaSet \"{set_name}\" is progressing."), true);
    } else if present.is_none() {
        say("True", "FoundNewReplicaSet", format!("Found new replica set \"{set_name}\""), false);
    }
    let since = conditions.iter().find(|condition| text(condition, "/type") == PROGRESSING);
    let since = since.and_then(|condition| time(condition, "/lastUpdateTime")).unwrap_or(facts.now);
    let due = after(since, deadline);
    if due > facts.now {
        return Next::At(due);
    }
    let message = format!("ReplicaSet \"{set_name}\" has timed out progressing.");
    set_condition(
        conditions,
        &Condition { kind: PROGRESSING, status: "False", reason: "ProgressDeadlineExceeded", message },
        facts.now,
        true,
    );
    Next::Done
}

/// Copies the newest ReplicaSet's failure to create pods, or removes it.
fn failure(all: &[&Value], conditions: &mut Vec<Value>, now: Timestamp) {
    let failed = all.iter().rev().find_map(|set| condition(set, "ReplicaFailure"));
    match failed {
        Some(failed) => {
            let copied = Condition {
                kind: "ReplicaFailure",
                status: "True",
                reason: text(failed, "/reason"),
                message: text(failed, "/message").to_owned(),
            };
            set_condition(conditions, &copied, now, true);
        }
        None => conditions.retain(|condition| text(condition, "/type") != "ReplicaFailure"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::objects::is_true;

    fn deployment(status: Value) -> Value {
        json!({"metadata": {"generation": 1}, "spec": {"replicas": 2, "progressDeadlineSeconds": 60}, "status": status})
    }

    fn run(deployment: &Value, ready: i64, seconds: i64) -> (Value, Next) {
        let new = json!({"metadata": {"name": "web-1"}, "spec": {"replicas": 2},
            "status": {"replicas": 2, "readyReplicas": ready, "availableReplicas": ready}});
        let now = after(Timestamp::UNIX_EPOCH, seconds);
        status(&Facts { deployment, new: Some(&new), old: &[], created: false, now })
    }

    #[test]
    fn a_rollout_progresses_completes_or_times_out() {
        let (first, next) = run(&deployment(json!({})), 0, 0);
        assert_eq!(next, Next::At(after(Timestamp::UNIX_EPOCH, 60)));
        let (second, next) = run(&deployment(first.clone()), 1, 30);
        assert_eq!(next, Next::At(after(Timestamp::UNIX_EPOCH, 90)));
        let (late, _) = run(&deployment(second.clone()), 1, 90);
        let shown = json!({"status": late});
        assert_eq!(condition(&shown, PROGRESSING).unwrap()["reason"], "ProgressDeadlineExceeded");
        let (done, next) = run(&deployment(second), 2, 40);
        assert_eq!(next, Next::Done);
        let shown = json!({"status": done});
        assert!(is_true(&shown, "Available"));
        assert_eq!(condition(&shown, PROGRESSING).unwrap()["reason"], "NewReplicaSetAvailable");
    }
}
