//! The rules of a set, and what became of each.
//!
//! At an occasion only rules whose facts could agree are looked at. That another rule was missed is found out when somebody
//! asks for it, from what came by: a rule that does not concern an occasion costs it nothing.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::history::{Explanation, History, Occasion, keep};
use super::index::Index;
use super::passed::{Passed, Seen};
use super::pattern::Pattern;
use super::{Effect, Facts, Hook, Rule, RuleStatus};
use crate::seed::Stream;

/// The rules, in the order added.
#[derive(Debug, Default)]
pub(super) struct Rules {
    known: Vec<Known>,
    hooks: [AtHook; 5],
}

/// What a hook has.
#[derive(Debug, Default)]
struct AtHook {
    /// None until it is needed: the rules have changed.
    index: Option<Index>,
    passed: Passed,
}

/// A rule of the set.
#[derive(Debug)]
pub(super) struct Known {
    rule: Rule,
    patterns: Vec<(String, Pattern)>,
    matched: u64,
    fired: u64,
    /// The number of the last occasion before it was added.
    added: u64,
    firings: VecDeque<Occasion>,
    /// Occasions at which its facts agreed and it did not fire, with their numbers.
    agreed: VecDeque<(u64, Occasion)>,
}

impl Rules {
    /// Adds a rule, replacing the one of the same id.
    pub(super) fn add(&mut self, rule: Rule) {
        self.known.retain(|known| known.rule.id != rule.id);
        let added = self.hooks[rule.hook as usize].passed.count();
        self.known.push(Known::new(rule, added));
        self.changed();
    }

    /// Removes the rule with this id, or all of them. Returns how many went.
    pub(super) fn clear(&mut self, id: Option<&str>) -> usize {
        let before = self.known.len();
        self.known.retain(|known| id.is_some_and(|id| known.rule.id != id));
        self.changed();
        before - self.known.len()
    }

    fn changed(&mut self) {
        if self.known.is_empty() {
            self.hooks = Default::default();
        }
        for at in &mut self.hooks {
            at.index = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.known.iter().any(|known| known.rule.id == id)
    }

    pub(super) fn list(&self) -> Vec<RuleStatus> {
        let seen = self.hooks.each_ref().map(|at| at.passed.since(0));
        self.known.iter().map(|known| known.status(&seen[known.rule.hook as usize])).collect()
    }

    pub(super) fn explain(&self, id: &str) -> Option<Explanation> {
        let known = self.known.iter().find(|known| known.rule.id == id)?;
        let passed = &self.hooks[known.rule.hook as usize].passed;
        let seen = passed.since(known.added);
        Some(Explanation { status: known.status(&seen), history: known.history(passed.count(), &seen) })
    }

    /// Id and effect of the first rule that fires at an occasion.
    pub(super) fn strike(
        &mut self,
        hook: Hook,
        facts: &Facts<'_>,
        now: Timestamp,
        draws: &Stream,
    ) -> Option<(String, Effect)> {
        let Self { known, hooks } = self;
        let at = &mut hooks[hook as usize];
        let index = at.index.get_or_insert_with(|| {
            Index::of(known.iter().enumerate().filter(|(_, known)| known.rule.hook == hook))
        });
        if index.is_empty() {
            return None;
        }
        let number = at.passed.note(now, facts);
        let mut struck: Option<(String, Effect)> = None;
        for position in index.candidates(facts) {
            let Some(known) = known.get_mut(*position).filter(|known| known.agrees(facts)) else { continue };
            let missed = match &struck {
                Some((id, _)) => Some(format!("rule '{id}' struck first")),
                None => known.kept_from_firing(now, draws),
            };
            let occasion = Occasion::of(now, facts, missed);
            if !occasion.missed.is_empty() {
                keep(&mut known.agreed, (number, occasion));
                continue;
            }
            keep(&mut known.firings, occasion);
            known.fired += 1;
            struck = Some((known.rule.id.clone(), known.rule.effect.clone()));
        }
        struck
    }
}

impl Known {
    fn new(rule: Rule, added: u64) -> Self {
        let read = |(name, text): (&String, &String)| (name.clone(), Pattern::read(text));
        let patterns = rule.matcher.facts.iter().map(read).collect();
        let (firings, agreed) = (VecDeque::new(), VecDeque::new());
        Self { rule, patterns, matched: 0, fired: 0, added, firings, agreed }
    }

    /// What must occur in which fact.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.patterns.iter().map(|(name, pattern)| (name.as_str(), pattern.needle()))
    }

    fn agrees(&self, facts: &Facts<'_>) -> bool {
        self.patterns.iter().all(|(name, pattern)| {
            facts.iter().find(|(fact, _)| fact == name).is_some_and(|(_, value)| pattern.matches(value))
        })
    }

    /// What else than facts keeps it from firing where they agree.
    fn kept_from_firing(&mut self, now: Timestamp, draws: &Stream) -> Option<String> {
        self.matched += 1;
        let matcher = &self.rule.matcher;
        if matcher.nth.as_ref().is_some_and(|nth| !nth.contains(&self.matched)) {
            return Some(format!("match number {} is not listed in nth", self.matched));
        }
        if matcher.from.is_some_and(|from| now < from) || matcher.until.is_some_and(|until| now >= until) {
            return Some(format!("the world's time {now} is outside of its window"));
        }
        let unlucky = matcher.probability.is_some_and(|probability| draws.unit() >= probability);
        unlucky.then(|| "the draw went against it".into())
    }

