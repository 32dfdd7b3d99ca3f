//! Rules that say where and how something goes wrong.
//!
//! A rule names one of five [`Hook`]s, what it matches there, and an [`Effect`]. The component that owns the hook asks
//! [`FaultSet::strike`] with the facts at hand; with an empty set that costs one atomic load, and with many rules next to
//! nothing for those that name something else. Rules are data: they are listed, added and cleared while a world runs.

mod history;
mod index;
mod line;
mod passed;
mod pattern;
mod rules;
mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::history::{Explanation, History, Occasion};
pub use self::line::Line;
pub use self::pattern::text_matches;
use self::rules::Rules;
pub use self::text::{WIRE_EFFECTS, WireRule};
use crate::clock::Clock;
use crate::journal::{Entry, Journal};
use crate::seed::{Seed, Stream};

/// Where a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// On the wire: the gateway and the forward proxies, outside TLS.
    Wire,
    /// A request arrived; nothing has happened yet.
    Before,
    /// The effect is committed; the answer is about to leave.
    After,
    /// A long-running operation comes due.
    Settle,
    /// The kubelet is about to act on a pod or a node.
    Kubelet,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "camelCase")]
pub enum Effect {
    /// Nothing for this long (world time), then as usual.
    Delay {
        /// Milliseconds of world time.
        millis: u64,
    },
    /// Answer with an HTTP status and an error of the surface's own form.
    Respond {
        /// The HTTP status.
        status: u16,
        /// The error code in the body.
        code: String,
        /// The error message in the body.
        message: String,
        /// Seconds for `Retry-After`.
        #[serde(default, rename = "retryAfter")]
        retry_after: Option<u64>,
    },
    /// The connection is reset.
    Reset,
    /// The connection stays open and nothing ever comes.
    Hang,
    /// The connection is refused, or the proxy says 502.
    Refuse,
    /// The operation ends as `Failed` with this error.
    Fail {
        /// The error code.
        code: String,
        /// The error message.
        message: String,
    },
    /// The operation, container or node never gets there.
    Stuck,
    /// The connection is let through, and something happens to its bytes.
    #[serde(untagged)]
    Line(Line),
}

/// What a rule looks at. Every field that is given must agree; texts compare without case, `*` at either end of a
/// text stands for anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Matcher {
    /// Named facts of the hook: `host`, `method`, `path`, `route`, `apiVersion`, `caller`, `cluster`, `image`, …
    pub facts: BTreeMap<String, String>,
    /// Only the matches with these numbers, counted from 1 for this rule.
    pub nth: Option<Vec<u64>>,
    /// Only from this moment of world time on.
    pub from: Option<Timestamp>,
    /// Only until this moment of world time.
    pub until: Option<Timestamp>,
    /// Only with this probability (0 to 1), drawn from the world's seed.
    pub probability: Option<f64>,
}

/// A fault rule. Reading one is strict: an unknown key, or one that does not belong to the effect, is an error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// Its name, unique in the set; empty in a text that names none.
    pub id: String,
    /// Where it applies.
    pub hook: Hook,
    /// What it matches.
    #[serde(rename = "match")]
    pub matcher: Matcher,
    /// What it does.
    #[serde(flatten)]
    pub effect: Effect,
}

/// A rule with its history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleStatus {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// How often its facts agreed.
    pub matched: u64,
    /// How often it fired.
    pub fired: u64,
    /// Why it last did not fire although its facts agreed, or which fact kept it from matching.
    #[serde(skip_serializing_if = "Option::is_none", rename = "lastMiss")]
    pub last_miss: Option<String>,
}

/// The facts of one occasion at a hook.
pub type Facts<'a> = [(&'a str, &'a str)];

/// The rules of one world. Cheap to clone; clones share the rules.
#[derive(Debug, Clone)]
pub struct FaultSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    any: AtomicBool,
    held: AtomicUsize,
    rules: Mutex<Rules>,
    draws: Stream,
    clock: Clock,
    journal: Journal,
}

/// While it lives, no rule of its set strikes.
#[derive(Debug)]
pub struct Held(Arc<Inner>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::AcqRel);
    }
}

