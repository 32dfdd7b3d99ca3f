//! How a job's pods stand: what was counted before, and what has to be counted now.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::policy::{Verdict, verdict};
use super::retries::FailedIndexes;
use super::{INDEX, TRACKING, indexes};
use crate::controllers::objects::{annotation, deleting, list, number, text, time};
use crate::controllers::pods::is_active;

/// How a job's pods stand.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) active: Vec<Arc<Value>>,
    pub(super) terminating: usize,
    pub(super) succeeded: i64,
    pub(super) failed: i64,
    /// Of an indexed job.
    pub(super) completed: BTreeSet<i64>,
    /// Restarts of containers within active pods, which count as failures too.
    pub(super) restarts: i64,
    /// Failures since the last success, and when the last one was.
    pub(super) row: i64,
    pub(super) last_failure: Option<Timestamp>,
    /// Why a rule of `podFailurePolicy` ends the job.
    pub(super) verdict: Option<String>,
    /// Of an indexed job whose indexes have limits of their own.
    pub(super) failed_indexes: FailedIndexes,
    /// Pods that are counted in this tally for the first time.
    pub(super) fresh: Vec<Arc<Value>>,
}

/// The completion index of a pod.
pub(super) fn index_of(pod: &Value) -> Option<i64> {
    annotation(pod, INDEX)?.parse().ok()
}

/// Whether a pod is still to be counted.
pub(super) fn is_tracked(pod: &Value) -> bool {
    list(pod, "/metadata/finalizers").iter().any(|finalizer| finalizer == TRACKING)
}

fn ended(pod: &Value) -> Option<Timestamp> {
    let ends = list(pod, "/status/containerStatuses").iter();
    ends.filter_map(|status| time(status, "/state/terminated/finishedAt")).max()
}

impl Tally {
    /// Counts `pods`, all of which belong to `job`.
    pub(super) fn of(job: &Value, pods: Vec<Arc<Value>>) -> Self {
        let before = |field: &str| number(job, &format!("/status/{field}")).unwrap_or_default();
        let failed_indexes = FailedIndexes::of(job);
        let mut tally = Self {
            succeeded: before("succeeded"),
            failed: before("failed"),
            failed_indexes,
            ..Self::default()
        };
        let completions = number(job, "/spec/completions").unwrap_or_default();
        if super::is_indexed(job) {
            tally.completed = indexes::read(text(job, "/status/completedIndexes"), completions);
        }
        let suspended = job["spec"]["suspend"] == true;
        let success = pods.iter().filter(|pod| text(pod, "/status/phase") == "Succeeded");
        let last_success = success.filter_map(|pod| ended(pod)).max();
        for pod in pods {
            let phase = text(&pod, "/status/phase").to_owned();
            if phase == "Failed" {
                let end = ended(&pod);
                tally.failed_indexes.add(job, &pod, end);
                tally.row += i64::from(end > last_success);
                tally.last_failure = tally.last_failure.max(end);
            }
            if is_active(&pod) {
                let statuses = list(&pod, "/status/containerStatuses").iter();
                tally.restarts += statuses.filter_map(|status| status["restartCount"].as_i64()).sum::<i64>();
                tally.active.push(pod);
                continue;
            }
            tally.terminating +=
                usize::from(deleting(&pod) && !matches!(phase.as_str(), "Succeeded" | "Failed"));
            if !is_tracked(&pod) {
                continue;
            }
            match phase.as_str() {
                "Succeeded" => tally.success(job, &pod, completions),
                "Failed" => tally.failure(job, &pod),
                // What goes before its end counts as failed, unless the job itself sent it away.
                _ => tally.failed += i64::from(!suspended),
            }
            tally.fresh.push(pod);
        }
        if super::is_indexed(job) {
            tally.succeeded = i64::try_from(tally.completed.len()).unwrap_or(i64::MAX);
        }
        tally
    }

    fn success(&mut self, job: &Value, pod: &Value, completions: i64) {
        self.succeeded += 1;
        if super::is_indexed(job) {
            self.completed.extend(index_of(pod).filter(|index| (0..completions).contains(index)));
        }
    }

    fn failure(&mut self, job: &Value, pod: &Value) {
        match verdict(job, pod) {
            Verdict::Ignore => self.row -= 1,
            Verdict::Count => self.failed += 1,
            Verdict::FailIndex => {
                self.failed += 1;
                self.failed_indexes.give_up(pod);
            }
            Verdict::FailJob(why) => {
                self.failed += 1;
                self.verdict.get_or_insert(why);
            }
        }
    }
}
