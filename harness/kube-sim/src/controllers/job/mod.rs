//! Jobs: pods that run to their end, so often.
//!
//! Pods carry a finalizer until they are counted, as in a real cluster, so that nobody loses a result by deleting a pod.

mod indexes;
mod policy;
mod retries;
mod success;
mod tally;

use jiff::Timestamp;
use serde_json::{Value, json};
use sim_core::ledger::Change;

use self::tally::{Tally, index_of, is_tracked};
use super::events::{Level, Recorder};
use super::manager::{Controller, Next};
use super::objects::{
    Condition, after, condition, controlled_by, controller_key, controller_of, deleting, is_true, key, list,
    name, namespace, number, set, set_condition, split, stamp, text, time, truth, uid,
};
use super::pods::{from_template, is_ready};
use super::store::Store;
use crate::api::{Propagation, Sub, meta};
use crate::status::Status;

/// The wait after the first failed pod, and the longest.
const BACKOFF: i64 = 10;
const MAX_BACKOFF: i64 = 600;

/// The finalizer of pods that are not counted yet.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Label and annotation with the completion index.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The job controller.
#[derive(Debug)]
pub(crate) struct Jobs {
    store: Store,
    events: Recorder,
}

fn is_indexed(job: &Value) -> bool {
    text(job, "/spec/completionMode") == "Indexed"
}

