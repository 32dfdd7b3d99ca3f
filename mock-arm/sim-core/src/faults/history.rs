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
    /// When only one thing kept it from firing, the last ten.
    pub near_misses: VecDeque<Occasion>,
    /// Where nothing else is known: the first occasion that missed by the fewest facts.
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

impl History {
    /// Takes in an occasion that was missed for these reasons, or at which the rule fired.
    pub(super) fn note(&mut self, time: Timestamp, facts: &Facts<'_>, missed: Vec<String>) {
        self.seen += 1;
        let fewer = self.closest.as_ref().is_none_or(|closest| missed.len() < closest.missed.len());
        if missed.len() > 1 && !fewer {
            return;
        }
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let count = missed.len();
        let occasion = Occasion { time, facts, missed };
        match count {
            0 => keep(&mut self.firings, occasion),
            1 => keep(&mut self.near_misses, occasion),
            _ => self.closest = Some(occasion),
        }
    }
}

fn keep(kept: &mut VecDeque<Occasion>, occasion: Occasion) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(occasion);
}
