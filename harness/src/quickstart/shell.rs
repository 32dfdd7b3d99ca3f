//! Commands of the tour, run as somebody types them inside of a world.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

/// How much of what a failed command complained about is told, in lines.
const COMPLAINT: usize = 12;

/// A shell in a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// What is set (or, without a value, not set) for every command, over this process's own environment.
    pub variables: Vec<(String, Option<String>)>,
    /// Where commands run.
    pub folder: PathBuf,
}

impl Shell {
    /// Runs a command to its end; `out` sees the lines of its standard output and `progress` those of its standard error as they
    /// come. Returns the whole standard output. Dropped, it ends the command.
    ///
    /// # Errors
    /// For people: the command cannot be run, or ended with another code than 0.
    pub(super) async fn run(
        &self,
        command: &str,
        out: impl Fn(&str),
        progress: impl Fn(&str),
    ) -> Result<String, String> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).current_dir(&self.folder).kill_on_drop(true);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in &self.variables {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let failed = |error: std::io::Error| format!("`{command}` cannot be run: {error}");
        let mut child = shell.spawn().map_err(failed)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(format!("`{command}` has no output"));
        };
        let (said, complained) = tokio::join!(lines(stdout, out), lines(stderr, progress));
        let status = child.wait().await.map_err(failed)?;
        if status.success() {
            return Ok(said);
        }
        let text = if complained.trim().is_empty() { &said } else { &complained };
        let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = all.iter().skip(all.len().saturating_sub(COMPLAINT));
        let why: String = last.map(|line| format!("\n    {line}")).collect();
        Err(format!("`{command}` ended with {status}{why}"))
    }
}

/// Reads to the end; a broken stream has ended.
async fn lines(stream: impl AsyncRead + Unpin, seen: impl Fn(&str)) -> String {
    let mut reader = BufReader::new(stream);
    let (mut all, mut line) = (String::new(), Vec::new());
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        seen(text.trim_end_matches('\n'));
        all.push_str(&text);
        line.clear();
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn shell() -> Shell {
        let variables = vec![("WHO".into(), Some("me".into())), ("HOME".into(), None)];
        Shell { variables, folder: std::env::temp_dir() }
    }

    #[tokio::test]
    async fn lines_are_seen_as_they_come_and_kept() {
        let (out, progress) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let keep = |list: &Mutex<Vec<String>>, line: &str| list.lock().unwrap().push(line.to_owned());
        let shell = shell();
        let said = shell.run(
            r#"echo "$WHO${HOME-none}"; echo step >&2; printf end"#,
            |line| keep(&out, line),
            |line| keep(&progress, line),
        );
        assert_eq!(said.await.unwrap(), "menone\nend");
        assert_eq!(*out.lock().unwrap(), ["menone", "end"]);
        assert_eq!(*progress.lock().unwrap(), ["step"]);
    }

    #[tokio::test]
    async fn a_command_that_fails_says_its_code_and_its_last_words() {
        let ran = shell().run("echo shown; echo why >&2; exit 7", |_| {}, |_| {}).await;
        let reason = ran.unwrap_err();
        assert!(reason.contains("exit status: 7") && reason.ends_with("\n    why"), "{reason}");
    }
}