    /// The facts of an occasion that are not as it wants them.
    fn missed<'a>(&'a self, seen: &'a Seen) -> impl Iterator<Item = String> + 'a {
        self.patterns.iter().filter_map(|(name, pattern)| {
            let found = seen.facts.get(name);
            if found.is_some_and(|found| pattern.matches(found)) {
                return None;
            }
            let wanted = self.rule.matcher.facts.get(name).map_or("", String::as_str);
            Some(format!("{name} is {}, not {wanted}", found.map_or("not known here", String::as_str)))
        })
    }

    /// `seen`: what came by its hook, the newest first.
    fn status(&self, seen: &[&Seen]) -> RuleStatus {
        let since = seen.iter().take_while(|seen| seen.last > self.added);
        let by_fact = since.filter_map(|seen| Some((seen.last, self.missed(seen).next()?))).next();
        let agreed =
            self.agreed.back().and_then(|(number, one)| Some((*number, one.missed.first()?.clone())));
        let last = by_fact.into_iter().chain(agreed).max_by_key(|(number, _)| *number);
        RuleStatus {
            rule: self.rule.clone(),
            matched: self.matched,
            fired: self.fired,
            last_miss: last.map(|(_, reason)| reason),
        }
    }

    /// `count`: how much came by its hook; `seen`: what of it since it was added, the newest first.
    fn history(&self, count: u64, seen: &[&Seen]) -> History {
        let (mut near, mut closest) = (self.agreed.iter().cloned().collect::<Vec<_>>(), None::<Occasion>);
        for seen in seen {
            let missed: Vec<String> = self.missed(seen).collect();
            let fewest = closest.as_ref().is_none_or(|closest| missed.len() <= closest.missed.len());
            let (one, some) = (missed.len() == 1, missed.len() > 1 && fewest);
            if !one && !some {
                continue;
            }
            let occasion = Occasion { time: seen.time, facts: seen.facts.clone(), missed };
            if one {
                near.push((seen.last, occasion));
            } else {
                closest = Some(occasion);
            }
        }
        near.sort_by_key(|(number, _)| *number);
        let mut near_misses = VecDeque::new();
        for (_, occasion) in near {
            keep(&mut near_misses, occasion);
        }
        History { seen: count - self.added, firings: self.firings.clone(), near_misses, closest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn rules(texts: impl Iterator<Item = String>) -> Rules {
        let mut rules = Rules::default();
        texts.for_each(|text| rules.add(serde_json::from_str(&text).unwrap()));
        rules
    }

    fn strike(rules: &mut Rules, facts: &Facts<'_>) -> Option<String> {
        let draws = Seed::new(1).stream("fault");
        rules.strike(Hook::Before, facts, Timestamp::UNIX_EPOCH, &draws).map(|(id, _)| id)
    }

    #[test]
    fn one_of_many_rules_strikes_where_it_would_strike_alone() {
        let forms = ["/Clusters/C{}", "*/c{}", "/clusters/c{}*", "*ers/c{}*", "*", ""];
        let texts = (0..300).map(|number| {
            let path = forms[number % forms.len()].replace("{}", &(number / forms.len()).to_string());
            let method = ["GET", "p*", "*"][number % 3];
            format!(
                r#"{{"id":"{number}","hook":"before","match":{{"facts":{{"method":"{method}","path":"{path}"}},"nth":[1]}},"effect":"reset"}}"#
            )
        });
        let texts: Vec<String> = texts.collect();
        let mut many = rules(texts.iter().cloned());
        let mut alone: Vec<Rules> = texts.iter().map(|text| rules(std::iter::once(text.clone()))).collect();
        for number in 0..200 {
            let path = format!("/clusters/c{}", number % 50);
            let facts = [("method", ["get", "PUT"][number % 2]), ("path", path.as_str())];
            // Who was told once by itself is out of the way here as well.
            let first = alone.iter_mut().find_map(|one| {
                let status = &one.list()[0];
                (status.fired == 0).then(|| strike(one, &facts)).flatten()
            });
            assert_eq!(strike(&mut many, &facts), first, "{number}: {facts:?}");
        }
        let fired: u64 = many.list().iter().map(|status| status.fired).sum();
        assert!(fired > 50, "{fired}");
    }

    #[test]
    fn a_rule_behind_one_that_strikes_says_so() {
        let texts = ["a", "b"].map(|id| format!(r#"{{"id":"{id}","hook":"before","effect":"reset"}}"#));
        let mut rules = rules(texts.into_iter());
        assert_eq!(strike(&mut rules, &[("path", "/x")]).as_deref(), Some("a"));
        let told = rules.explain("b").unwrap();
        assert_eq!((told.status.matched, told.status.fired, told.history.seen), (0, 0, 1));
        assert_eq!(told.history.near_misses[0].missed, ["rule 'a' struck first"]);
    }

    #[test]
    fn a_rule_knows_nothing_of_what_was_before_it() {
        let rule = |id: &str| {
            format!(r#"{{"id":"{id}","hook":"before","match":{{"facts":{{"path":"/y"}}}},"effect":"reset"}}"#)
        };
        let mut rules = rules(std::iter::once(rule("a")));
        strike(&mut rules, &[("path", "/x")]);
        rules.add(serde_json::from_str(&rule("b")).unwrap());
        assert_eq!(rules.list()[0].last_miss.as_deref(), Some("path is /x, not /y"));
        assert_eq!(rules.list()[1].last_miss, None);
        let told = rules.explain("b").unwrap().history;
        assert_eq!((told.seen, told.near_misses.len()), (0, 0));
    }
}
