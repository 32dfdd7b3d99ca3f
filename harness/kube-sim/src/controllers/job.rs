//! Jobs: pods that run to their end, so often.
//!
//! Counts are taken from the pods that are there. Not modelled, and said so by an event: `completionMode: Indexed`,
//! `podFailurePolicy`, `successPolicy`, `backoffLimitPerIndex`. CronJobs are not modelled.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::manager::{Controller, Next};
use super::objects::{
    Condition, after, condition, controlled_by, controller_key, deleting, is_true, list, name, namespace,
    number, set, set_condition, stamp, text, time, uid,
};
use super::pods::{from_template, is_active, is_ready};
use super::store::Store;
use crate::api::Propagation;
use crate::status::Status;

/// The wait after the first failed pod, and the longest.
const BACKOFF: i64 = 10;
const MAX_BACKOFF: i64 = 360;

/// The job controller.
#[derive(Debug)]
pub(crate) struct Jobs {
    store: Store,
    events: Recorder,
}

/// How a job's pods stand.
struct Tally {
    active: Vec<Arc<Value>>,
    succeeded: i64,
    failed: i64,
    /// Restarts of containers within active pods, which count as failures too.
    restarts: i64,
    last_failure: Option<Timestamp>,
}

impl Jobs {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("job-controller");
        let events = Recorder::new(&store, "job-controller");
        Self { store, events }
    }

    fn tally(&self, job: &Value) -> Tally {
        let mut tally =
            Tally { active: Vec::new(), succeeded: 0, failed: 0, restarts: 0, last_failure: None };
        for pod in self.store.list(&self.store.kinds().pods, namespace(job)) {
            if !controlled_by(&pod, job) {
                continue;
            }
            match text(&pod, "/status/phase") {
                "Succeeded" => tally.succeeded += 1,
                "Failed" => {
                    tally.failed += 1;
                    let ends = list(&pod, "/status/containerStatuses").iter();
                    let end = ends.filter_map(|status| time(status, "/state/terminated/finishedAt")).max();
                    tally.last_failure = tally.last_failure.max(end);
                }
                _ if is_active(&pod) => {
                    let statuses = list(&pod, "/status/containerStatuses").iter();
                    tally.restarts +=
                        statuses.filter_map(|status| status["restartCount"].as_i64()).sum::<i64>();
                    tally.active.push(pod);
                }
                _ => {}
            }
        }
        tally
    }

    /// Why the job has failed, if it has: reason and message.
    fn failure(&self, job: &Value, tally: &Tally) -> Option<(&'static str, &'static str)> {
        let limit = number(job, "/spec/backoffLimit").unwrap_or(6);
        let on_failure = text(job, "/spec/template/spec/restartPolicy") == "OnFailure";
        let restarts = if on_failure { tally.restarts } else { 0 };
        if tally.failed > limit || (on_failure && restarts > limit) {
            return Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
        }
        let over = deadline(job).is_some_and(|deadline| deadline <= self.store.now());
        over.then_some(("DeadlineExceeded", "Job was active longer than specified deadline"))
    }

    fn create(&mut self, job: &Value, count: i64) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (kind, pods) = (kinds.jobs.clone(), kinds.pods.clone());
        for _ in 0..count {
            let mut pod = from_template(&job["spec"]["template"], &kind, job, name(job));
            for (label, value) in [
                ("batch.kubernetes.io/controller-uid", uid(job)),
                ("batch.kubernetes.io/job-name", name(job)),
                ("controller-uid", uid(job)),
                ("job-name", name(job)),
            ] {
                set(&mut pod, &["metadata", "labels", label], json!(value));
            }
            match self.store.create(&pods, namespace(job), pod) {
                Ok(pod) => {
                    let message = format!("Created pod: {}", name(&pod));
                    self.events.event(&kind, job, Level::Normal, "SuccessfulCreate", &message);
                }
                Err(error) => {
                    let message = format!("Error creating: {error}");
                    self.events.event(&kind, job, Level::Warning, "FailedCreate", &message);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn delete_active(&mut self, job: &Value, tally: &Tally, count: usize) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (kind, pods) = (kinds.jobs.clone(), kinds.pods.clone());
        for pod in tally.active.iter().rev().take(count) {
            self.store.delete(&pods, pod)?;
            let message = format!("Deleted pod: {}", name(pod));
            self.events.event(&kind, job, Level::Normal, "SuccessfulDelete", &message);
        }
        Ok(())
    }

    fn mention_not_modelled(&mut self, job: &Value) {
        let kind = self.store.kinds().jobs.clone();
        let fields = ["podFailurePolicy", "successPolicy", "backoffLimitPerIndex"];
        let mut missing: Vec<_> = fields.into_iter().filter(|field| !job["spec"][*field].is_null()).collect();
        if text(job, "/spec/completionMode") == "Indexed" {
            missing.push("completionMode: Indexed");
        }
        for field in missing {
            let message = format!("{field} is not modelled by kube-sim and is ignored");
            self.events.event(&kind, job, Level::Warning, "NotModelled", &message);
        }
    }

    fn finish(
        &mut self,
        job: &Value,
        tally: &Tally,
        status: &mut Value,
        outcome: (&str, &str, &str),
    ) -> Result<(), Status> {
        let now = self.store.now();
        self.delete_active(job, tally, usize::MAX)?;
        let (kind, reason, message) = outcome;
        let mut conditions = list(status, "/conditions").to_vec();
        let first = if kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
        for kind in [first, kind] {
            let met = Condition { kind, status: "True", reason, message: message.to_owned() };
            set_condition(&mut conditions, &met, now, false);
        }
        status["conditions"] = json!(conditions);
        if let Some(map) = status.as_object_mut() {
            map.shift_remove("active");
        }
        let jobs = self.store.kinds().jobs.clone();
        if kind == "Complete" {
            status["completionTime"] = json!(stamp(now));
            self.events.event(&jobs, job, Level::Normal, "Completed", "Job completed");
        } else {
            self.events.event(
                &jobs,
                job,
                Level::Warning,
                if reason == "DeadlineExceeded" { "DeadlineExceeded" } else { "BackoffLimitExceeded" },
                message,
            );
        }
        Ok(())
    }

    /// The step of a job that goes on; returns its status and when to look again.
    fn advance(&mut self, job: &Value) -> Result<(Value, Next), Status> {
        let now = self.store.now();
        let mut tally = self.tally(job);
        let mut status = job["status"].clone();
        if !status.is_object() {
            status = json!({});
        }
        let suspended = job["spec"]["suspend"] == json!(true);
        if status["startTime"].is_null() && !suspended {
            status["startTime"] = json!(stamp(now));
            self.mention_not_modelled(job);
        }
        let completions = number(job, "/spec/completions");
        let parallelism = number(job, "/spec/parallelism").unwrap_or(1);
        let done = match completions {
            Some(completions) => tally.succeeded >= completions,
            None => tally.succeeded > 0 && tally.active.is_empty(),
        };
        let mut next = Next::at(deadline(job));
        let mut outcome = None;
        if done {
            let message = "Reached expected number of succeeded pods";
            outcome = Some(("Complete", "CompletionsReached", message));
        } else if let Some((reason, message)) = self.failure(job, &tally) {
            outcome = Some(("Failed", reason, message));
        } else {
            let active = i64::try_from(tally.active.len()).unwrap_or(i64::MAX);
            let left = completions.map_or(i64::MAX, |completions| completions - tally.succeeded);
            let started = completions.is_none() && tally.succeeded > 0;
            let wanted = if suspended { 0 } else { parallelism.min(left) };
            let retry = tally.last_failure.map(|failed| after(failed, backoff(tally.failed)));
            if active > wanted {
                self.delete_active(job, &tally, usize::try_from(active - wanted).unwrap_or(usize::MAX))?;
            } else if let Some(retry) = retry.filter(|retry| *retry > now && active < wanted) {
                next = next.sooner(Next::At(retry));
            } else if !started {
                self.create(job, wanted - active)?;
            }
            tally = self.tally(job);
        }
        let ready = tally.active.iter().filter(|pod| is_ready(pod)).count();
        let counts = [
            ("active", i64::try_from(tally.active.len()).unwrap_or(i64::MAX)),
            ("succeeded", tally.succeeded),
            ("failed", tally.failed),
        ];
        for (field, count) in counts {
            status[field] = json!(count);
        }
        if let Some(map) = status.as_object_mut() {
            map.retain(|field, value| {
                !(matches!(field.as_str(), "active" | "succeeded" | "failed") && *value == json!(0))
            });
        }
        status["ready"] = json!(ready);
        status["terminating"] = json!(0);
        status["uncountedTerminatedPods"] = json!({});
        if let Some(outcome) = outcome {
            status["ready"] = json!(0);
            self.finish(job, &tally, &mut status, outcome)?;
        }
        Ok((status, next))
    }
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let limit = number(job, "/spec/activeDeadlineSeconds")?;
    Some(after(time(job, "/status/startTime")?, limit))
}

/// How long to wait after so many failed pods.
fn backoff(failures: i64) -> i64 {
    let doublings = u32::try_from((failures - 1).clamp(0, 10)).unwrap_or_default();
    (BACKOFF << doublings).min(MAX_BACKOFF)
}

/// When the job itself is to go, if it says so.
fn expiry(job: &Value) -> Option<Timestamp> {
    let seconds = number(job, "/spec/ttlSecondsAfterFinished")?;
    let end = ["Complete", "Failed"].iter().find_map(|kind| condition(job, kind))?;
    Some(after(time(end, "/lastTransitionTime")?, seconds))
}

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "job"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.jobs.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.pods.table() {
            for row in change.before.iter().chain(&change.after) {
                keys.extend(controller_key(&row.value, "Job"));
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().jobs.clone();
        let Some(job) = self.store.get(&kind, at).filter(|job| !deleting(job)) else { return Ok(Next::Done) };
        if is_true(&job, "Complete") || is_true(&job, "Failed") {
            let Some(due) = expiry(&job) else { return Ok(Next::Done) };
            if due > self.store.now() {
                return Ok(Next::At(due));
            }
            self.store.delete_propagating(&kind, &job, Propagation::Foreground)?;
            return Ok(Next::Done);
        }
        let (status, next) = self.advance(&job)?;
        self.store.set_status(&kind, at, status)?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time() {
        assert_eq!([1, 2, 3, 6, 7, 50].map(backoff), [10, 20, 40, 320, 360, 360]);
    }
}
