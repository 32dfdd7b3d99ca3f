//! The scenarios that are built in.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::model::Scenario;
use super::read::ScenarioError;

/// Name and text of every file under `fixtures/scenarios`, each with a zero byte behind it.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/scenarios.gz"));

fn files() -> Vec<(String, String)> {
    let mut text = String::new();
    // What the build wrote can be read.
    let _ = GzDecoder::new(PACKED).read_to_string(&mut text);
    let mut parts = text.split('\0').map(ToOwned::to_owned);
    let mut files = Vec::new();
    while let (Some(name), Some(text)) = (parts.next(), parts.next()) {
        files.push((name, text));
    }
    files
}

/// Every built-in scenario, by name.
///
/// # Errors
/// [`ScenarioError`] when one of them is none; a test holds that none is.
pub fn built_in() -> Result<Vec<Scenario>, ScenarioError> {
    files().iter().map(|(name, text)| Scenario::read(name, text)).collect()
}

/// The text of a built-in scenario.
#[must_use]
pub fn text_of(name: &str) -> Option<String> {
    files().into_iter().find(|(known, _)| known == name).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_can_be_read_and_has_a_name_of_its_own() {
        let all = built_in().unwrap();
        assert!(all.len() >= 70, "{} scenarios", all.len());
        let mut names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        for one in &all {
            assert!(text_of(&one.name).is_some());
            assert!(one.sources.iter().all(|source| source.starts_with("https://")), "{}", one.name);
            assert!(!one.tags.is_empty(), "{}", one.name);
            assert!(one.doubts().is_empty(), "{}: {:?}", one.name, one.doubts());
        }
    }
}
