//! `backoffLimitPerIndex`: each index of a job fails by itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::tally::index_of;
use super::{backoff, indexes};
use crate::controllers::objects::{after, annotation, number, text};

/// The annotation of a pod with how often its index had failed before.
pub(super) const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";

/// Whether the indexes of a job have limits of their own.
pub(super) fn is_per_index(job: &Value) -> bool {
    number(job, "/spec/backoffLimitPerIndex").is_some()
}

/// How the indexes of a job have failed.
#[derive(Debug, Default, Clone)]
pub(super) struct FailedIndexes {
    /// Those that are given up.
    over: BTreeSet<i64>,
    /// How often each failed, and when last.
    failures: BTreeMap<i64, (i64, Option<Timestamp>)>,
}

impl FailedIndexes {
    /// What the job's status says already.
    pub(super) fn of(job: &Value) -> Self {
        let completions = number(job, "/spec/completions").unwrap_or_default();
        let over = indexes::read(text(job, "/status/failedIndexes"), completions);
        Self { over, ..Self::default() }
    }

    /// Counts a failed pod that ended at `end`.
    pub(super) fn add(&mut self, job: &Value, pod: &Value, end: Option<Timestamp>) {
        let (Some(limit), Some(index)) = (number(job, "/spec/backoffLimitPerIndex"), index_of(pod)) else {
            return;
        };
        let before = annotation(pod, FAILURES).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
        let entry = self.failures.entry(index).or_default();
        *entry = (entry.0.max(before.saturating_add(1)), entry.1.max(end));
        if entry.0 > limit {
            self.over.insert(index);
        }
    }

    /// Gives an index up, whatever its limit.
    pub(super) fn give_up(&mut self, pod: &Value) {
        self.over.extend(index_of(pod));
    }

    /// How often an index has failed.
    pub(super) fn failures(&self, index: i64) -> i64 {
        self.failures.get(&index).map_or(0, |(count, _)| *count)
    }

    fn retry(&self, index: i64) -> Option<Timestamp> {
        let (count, end) = self.failures.get(&index)?;
        end.map(|end| after(end, backoff(*count)))
    }

    /// Whether a pod for this index may be made now.
    pub(super) fn may_run(&self, index: i64, now: Timestamp) -> bool {
        !self.over.contains(&index) && self.retry(index).is_none_or(|retry| retry <= now)
    }

    /// When the next index may be tried again.
    pub(super) fn next_retry(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.failures.keys().filter(|index| !self.over.contains(index));
        waiting.filter_map(|index| self.retry(*index)).filter(|retry| *retry > now).min()
    }

    /// How many are given up.
    pub(super) fn count(&self) -> i64 {
        i64::try_from(self.over.len()).unwrap_or(i64::MAX)
    }

    /// As `status.failedIndexes` shows them.
    pub(super) fn text(&self) -> String {
        indexes::write(&self.over)
    }

    /// Why the job has failed, if it has.
    pub(super) fn outcome(
        &self,
        job: &Value,
        completed: &BTreeSet<i64>,
    ) -> Option<(&'static str, &'static str)> {
        if number(job, "/spec/maxFailedIndexes").is_some_and(|most| self.count() > most) {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Some(("MaxFailedIndexesExceeded", message));
        }
        let completions = number(job, "/spec/completions").unwrap_or_default();
        let done = self.count().saturating_add(i64::try_from(completed.len()).unwrap_or(i64::MAX));
        (!self.over.is_empty() && done >= completions).then_some(("FailedIndexes", "Job has failed indexes"))
    }
}