impl Jobs {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("job-controller");
        let events = Recorder::new(&store, "job-controller");
        Self { store, events }
    }

    fn say(&mut self, job: &Value, level: Level, reason: &'static str, message: &str) {
        let kind = self.store.kinds().jobs.clone();
        self.events.event(&kind, job, level, reason, message);
    }

    fn tally(&self, job: &Value) -> Tally {
        let mut pods = self.store.list(&self.store.kinds().pods, namespace(job));
        pods.retain(|pod| controlled_by(pod, job));
        Tally::of(job, pods)
    }

    /// Why the job has failed, if it has: reason and message.
    fn failure(&self, job: &Value, tally: &Tally) -> Option<(&'static str, String)> {
        if let Some(why) = &tally.verdict {
            return Some(("PodFailurePolicy", why.clone()));
        }
        if let Some((reason, message)) = tally.failed_indexes.outcome(job, &tally.completed) {
            return Some((reason, message.to_owned()));
        }
        let usual = if retries::is_per_index(job) { i64::from(i32::MAX) } else { 6 };
        let limit = number(job, "/spec/backoffLimit").unwrap_or(usual);
        let on_failure = text(job, "/spec/template/spec/restartPolicy") == "OnFailure";
        if tally.failed > limit || (on_failure && tally.restarts >= limit.max(1)) {
            return Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit".into()));
        }
        let over = deadline(job).is_some_and(|deadline| deadline <= self.store.now());
        over.then(|| ("DeadlineExceeded", "Job was active longer than specified deadline".into()))
    }

    /// Creates so many pods; an indexed job's get the lowest indexes that are free.
    fn create(&mut self, job: &Value, tally: &Tally, count: i64) -> Result<(), Status> {
        let count = usize::try_from(count).unwrap_or_default();
        if !is_indexed(job) {
            return (0..count).try_for_each(|_| self.create_one(job, None));
        }
        let completions = number(job, "/spec/completions").unwrap_or_default();
        let taken: Vec<_> = tally.active.iter().filter_map(|pod| index_of(pod)).collect();
        let now = self.store.now();
        let free =
            (0..completions).filter(|index| !tally.completed.contains(index) && !taken.contains(index));
        let free = free.filter(|index| tally.failed_indexes.may_run(*index, now));
        for index in free.take(count).collect::<Vec<_>>() {
            self.create_one(job, Some((index, tally.failed_indexes.failures(index))))?;
        }
        Ok(())
    }

    /// `index` is that of an indexed job, with how often it has failed.
    fn create_one(&mut self, job: &Value, index: Option<(i64, i64)>) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (kind, pods) = (kinds.jobs.clone(), kinds.pods.clone());
        let prefix = match index {
            Some((index, _)) => format!("{}-{index}", name(job)),
            None => name(job).to_owned(),
        };
        let mut pod = from_template(&job["spec"]["template"], &kind, job, &prefix);
        for (label, value) in [
            ("batch.kubernetes.io/controller-uid", uid(job)),
            ("batch.kubernetes.io/job-name", name(job)),
            ("controller-uid", uid(job)),
            ("job-name", name(job)),
        ] {
            set(&mut pod, &["metadata", "labels", label], json!(value));
        }
        meta::add_finalizer(&mut pod, TRACKING);
        if let Some((index, failures)) = index {
            number_pod(&mut pod, &prefix, index);
            if retries::is_per_index(job) {
                set(&mut pod, &["metadata", "annotations", retries::FAILURES], json!(failures.to_string()));
            }
        }
        match self.store.create(&pods, namespace(job), pod) {
            Ok(pod) => {
                self.say(job, Level::Normal, "SuccessfulCreate", &format!("Created pod: {}", name(&pod)));
                Ok(())
            }
            Err(error) => {
                self.say(job, Level::Warning, "FailedCreate", &format!("Error creating: {error}"));
                Err(error)
            }
        }
    }

    /// Lets a pod go that is counted, or that nobody counts any more.
    fn release(&self, pod: &Value) -> Result<(), Status> {
        let pods = self.store.kinds().pods.clone();
        match self.store.modify(&pods, Sub::Main, &key(pod), |pod| meta::remove_finalizer(pod, TRACKING)) {
            Err(status) if !status.is_not_found() => Err(status),
            _ => Ok(()),
        }
    }

    fn delete_active(&mut self, job: &Value, tally: &Tally, count: usize) -> Result<(), Status> {
        let pods = self.store.kinds().pods.clone();
        for pod in tally.active.iter().rev().take(count) {
            self.release(pod)?;
            self.store.delete(&pods, pod)?;
            self.say(job, Level::Normal, "SuccessfulDelete", &format!("Deleted pod: {}", name(pod)));
        }
        Ok(())
    }

    /// Notes the start, and that a job rests or goes on again.
    fn suspend_or_resume(&mut self, job: &Value, status: &mut Value) {
        let now = self.store.now();
        let suspended = job["spec"]["suspend"] == json!(true);
        let was = is_true(job, "Suspended");
        if suspended == was {
            if !suspended && status["startTime"].is_null() {
                status["startTime"] = json!(stamp(now));
            }
            return;
        }
        let (reason, word) =
            if suspended { ("JobSuspended", "suspended") } else { ("JobResumed", "resumed") };
        let message = format!("Job {word}");
        let mut conditions = list(status, "/conditions").to_vec();
        let resting =
            Condition { kind: "Suspended", status: truth(suspended), reason, message: message.clone() };
        set_condition(&mut conditions, &resting, now, false);
        status["conditions"] = json!(conditions);
        if suspended {
            if let Some(map) = status.as_object_mut() {
                map.shift_remove("startTime");
            }
        } else {
            status["startTime"] = json!(stamp(now));
        }
        self.say(job, Level::Normal, if suspended { "Suspended" } else { "Resumed" }, &message);
    }

    /// What the job has come to, if it has: whether well, the reason and the message.
    fn outcome(&self, job: &Value, tally: &Tally) -> Option<(bool, &'static str, String)> {
        for (well, kind) in [(true, "SuccessCriteriaMet"), (false, "FailureTarget")] {
            if let Some(known) = condition(job, kind).filter(|known| known["status"] == json!("True")) {
                let reason = REASONS.iter().find(|reason| **reason == text(known, "/reason"));
                let reason = reason.copied().unwrap_or("BackoffLimitExceeded");
                return Some((well, reason, text(known, "/message").to_owned()));
            }
        }
        if let Some(rule) = success::met(job, &tally.completed) {
            return Some((true, "SuccessPolicy", format!("Matched rules at index {rule}")));
        }
        let done = match number(job, "/spec/completions") {
            Some(completions) => tally.succeeded >= completions,
            None => tally.succeeded > 0 && tally.active.is_empty() && tally.terminating == 0,
        };
        if done {
            return Some((true, "CompletionsReached", "Reached expected number of succeeded pods".into()));
        }
        self.failure(job, tally).map(|(reason, message)| (false, reason, message))
    }

    /// Ends the job: its remaining pods first, the final condition when they are gone.
    fn finish(
        &mut self,
        job: &Value,
        tally: &mut Tally,
        status: &mut Value,
        (well, reason, message): (bool, &'static str, String),
    ) -> Result<(), Status> {
        let now = self.store.now();
        if !well {
            // What a failed job ends counts as failed.
            tally.failed += i64::try_from(tally.active.len()).unwrap_or_default();
        }
        self.delete_active(job, tally, usize::MAX)?;
        *tally = Tally { fresh: std::mem::take(&mut tally.fresh), ..self.after(job, tally) };
        let over = tally.active.is_empty() && tally.terminating == 0;
        let kinds = if well { ["SuccessCriteriaMet", "Complete"] } else { ["FailureTarget", "Failed"] };
        let mut conditions = list(status, "/conditions").to_vec();
        for kind in kinds.into_iter().take(if over { 2 } else { 1 }) {
            let met = Condition { kind, status: "True", reason, message: message.clone() };
            set_condition(&mut conditions, &met, now, false);
        }
        status["conditions"] = json!(conditions);
        if over && well {
            status["completionTime"] = json!(stamp(now));
            self.say(job, Level::Normal, "Completed", "Job completed");
        } else if over {
            self.say(job, Level::Warning, reason, &message);
        }
        Ok(())
    }

    /// The tally with the counts of `before`, after pods were made or sent away.
    fn after(&self, job: &Value, before: &Tally) -> Tally {
        let now = self.tally(job);
        Tally {
            succeeded: before.succeeded,
            failed: before.failed,
            completed: before.completed.clone(),
            failed_indexes: before.failed_indexes.clone(),
            ..now
        }
    }

    /// The step of a job that goes on; returns its status and when to look again.
    fn advance(&mut self, job: &Value, tally: &mut Tally) -> Result<(Value, Next), Status> {
        let now = self.store.now();
        let mut status = job["status"].clone();
        if !status.is_object() {
            status = json!({});
        }
        self.suspend_or_resume(job, &mut status);
        let suspended = job["spec"]["suspend"] == json!(true);
        let mut next = if suspended { Next::Done } else { Next::at(deadline(job)) };
        if let Some(outcome) = self.outcome(job, tally) {
            self.finish(job, tally, &mut status, outcome)?;
            next = Next::Done;
        } else {
            let active = i64::try_from(tally.active.len()).unwrap_or(i64::MAX);
            let left = match number(job, "/spec/completions") {
                Some(completions) => completions - tally.succeeded - tally.failed_indexes.count(),
                // Once one has succeeded, no more are started.
                None if tally.succeeded > 0 => active,
                None => i64::MAX,
            };
            let parallelism = number(job, "/spec/parallelism").unwrap_or(1);
            let wanted = if suspended { 0 } else { parallelism.min(left) };
            // Indexes with limits of their own wait each for itself.
            let each = retries::is_per_index(job);
            let retry = tally.last_failure.filter(|_| !each).map(|failed| after(failed, backoff(tally.row)));
            next = next.sooner(Next::at(tally.failed_indexes.next_retry(now)));
            if active > wanted {
                self.delete_active(job, tally, usize::try_from(active - wanted).unwrap_or(usize::MAX))?;
            } else if let Some(retry) = retry.filter(|retry| *retry > now && active < wanted) {
                next = next.sooner(Next::At(retry));
            } else {
                self.create(job, tally, wanted - active)?;
            }
            *tally = Tally { fresh: std::mem::take(&mut tally.fresh), ..self.after(job, tally) };
        }
        self.counts(job, tally, &mut status);
        Ok((status, next))
    }

    fn counts(&self, job: &Value, tally: &Tally, status: &mut Value) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let ready = tally.active.iter().filter(|pod| is_ready(pod)).count();
        for (field, count) in
            [("active", count(tally.active.len())), ("succeeded", tally.succeeded), ("failed", tally.failed)]
        {
            status[field] = json!(count);
        }
        if is_indexed(job) {
            status["completedIndexes"] = json!(indexes::write(&tally.completed));
        }
        if let Some(map) = status.as_object_mut() {
            map.retain(|field, value| {
                let counted =
                    matches!(field.as_str(), "active" | "succeeded" | "failed" | "completedIndexes");
                !(counted && (*value == json!(0) || *value == json!("")))
            });
        }
        if retries::is_per_index(job) {
            status["failedIndexes"] = json!(tally.failed_indexes.text());
        }
        status["ready"] = json!(ready);
        status["terminating"] = json!(tally.terminating);
        status["uncountedTerminatedPods"] = json!({});
    }

    /// Lets go of the pods of a job that is gone or going.
    fn abandon(&self, at: &str) -> Result<(), Status> {
        let (space, title) = split(at);
        let jobs = self.store.kinds().jobs.clone();
        let living = self.store.get(&jobs, at).filter(|job| !deleting(job));
        for pod in self.store.list(&self.store.kinds().pods, space) {
            let owner = controller_of(&pod);
            let ours =
                owner.is_some_and(|owner| text(owner, "/kind") == "Job" && text(owner, "/name") == title);
            let kept = living.as_ref().is_some_and(|job| controlled_by(&pod, job));
            if ours && !kept && is_tracked(&pod) {
                self.release(&pod)?;
            }
        }
        Ok(())
    }
}

