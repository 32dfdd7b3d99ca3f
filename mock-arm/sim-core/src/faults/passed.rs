//! What came by a hook, so that a rule can say later what kept it from firing.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::Facts;

/// So many occasions that differ in some fact are remembered at a hook; of those that have not come again for longest the
/// memory goes first.
const REMEMBERED: usize = 256;

/// What came by a hook since it has rules.
#[derive(Debug, Default)]
pub(super) struct Passed {
    count: u64,
    known: HashMap<Box<str>, Seen>,
    /// Room for the text of one occasion.
    text: String,
}

/// Occasions that agree in every fact.
#[derive(Debug)]
pub(super) struct Seen {
    /// The number of the last one.
    pub(super) last: u64,
    /// Its moment.
    pub(super) time: Timestamp,
    /// Its facts.
    pub(super) facts: BTreeMap<String, String>,
}

impl Passed {
    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Takes in an occasion, and gives it its number.
    pub(super) fn note(&mut self, time: Timestamp, facts: &Facts<'_>) -> u64 {
        self.count += 1;
        self.text.clear();
        for (name, value) in facts {
            for part in [name, "=", value, "\n"] {
                self.text.push_str(part);
            }
        }
        if let Some(seen) = self.known.get_mut(self.text.as_str()) {
            (seen.last, seen.time) = (self.count, time);
            return self.count;
        }
        if self.known.len() >= REMEMBERED
            && let Some(oldest) = self.known.iter().min_by_key(|(_, seen)| seen.last)
        {
            let text = oldest.0.clone();
            self.known.remove(&text);
        }
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.known.insert(self.text.as_str().into(), Seen { last: self.count, time, facts });
        self.count
    }

    /// What is remembered from behind a number on, the newest first.
    pub(super) fn since(&self, number: u64) -> Vec<&Seen> {
        let mut all: Vec<&Seen> = self.known.values().filter(|seen| seen.last > number).collect();
        all.sort_unstable_by_key(|seen| std::cmp::Reverse(seen.last));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_come_for_longest_is_forgotten_first() {
        let mut passed = Passed::default();
        let path = |number: usize| format!("/{number}");
        for number in 0..REMEMBERED {
            passed.note(Timestamp::UNIX_EPOCH, &[("path", &path(number))]);
        }
        passed.note(Timestamp::UNIX_EPOCH, &[("path", "/0")]);
        passed.note(Timestamp::UNIX_EPOCH, &[("path", "/new")]);
        let all = passed.since(0);
        let paths: Vec<&str> = all.iter().map(|seen| seen.facts["path"].as_str()).collect();
        assert_eq!((all.len(), &paths[..2]), (REMEMBERED, &["/new", "/0"][..]));
        assert!(!paths.contains(&"/1"));
        assert_eq!(passed.since(passed.count() - 1).len(), 1);
    }
}
