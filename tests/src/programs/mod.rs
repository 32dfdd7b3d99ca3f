//! Software that nobody here wrote, at work on two servers: programs around client-go, controller-runtime and the Python client
//! run against the embedded cluster and against a real API server, and must print the same.
//!
//! What they print has nothing that a server draws. What a real server made them print is recorded under `fixtures/programs`,
//! with a hash of the program. `tests/setup-programs` builds and installs them.

mod recording;
mod server;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use crate::cache;
use crate::clients::Client;
use crate::repository::root;

pub use recording::Recording;
pub use server::{SHELL_IMAGE, Server};

/// A program, and what it needs.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is, in words.
    pub name: &'static str,
    /// What it is made of: `go`, `python` or `bundles` (charts and definitions that others publish).
    pub language: &'static str,
    /// Whether it needs pods that run.
    pub pods: bool,
    /// Hash of everything that decides what it prints.
    pub hash: String,
    /// Program and arguments; the namespace that it is to make and use comes after them.
    command: Vec<OsString>,
    /// Further variables.
    environment: Vec<(&'static str, &'static str)>,
    /// What it was built or installed from, below `tests/programs`.
    sources: &'static str,
}

/// Where `tests/setup-programs` keeps what it made.
fn folder() -> PathBuf {
    cache::folder("DRYARC_TEST_PROGRAMS", "programs").unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash that `tests/setup-programs` writes down too: of a list of the files with their hashes.
fn hash_of(sources: &[&str]) -> Result<String, String> {
    let folder = root().join("tests/programs");
    let mut files = Vec::new();
    let mut places: Vec<PathBuf> = sources.iter().map(PathBuf::from).collect();
    while let Some(place) = places.pop() {
        let path = folder.join(&place);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if path.is_dir() {
            let entries = path.read_dir().map_err(failed)?;
            places.extend(entries.flatten().map(|entry| place.join(entry.file_name())));
        } else {
            files.push((place.display().to_string(), hex(&std::fs::read(&path).map_err(failed)?)));
        }
    }
    files.sort();
    let list: String = files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
    Ok(hex(list.as_bytes()))
}

impl Program {
    fn go(name: &'static str, program: &str) -> Result<Self, String> {
        let command = vec![folder().join("go").join(program).into()];
        let (hash, environment) = (hash_of(&["go"])?, Vec::new());
        Ok(Self { name, language: "go", pods: false, hash, command, environment, sources: "go" })
    }

    fn python(name: &'static str, file: &str) -> Result<Self, String> {
        let script = format!("python/{file}");
        let source = Path::new("tests/programs").join(&script);
        let command = vec![folder().join("python/bin/python").into(), root().join(source).into()];
        let (sources, environment) = ("python/requirements.txt", vec![("PYTHONDONTWRITEBYTECODE", "1")]);
        let hash = hash_of(&[&script, sources])?;
        Ok(Self { name, language: "python", pods: false, hash, command, environment, sources })
    }

    fn bundle(name: &'static str, bundle: &'static str) -> Result<Self, String> {
        const SCRIPT: &str = "bundles/bundles.sh";
        let command = vec!["sh".into(), root().join("tests/programs").join(SCRIPT).into()];
        let (sources, environment) = ("bundles/modules", vec![("BUNDLE", bundle)]);
        let hash = hash_of(&[SCRIPT, sources])?;
        Ok(Self { name, language: "bundles", pods: false, hash, command, environment, sources })
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// All of them.
    ///
    /// # Errors
    /// When a source cannot be read.
    pub fn all() -> Result<Vec<Self>, String> {
        let pods = Self::python("pods through the Python client", "pods.py")?;
        Ok(vec![
            Self::go("client-go informers", "informer")?,
            Self::go("client-go informers that stream their lists", "informer")?
                .with("KUBE_FEATURE_WatchListClient", "true"),
            Self::go("controller-runtime with leader election", "operator")?,
            Self::python("the Python client", "api.py")?,
            Self { pods: true, ..pods },
            Self::bundle("Gateway API", "gateway-api")?,
            Self::bundle("Prometheus operator", "prometheus-operator")?,
            Self::bundle("external-dns by helm", "external-dns")?,
        ])
    }

    /// The name of its recording.
    fn file(&self) -> String {
        let plain = self.name.replace(|c: char| !c.is_ascii_alphanumeric(), " ").to_lowercase();
        format!("{}.txt", plain.split_whitespace().collect::<Vec<_>>().join("-"))
    }

    /// Why it cannot run on this machine.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let language = self.language;
        for tool in [Client::Kubectl, Client::Helm] {
            if language == "bundles" && tool.find().is_none() {
                return Some(format!("{} is not installed", tool.name()));
            }
        }
        let made = std::fs::read_to_string(folder().join(format!("{language}.made"))).unwrap_or_default();
        match (made.trim(), hash_of(&[self.sources])) {
            ("", _) => Some(format!(
                "the programs in {language} are not installed; `tests/setup-programs` does that"
            )),
            (made, Ok(wanted)) if made == wanted => None,
            _ => Some(format!("the installed programs in {language} are older than tests/programs")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_recording_of_its_own_that_fits_it() {
        let programs = Program::all().unwrap();
        let files: std::collections::BTreeSet<String> = programs.iter().map(Program::file).collect();
        assert_eq!(files.len(), programs.len());
        for program in &programs {
            Recording::read(program).unwrap();
        }
    }
}
