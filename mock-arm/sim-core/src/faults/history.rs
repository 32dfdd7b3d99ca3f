//! What rules saw: when they fired, and when they nearly did.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Facts, RuleStatus};

/// How many occasions of each kind are kept for a rule; older ones are dropped.
const KEPT: usize = 10;

/// One occasion at a rule's hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasion {
    /// World time.
    pub time: Timestamp,
    /// What was known there.
    pub facts: BTreeMap<String, String>,
    /// What kept the rule from firing; empty when it fired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<String>,
}

/// What a rule saw.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct History {
    /// How many occasions there were at its hook.
    pub seen: u64,
    /// When it fired, the last ten.
    pub firings: VecDeque<Occasion>,
    /// When only one thing kept it from firing, the last ten that differ in some fact.
    pub near_misses: VecDeque<Occasion>,
    /// An occasion that missed by the fewest facts, of those that missed by several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closest: Option<Occasion>,
}

/// A rule with everything that is known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explanation {
    /// The rule, and its counts.
    #[serde(flatten)]
    pub status: RuleStatus,
    /// What it saw.
    #[serde(flatten)]
    pub history: History,
}

impl Occasion {
    /// What is known of this moment.
    pub(super) fn of(time: Timestamp, facts: &Facts<'_>, missed: Option<String>) -> Self {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { time, facts, missed: missed.into_iter().collect() }
    }
}

/// Keeps something, and drops the oldest where there are ten.
pub(super) fn keep<T>(kept: &mut VecDeque<T>, one: T) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(one);
}
