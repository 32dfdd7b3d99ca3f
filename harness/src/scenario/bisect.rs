//! On what of the seed a scenario depends: which seeds pass and which fail, and where the first that fails goes another way.

use regex_lite::Regex;
use serde::Serialize;
use sim_core::journal::Event;

use super::report::{Report, Verdict};

/// So many events are shown from where two journals part.
const SHOWN: usize = 3;

/// What came of one scenario with many seeds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bisected {
    /// The scenario.
    pub name: String,
    /// Seeds that passed, in their order.
    pub passed: Vec<u64>,
    /// Seeds that did not pass.
    pub failed: Vec<u64>,
    /// The smallest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_failing: Option<u64>,
    /// What was not as it should be with that seed.
    pub problems: Vec<String>,
    /// Where its journal departs from that of a seed that passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub departure: Option<Departure>,
}

/// Where two journals part. Ids and names that are drawn are not compared, nor are times; of the seeds that passed, the one is
/// taken whose journal is alike for longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Departure {
    /// The seed that failed.
    pub failing: u64,
    /// The seed that passed.
    pub passing: u64,
    /// How many events are alike from the begin.
    pub alike: usize,
    /// The last event that is alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What then came with the seed that failed.
    pub failing_next: Vec<String>,
    /// What then came with the seed that passed.
    pub passing_next: Vec<String>,
}

/// Compares the reports of one scenario with many seeds.
#[must_use]
pub fn bisected(name: &str, reports: &[Report]) -> Bisected {
    let mut sorted: Vec<&Report> = reports.iter().collect();
    sorted.sort_by_key(|report| report.seed);
    let (passed, failed): (Vec<&Report>, Vec<&Report>) =
        sorted.into_iter().partition(|report| report.verdict == Verdict::Passed);
    let seeds = |reports: &[&Report]| reports.iter().map(|report| report.seed).collect();
    let first = failed.first();
    Bisected {
        name: name.to_owned(),
        passed: seeds(&passed),
        failed: seeds(&failed),
        smallest_failing: first.map(|report| report.seed),
        problems: first.map(|report| report.problems()).unwrap_or_default(),
        departure: first.and_then(|failing| departure(failing, &passed)),
    }
}

fn departure(failing: &Report, passed: &[&Report]) -> Option<Departure> {
    let drawn = Drawn::new()?;
    let own = drawn.lines(&failing.events);
    let others = passed.iter().map(|report| (report.seed, drawn.lines(&report.events)));
    let compared = others.map(|(seed, lines)| {
        let alike = own.iter().zip(&lines).take_while(|(one, other)| one == other).count();
        (alike, seed, lines)
    });
    // The first of those that are alike for longest.
    let (alike, passing, lines) = compared.reduce(|best, one| if one.0 > best.0 { one } else { best })?;
    let next = |lines: &[String]| lines.iter().skip(alike).take(SHOWN).cloned().collect();
    Some(Departure {
        failing: failing.seed,
        passing,
        alike,
        last: alike.checked_sub(1).and_then(|last| own.get(last)).cloned(),
        failing_next: next(&own),
        passing_next: next(&lines),
    })
}

/// What in texts is drawn from the seed, and differs without meaning anything.
struct Drawn([(Regex, &'static str); 3]);

impl Drawn {
    fn new() -> Option<Self> {
        let id = "(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
        let made = |pattern: &str, by: &'static str| Some((Regex::new(pattern).ok()?, by));
        Some(Self([
            made(id, "(id)")?,
            made("(?i)[0-9a-f]{16,}", "(hash)")?,
            made("-[a-z0-9]{5,10}-[a-z0-9]{5}\\b", "-(pod)")?,
        ]))
    }

    /// One line for each event; those of one moment in the order of their lines.
    fn lines(&self, events: &[Event]) -> Vec<String> {
        let line = |event: &Event| {
            let mut line = format!("{} {}", event.actor, event.kind);
            for (name, value) in event.facts.iter().filter(|(name, _)| *name != "seed") {
                let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                line.push_str(&format!(" {name}={value}"));
            }
            for (name, flag) in [("committed", event.committed), ("delivered", event.delivered)] {
                line.push_str(&flag.map(|flag| format!(" {name}={flag}")).unwrap_or_default());
            }
            let plain =
                |line: String, (drawn, by): &(Regex, &str)| drawn.replace_all(&line, *by).into_owned();
            self.0.iter().fold(line, plain)
        };
        let mut lines: Vec<(jiff::Timestamp, String)> =
            events.iter().map(|event| (event.time, line(event))).collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

/// Numbers in their order, with those that follow each other as `1-4`.
#[must_use]
pub fn ranges(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let shown = |(first, last): (u64, u64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}-{last}"),
    };
    ranges.into_iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::{RunOptions, Scenario, run_all};
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_told_together() {
        assert_eq!(ranges(&[1, 2, 3, 5, 6, 9]), "1-3, 5, 6, 9");
        assert_eq!(ranges(&[]), "");
    }

    #[tokio::test]
    async fn a_scenario_that_depends_on_its_seed_is_told_with_where_the_journals_part() {
        let text = "title: t\nsymptom: s\ncause: c\nsources: [x]\ntags: [x]\n\
             faults: [{id: at-times, hook: before, match: {facts: {method: PUT, path: '*/resourcegroups/arc-lab'}, \
             probability: 0.5}, effect: respond, status: 400, code: Unlucky, message: m}]\n\
             steps: [{group: {}, expect: {armCode: Unlucky}}]\n\
             remedy: {what: w, steps: [{clear: all}, {group: {}}]}\n";
        let scenario = Scenario::read("at-times", text).unwrap();
        let seeded = (1..=12).map(|seed| {
            let mut one = scenario.clone();
            one.world.seed = seed;
            one
        });
        let reports = run_all(seeded.collect(), &RunOptions::default(), |_| {}).await;
        let told = bisected("at-times", &reports);
        assert_eq!(told.passed.len() + told.failed.len(), 12);
        assert!(!told.passed.is_empty(), "{told:?}");
        let departure = told.departure.unwrap();
        assert_eq!(Some(departure.failing), told.smallest_failing);
        assert!(departure.alike > 0, "{departure:?}");
        assert!(
            departure.passing_next[0].starts_with("arm request")
                || departure.passing_next[0].starts_with("faults fault")
        );
        assert_ne!(departure.failing_next[0], departure.passing_next[0]);
        assert!(told.problems[0].contains("step 1 (group)"), "{:?}", told.problems);
    }
}
