//! The files of the suite: cases, what was recorded for them, and the known differences.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::case::CaseFile;
use super::run::Outcome;
use crate::repository::root;

/// `fixtures/conformance`.
#[must_use]
pub fn folder() -> PathBuf {
    root().join("fixtures").join("conformance")
}

/// What a real server answered to the cases of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Version of the server.
    pub kubernetes: String,
    /// Hash of the file of cases that was sent.
    pub cases: String,
    /// Answers by case, a step each.
    pub outcomes: BTreeMap<String, Vec<Outcome>>,
}

/// Known differences: area, case, reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Differences(pub BTreeMap<String, BTreeMap<String, String>>);

impl Differences {
    /// Reads `differences.yaml`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read() -> Result<Self, String> {
        let text = read(&folder().join("differences.yaml"))?;
        serde_saphyr::from_str(&text).map_err(|error| format!("differences.yaml: {error}"))
    }

    /// Why a case may differ.
    #[must_use]
    pub fn reason(&self, area: &str, case: &str) -> Option<&str> {
        self.0.get(area)?.get(case).map(String::as_str)
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// All files of cases, by area.
///
/// # Errors
/// What is wrong with one, for people.
pub fn read_cases() -> Result<Vec<CaseFile>, String> {
    let folder = folder().join("cases");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let area = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            CaseFile::parse(&area, &read(path)?)
        })
        .collect()
}

fn recording_path(area: &str) -> PathBuf {
    folder().join("recorded").join(format!("{area}.json"))
}

/// What was recorded for an area.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn read_recording(area: &str) -> Result<Recording, String> {
    let path = recording_path(area);
    serde_json::from_str(&read(&path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// Records what a real server answered.
///
/// # Errors
/// When the file cannot be written.
pub fn write_recording(area: &str, recording: &Recording) -> Result<(), String> {
    let path = recording_path(area);
    let text = serde_json::to_string_pretty(recording).map_err(|error| error.to_string())?;
    std::fs::create_dir_all(folder().join("recorded"))
        .and_then(|()| std::fs::write(&path, text + "\n"))
        .map_err(|error| format!("{}: {error}", path.display()))
}
