//! The scenarios that are built in.

use super::model::Scenario;
use super::read::ScenarioError;

/// Name and text of every file under `fixtures/scenarios`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// Every built-in scenario, by name.
///
/// # Errors
/// [`ScenarioError`] when one of them is none; a test holds that none is.
pub fn built_in() -> Result<Vec<Scenario>, ScenarioError> {
    FILES.iter().map(|(name, text)| Scenario::read(name, text)).collect()
}

/// The text of a built-in scenario.
#[must_use]
pub fn text_of(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_can_be_read_and_has_a_name_of_its_own() {
        let all = built_in().unwrap();
        assert!(all.len() >= 40, "{} scenarios", all.len());
        let mut names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        for one in &all {
            assert!(text_of(&one.name).is_some());
            assert!(one.sources.iter().all(|source| source.starts_with("https://")), "{}", one.name);
            assert!(!one.tags.is_empty(), "{}", one.name);
        }
    }
}