impl FaultSet {
    /// An empty set.
    #[must_use]
    pub fn new(seed: Seed, clock: Clock, journal: Journal) -> Self {
        Self(Arc::new(Inner {
            any: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            rules: Mutex::default(),
            draws: seed.stream("fault"),
            clock,
            journal,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        self.0.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule, replacing the one of the same id.
    pub fn add(&self, rule: Rule) {
        let mut rules = self.lock();
        rules.add(rule);
        self.0.any.store(true, Ordering::Release);
    }

    /// Removes the rule with this id, or all of them. Returns how many went.
    pub fn clear(&self, id: Option<&str>) -> usize {
        let mut rules = self.lock();
        let removed = rules.clear(id);
        self.0.any.store(!rules.is_empty(), Ordering::Release);
        removed
    }

    /// The rules, in the order added, with what became of them.
    #[must_use]
    pub fn list(&self) -> Vec<RuleStatus> {
        self.lock().list()
    }

    /// Whether there is a rule of this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.lock().contains(id)
    }

    /// Why the rule of this id fired or did not, as far as is remembered: what came by is kept for 256 occasions that differ.
    #[must_use]
    pub fn explain(&self, id: &str) -> Option<Explanation> {
        self.lock().explain(id)
    }

    /// Whether there is no rule at all. Costs one atomic load.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.0.any.load(Ordering::Acquire)
    }

    /// Keeps every rule from striking until the guard is dropped: for somebody who looks on and must see what is there.
    #[must_use]
    pub fn hold(&self) -> Held {
        self.0.held.fetch_add(1, Ordering::AcqRel);
        Held(self.0.clone())
    }

    /// The effect of the first rule that fires here, if any. Firing is recorded in the journal.
    #[must_use]
    pub fn strike(&self, hook: Hook, facts: &Facts<'_>) -> Option<Effect> {
        if self.is_empty() || self.0.held.load(Ordering::Acquire) > 0 {
            return None;
        }
        let now = self.0.clock.now();
        let (id, effect) = self.lock().strike(hook, facts, now, &self.0.draws)?;
        let mut entry = Entry::new("faults", "fault").fact("rule", id.as_str());
        for (name, value) in facts {
            entry = entry.fact(name, *value);
        }
        self.0.journal.record(entry);
        Some(effect)
    }

    /// Carries out the effects that are mere waiting: [`Effect::Delay`] and [`Effect::Hang`]. Others come back.
    pub async fn wait_out(&self, effect: Option<Effect>) -> Option<Effect> {
        match effect {
            Some(Effect::Delay { millis }) => {
                self.0.clock.note_stall();
                drop(self.0.clock.sleep(Duration::from_millis(millis)).await);
                None
            }
            Some(Effect::Hang) => {
                self.0.clock.note_stall();
                std::future::pending().await
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Mode;
    use crate::journal::Filter;

    fn set() -> (FaultSet, Journal) {
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let journal = Journal::new(clock.clone());
        (FaultSet::new(Seed::new(1), clock, journal.clone()), journal)
    }

    fn rule(text: &str) -> Rule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_rule_fires_on_the_nth_match_and_says_why_it_did_not_before() {
        let (faults, journal) = set();
        faults.add(rule(
            r#"{"id":"r","hook":"before","match":{"facts":{"path":"*/connectedClusters/*"},"nth":[2]},"effect":"reset"}"#,
        ));
        let facts = [("path", "/x/connectedclusters/c")];
        assert_eq!(faults.strike(Hook::After, &facts), None);
        let held = faults.hold();
        assert_eq!(faults.strike(Hook::Before, &facts), None);
        assert_eq!(faults.list()[0].matched, 0, "who looks on does not count");
        drop(held);
        assert_eq!(faults.strike(Hook::Before, &facts), None);
        assert!(faults.list()[0].last_miss.as_ref().unwrap().contains("nth"));
        assert_eq!(faults.strike(Hook::Before, &facts), Some(Effect::Reset));
        assert_eq!(journal.read(&Filter::default()).len(), 1);
        assert_eq!(faults.clear(None), 1);
        assert_eq!(faults.strike(Hook::Before, &facts), None);
    }

    #[test]
    fn a_rule_remembers_when_it_fired_and_by_what_it_nearly_did() {
        let (faults, _) = set();
        faults.add(rule(
            r#"{"id":"r","hook":"before","match":{"facts":{"method":"PUT","path":"*/groups/*"},"nth":[1]},"effect":"reset"}"#,
        ));
        assert!(faults.explain("other").is_none());
        let strike =
            |method: &str, path: &str| faults.strike(Hook::Before, &[("method", method), ("path", path)]);
        strike("GET", "/x");
        let closest = faults.explain("r").unwrap().history.closest.unwrap();
        assert_eq!(closest.missed, ["method is GET, not PUT", "path is /x, not */groups/*"]);
        strike("GET", "/groups/g");
        strike("PUT", "/groups/g");
        strike("PUT", "/groups/h");
        let history = faults.explain("r").unwrap().history;
        assert_eq!((history.seen, history.firings.len()), (4, 1));
        assert_eq!(history.firings[0].facts["path"], "/groups/g");
        let near: Vec<&str> = history.near_misses.iter().map(|one| one.missed[0].as_str()).collect();
        assert_eq!(near, ["method is GET, not PUT", "match number 2 is not listed in nth"]);
    }
}
