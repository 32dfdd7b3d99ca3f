//! Which of many rules could agree with some facts, found without looking at each of them.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::Facts;
use super::rules::Known;

/// So many rules are looked at one by one: that is quicker than asking first.
const FEW: usize = 16;
/// So many bytes of texts are put into the form that is quickest to ask, which takes some hundred bytes of memory for each.
const QUICK: usize = 32 << 10;

/// The rules of one hook, by their rarest text. Built once for a set of rules.
///
/// A rule whose texts are shared by all the others (such as nothing but a method) is found by each occasion that has that
/// text; the index saves time where rules name different things.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Rules that are always looked at.
    always: Vec<usize>,
    anchored: Vec<Anchored>,
    found: Vec<usize>,
}

/// Rules that are looked at only when some text occurs in a fact.
#[derive(Debug)]
struct Anchored {
    fact: String,
    texts: AhoCorasick,
    /// The rules of each text.
    rules: Vec<Vec<usize>>,
}

impl Index {
    /// An index over rules, each with its position.
    pub(super) fn of<'a>(rules: impl Iterator<Item = (usize, &'a Known)>) -> Self {
        let rules: Vec<(usize, &Known)> = rules.collect();
        if rules.len() <= FEW {
            let always = rules.into_iter().map(|(position, _)| position).collect();
            return Self { always, ..Self::default() };
        }
        let mut shared: HashMap<(&str, String), usize> = HashMap::new();
        for (fact, text) in rules.iter().flat_map(|(_, rule)| rule.texts()) {
            *shared.entry((fact, text.to_ascii_lowercase())).or_default() += 1;
        }
        let (mut index, mut anchors) = (Self::default(), HashMap::<_, HashMap<_, Vec<usize>>>::new());
        for (position, rule) in rules {
            let texts = rule.texts().filter(|(_, text)| !text.is_empty());
            let named = texts.map(|(fact, text)| (fact, text.to_ascii_lowercase()));
            // The rarest, and of those the longest.
            let rarest = named.min_by_key(|named| {
                (shared.get(named).copied().unwrap_or_default(), usize::MAX - named.1.len())
            });
            match rarest {
                None => index.always.push(position),
                Some((fact, text)) => {
                    anchors.entry(fact.to_owned()).or_default().entry(text).or_default().push(position);
                }
            }
        }
        for (fact, texts) in anchors {
            let (texts, rules): (Vec<String>, Vec<Vec<usize>>) = texts.into_iter().unzip();
            let bytes: usize = texts.iter().map(String::len).sum();
            let kind = (bytes <= QUICK).then_some(AhoCorasickKind::DFA);
            match AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(&texts) {
                Ok(texts) => index.anchored.push(Anchored { fact, texts, rules }),
                // More text than fits into one: then they are looked at.
                Err(_) => index.always.extend(rules.into_iter().flatten()),
            }
        }
        index
    }

    /// Whether there is no rule.
    pub(super) fn is_empty(&self) -> bool {
        self.always.is_empty() && self.anchored.is_empty()
    }

    /// The positions of the rules that could agree with these facts, in their order. All others do not.
    pub(super) fn candidates(&mut self, facts: &Facts<'_>) -> &[usize] {
        if self.anchored.is_empty() {
            return &self.always;
        }
        self.found.clear();
        self.found.extend_from_slice(&self.always);
        for Anchored { fact, texts, rules } in &self.anchored {
            let value = facts.iter().find(|(name, _)| name == fact).map_or("", |(_, value)| value);
            for text in texts.find_overlapping_iter(value) {
                self.found.extend(rules.get(text.pattern().as_usize()).into_iter().flatten());
            }
        }
        self.found.sort_unstable();
        self.found.dedup();
        &self.found
    }
}
