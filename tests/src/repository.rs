//! Reads the repository itself, for the tests that hold its rules.

use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A text file of the repository.
#[derive(Debug)]
pub struct Source {
    /// Its path below the root, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// All text files that belong to the repository: what is neither hidden by name nor built.
#[must_use]
pub fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == ".git" || name == "target" || name == "Cargo.lock" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let relative = path.strip_prefix(&root).unwrap_or(&path);
                found.push(Source { path: relative.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The Rust sources.
#[must_use]
pub fn rust_sources() -> Vec<Source> {
    sources()
        .into_iter()
        .filter(|source| Path::new(&source.path).extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// A Rust source without its test module and without comments: what the rules about calls look at. Test modules stand at
/// the end of a file.
#[must_use]
pub fn code_only(text: &str) -> String {
    let tests = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(|at| {
        let next = text[*at..].lines().nth(1).unwrap_or_default();
        next.ends_with('{') || next.starts_with("#[")
    });
    let code = &text[..tests.unwrap_or(text.len())];
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether a source is only compiled for tests, going by its place or name.
#[must_use]
pub fn is_test_code(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let named = ["tests.rs", "testing.rs", "test_servers.rs"].contains(&file) || file.ends_with("_tests.rs");
    named || path.starts_with("tests/") || path.contains("/tests/") || path.contains("/testing/")
}
