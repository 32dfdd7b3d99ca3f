//! Transcripts: files of commands with what they print, run against a world and compared.
//!
//! A line that starts with `$ ` is a command for `sh`; the lines up to the next one are its output, standard error marked
//! with `! ` and an exit code other than 0 as `[exit N]` at the end. Lines that start with `# ` before the first command or
//! directly before a command are comments. `UPDATE_GOLDEN=1` rewrites the file from what was seen.

use std::fmt::Write as _;
use std::path::Path;

use similar::TextDiff;

use crate::command::Ran;
use crate::normalize::normalize;

/// One command of a transcript.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    comments: Vec<&'a str>,
    command: &'a str,
}

fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut comments = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { comments: std::mem::take(&mut comments), command });
        } else if line.starts_with("# ") {
            comments.push(line);
        } else {
            comments.clear();
        }
    }
    steps
}

fn record(step: &Step<'_>, ran: &Ran) -> String {
    let mut text = String::new();
    for comment in &step.comments {
        text.push_str(comment);
        text.push('\n');
    }
    text.push_str("$ ");
    text.push_str(step.command);
    text.push('\n');
    for line in normalize(&ran.stdout).lines() {
        text.push_str(line);
        text.push('\n');
    }
    for line in normalize(&ran.stderr).lines() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "! {line}");
    }
    if ran.code != 0 {
        let _ = writeln!(text, "[exit {}]", ran.code);
    }
    text
}

/// Runs every command of the file with `run` and compares.
///
/// # Errors
/// A readable difference, or why the file or a command could not be run.
pub fn check(file: &Path, run: impl Fn(&str) -> std::io::Result<Ran>) -> Result<(), String> {
    let expected = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut seen = String::new();
    for (index, step) in steps(&expected).iter().enumerate() {
        if index > 0 {
            seen.push('\n');
        }
        let ran = run(step.command).map_err(|error| format!("{}: {error}", step.command))?;
        seen.push_str(&record(step, &ran));
    }
    held_against(file, &seen)
}

/// Holds what was seen against a golden file; with `UPDATE_GOLDEN` set, writes it into that file instead.
///
/// # Errors
/// A readable difference, or why the file could not be read or written.
pub fn held_against(file: &Path, seen: &str) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", file.display());
    let updating = std::env::var_os("UPDATE_GOLDEN").is_some();
    let expected = match std::fs::read_to_string(file) {
        Err(_) if updating => String::new(),
        read => read.map_err(told)?,
    };
    if seen == expected {
        return Ok(());
    }
    if updating {
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(told)?;
        return std::fs::write(file, seen).map_err(told);
    }
    let diff = TextDiff::from_lines(expected.as_str(), seen);
    Err(format!("{}\n{}", file.display(), diff.unified_diff().context_radius(4).header("expected", "seen")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_rebuilt_from_its_commands() {
        let text = "# about\n$ one\nout\n! err\n[exit 3]\n\n$ two\n";
        let parsed = steps(text);
        assert_eq!(parsed.iter().map(|step| step.command).collect::<Vec<_>>(), ["one", "two"]);
        let ran = Ran { stdout: "out\n".into(), stderr: "err\n".into(), code: 3 };
        assert_eq!(record(&parsed[0], &ran), "# about\n$ one\nout\n! err\n[exit 3]\n");
    }
}
