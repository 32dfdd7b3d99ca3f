//! What a program printed on a real server, as a file.

use std::path::PathBuf;

use similar::TextDiff;

use super::Program;
use crate::repository::root;

/// What a real server made a program print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Version of the server.
    pub kubernetes: String,
    /// Hash of the program that was run.
    pub program: String,
    /// What it printed.
    pub output: String,
}

fn path(program: &Program) -> PathBuf {
    root().join("fixtures/programs").join(program.file())
}

impl Recording {
    /// Reads the recording of a program.
    ///
    /// # Errors
    /// When there is none, or it is of another program than the present one.
    pub fn read(program: &Program) -> Result<Self, String> {
        let path = path(program);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        match Self::parse(&text) {
            Some(found) if found.program == program.hash => Ok(found),
            Some(_) => Err(format!(
                "{}: the program has changed since it was recorded; record it anew with UPDATE_GOLDEN=1",
                path.display()
            )),
            None => Err(format!("{}: no recording", path.display())),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, output) = text.split_once('\n')?;
        let (kubernetes, program) = first.strip_prefix("# Kubernetes ")?.split_once(", program ")?;
        Some(Self { kubernetes: kubernetes.into(), program: program.into(), output: output.into() })
    }

    fn text(&self) -> String {
        format!("# Kubernetes {}, program {}\n{}", self.kubernetes, self.program, self.output)
    }

    /// Writes down what a program printed on a real server.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(program: &Program, output: &str) -> Result<(), String> {
        let kubernetes = kube_sim::KUBERNETES_VERSION.to_owned();
        let recording = Self { kubernetes, program: program.hash.clone(), output: output.to_owned() };
        let path = path(program);
        let parent = path.parent().map(PathBuf::from).unwrap_or_default();
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, recording.text()))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Holds what a server made the program print against the recording.
    ///
    /// # Errors
    /// How they differ, for people.
    pub fn compare(&self, seen: &str, server: &str) -> Result<(), String> {
        if self.output == seen {
            return Ok(());
        }
        let diff = TextDiff::from_lines(self.output.as_str(), seen);
        Err(diff.unified_diff().context_radius(3).header("recorded", server).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_read_as_it_was_written_and_tells_what_differs() {
        let recording =
            Recording { kubernetes: "v1".into(), program: "abc".into(), output: "one\ntwo\n".into() };
        assert_eq!(Recording::parse(&recording.text()).as_ref(), Some(&recording));
        assert_eq!(Recording::parse("one\ntwo\n"), None);
        assert_eq!(recording.compare("one\ntwo\n", "ours"), Ok(()));
        assert!(recording.compare("one\n", "ours").unwrap_err().contains("-two"));
    }
}
