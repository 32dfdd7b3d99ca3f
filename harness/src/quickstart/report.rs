//! What the tour reports: one record of its steps.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// How a step, or the whole tour, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// What the page promises came true.
    Done,
    /// It did not.
    Failed,
    /// The step was left out: the user wanted so, or an earlier one failed.
    Skipped,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// Its number, from 1.
    pub number: u32,
    /// What it is about.
    pub title: &'static str,
    /// The commands that it stands for.
    pub commands: Vec<String>,
    /// False for a step that the page does not have.
    pub on_page: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, if it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// World time that it took, in seconds.
    #[serde(rename = "virtualSeconds", serialize_with = "seconds")]
    pub virtual_time: Duration,
    /// Wall time that it took, in seconds.
    #[serde(rename = "wallSeconds", serialize_with = "seconds")]
    pub wall_time: Duration,
    /// What came out of it.
    pub result: Value,
}

/// The whole tour.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The world's seed.
    pub seed: u64,
    /// World time from the first step to the last, in seconds.
    #[serde(rename = "virtualSeconds", serialize_with = "seconds")]
    pub virtual_time: Duration,
    /// Wall time from the first step to the last, in seconds.
    #[serde(rename = "wallSeconds", serialize_with = "seconds")]
    pub wall_time: Duration,
    /// The steps.
    pub steps: Vec<StepReport>,
}

impl Report {
    /// The step that failed, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.outcome == Outcome::Failed)
    }
}

fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Milliseconds are exact enough, and keep the report readable.
    serializer.serialize_f64((span.as_secs_f64() * 1000.0).round() / 1000.0)
}
