//! What came of scenarios.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sim_core::journal::Event;

use super::driver::Driver;
use super::model::Scenario;
use super::run::Outcome;

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It failed as it should, and the remedy helped.
    Passed,
    /// Something was not as it should be.
    Failed,
    /// It could not be performed.
    Broken,
    /// A program that would perform it is not there.
    Skipped,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Skipped => "skipped",
        }
    }
}

/// A step that was performed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Performed {
    /// Its action.
    pub action: &'static str,
    /// When it began, in world time.
    pub at: Timestamp,
    /// How long it took, in world time.
    #[serde(serialize_with = "seconds", rename = "virtualSeconds")]
    pub virtual_time: Duration,
    /// Whether something particular was expected of it.
    pub expected: bool,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What is not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
}

/// An act that was performed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// What it is about.
    pub what: String,
    /// When it began, in world time.
    pub at: Timestamp,
    /// How long it took, in world time.
    #[serde(serialize_with = "seconds", rename = "virtualSeconds")]
    pub virtual_time: Duration,
    /// Its steps, up to the first that did not end as expected.
    pub steps: Vec<Performed>,
    /// What is not true after it as it should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
    /// With the Azure CLI: the group and the connected clusters that there are after it, with their states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub azure: Vec<Value>,
}

impl Act {
    pub(super) fn new(what: &str, at: Timestamp) -> Self {
        Self {
            what: what.into(),
            at,
            virtual_time: Duration::ZERO,
            steps: Vec::new(),
            unmet: Vec::new(),
            azure: Vec::new(),
        }
    }

    /// Whether something in it is not as it should be.
    #[must_use]
    pub fn is_unmet(&self) -> bool {
        !self.unmet.is_empty() || self.steps.iter().any(|step| !step.unmet.is_empty())
    }
}

/// The report of one scenario.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What users say.
    pub symptom: String,
    /// Why it happens.
    pub cause: String,
    /// What makes it work.
    pub remedy: String,
    /// What it models.
    pub sources: Vec<String>,
    /// Words to choose it by.
    pub tags: Vec<String>,
    /// Who performed its steps.
    pub driver: Driver,
    /// Why the order of events and their times vary from run to run, where they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub varies: Option<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it was not performed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The seed of its world.
    pub seed: u64,
    /// World time from its begin to its end.
    #[serde(serialize_with = "seconds", rename = "virtualSeconds")]
    pub virtual_time: Duration,
    /// The same in wall time.
    #[serde(serialize_with = "seconds", rename = "wallSeconds")]
    pub wall_time: Duration,
    /// Its acts.
    pub acts: Vec<Act>,
    /// How often each rule fired.
    #[serde(serialize_with = "counts")]
    pub fired: Vec<(String, u64)>,
    /// What is not as it should be beyond its acts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
    /// The journal of its world, in canonical order.
    #[serde(skip)]
    pub journal: String,
    /// The same as it was recorded.
    #[serde(skip)]
    pub events: Vec<Event>,
}

fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((span.as_secs_f64() * 1000.0).round() / 1000.0)
}

fn counts<S: serde::Serializer>(fired: &[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fired.iter().map(|(id, count)| (id, count)))
}

impl Report {
    pub(super) fn new(scenario: &Scenario, driver: Driver, seed: u64) -> Self {
        Self {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            symptom: scenario.symptom.trim().to_owned(),
            cause: scenario.cause.trim().to_owned(),
            remedy: scenario.remedy.what.trim().to_owned(),
            sources: scenario.sources.clone(),
            tags: scenario.tags.clone(),
            driver,
            varies: varies(&scenario.programs(driver)),
            verdict: Verdict::Broken,
            skipped: None,
            seed,
            virtual_time: Duration::ZERO,
            wall_time: Duration::ZERO,
            acts: Vec::new(),
            fired: Vec::new(),
            unmet: Vec::new(),
            journal: String::new(),
            events: Vec::new(),
        }
    }

    /// Of a scenario that could not be performed.
    pub(super) fn broken(scenario: &Scenario, driver: Driver, reason: String) -> Self {
        Self { unmet: vec![reason], ..Self::new(scenario, driver, scenario.world.seed) }
    }

    /// Of a scenario that nobody here can perform.
    pub(super) fn skipped(scenario: &Scenario, driver: Driver, reason: String) -> Self {
        let report = Self::new(scenario, driver, scenario.world.seed);
        Self { verdict: Verdict::Skipped, skipped: Some(reason), ..report }
    }

    /// Everything that is not as it should be, with where it is so.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for act in &self.acts {
            for (number, step) in act.steps.iter().enumerate() {
                let place = format!("{}, step {} ({})", act.what, number + 1, step.action);
                problems.extend(step.unmet.iter().map(|reason| format!("{place}: {reason}")));
            }
            problems.extend(act.unmet.iter().map(|reason| format!("after {}: {reason}", act.what)));
        }
        problems.extend(self.unmet.iter().cloned());
        problems
    }

    /// What the user saw before the remedy: the last step that failed as expected.
    #[must_use]
    pub fn seen(&self) -> Option<&Performed> {
        self.acts.first()?.steps.iter().rev().find(|step| step.expected && step.outcome.exit != 0)
    }
}

/// Why a run with these programs is not the same each time.
fn varies(programs: &[&str]) -> Option<String> {
    let named = programs.join(", ");
    (!programs.is_empty()).then(|| {
        format!("real programs took part ({named}), at their own pace: order and times vary from run to run")
    })
}

/// The whole run as one document.
#[must_use]
pub fn document(reports: &[Report], wall_time: Duration) -> Value {
    let count = |verdict| reports.iter().filter(|report| report.verdict == verdict).count();
    let (passed, skipped) = (count(Verdict::Passed), count(Verdict::Skipped));
    json!({
        "scenarios": reports,
        "passed": passed,
        "failed": reports.len() - passed - skipped,
        "skipped": skipped,
        "wallSeconds": (wall_time.as_secs_f64() * 1000.0).round() / 1000.0,
    })
}