/// The reasons that a job can end for.
const REASONS: [&str; 7] = [
    "CompletionsReached",
    "SuccessPolicy",
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "PodFailurePolicy",
    "FailedIndexes",
    "MaxFailedIndexesExceeded",
];

/// Gives the pod of an indexed job its index: name, label, annotation, variable.
fn number_pod(pod: &mut Value, hostname: &str, index: i64) {
    let index = index.to_string();
    set(pod, &["metadata", "labels", INDEX], json!(index));
    set(pod, &["metadata", "annotations", INDEX], json!(index));
    set(pod, &["spec", "hostname"], json!(hostname));
    let variable = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {
        "apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}}});
    for field in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
            let mut variables = list(container, "/env").to_vec();
            if variables.iter().all(|own| own["name"] != variable["name"]) {
                variables.push(variable.clone());
            }
            container["env"] = json!(variables);
        }
    }
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let limit = number(job, "/spec/activeDeadlineSeconds")?;
    Some(after(time(job, "/status/startTime")?, limit))
}

/// How long to wait after so many failed pods in a row.
fn backoff(failures: i64) -> i64 {
    if failures <= 0 {
        return 0;
    }
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
        let Some(job) = self.store.get(&kind, at).filter(|job| !deleting(job)) else {
            self.abandon(at)?;
            return Ok(Next::Done);
        };
        let mut tally = self.tally(&job);
        if is_true(&job, "Complete") || is_true(&job, "Failed") {
            tally.fresh.iter().try_for_each(|pod| self.release(pod))?;
            let Some(due) = expiry(&job) else { return Ok(Next::Done) };
            if due > self.store.now() {
                return Ok(Next::At(due));
            }
            self.store.delete_propagating(&kind, &job, Propagation::Foreground)?;
            return Ok(Next::Done);
        }
        let (status, next) = self.advance(&job, &mut tally)?;
        // Counted first, let go then: nothing is counted twice.
        self.store.set_status(&kind, at, status)?;
        tally.fresh.iter().try_for_each(|pod| self.release(pod))?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time() {
        assert_eq!([0, 1, 2, 3, 6, 7, 50].map(backoff), [0, 10, 20, 40, 320, 600, 600]);
    }
}
