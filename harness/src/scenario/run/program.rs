//! Running real programs: one at a time, in a process group of their own, with what they say kept.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use sim_core::clock::{Clock, Mode};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// How much of each stream is kept, in bytes: its end.
const KEPT: usize = 256 << 10;

/// What stands for a secret of the world in what is kept.
const HIDDEN: &str = "***";

/// What is to be run, and in which surroundings.
pub(super) struct Program {
    /// The file.
    pub(super) path: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Its whole environment.
    pub(super) environment: Vec<(String, String)>,
    /// Where it runs.
    pub(super) folder: PathBuf,
}

/// How a program ended, and what it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ran {
    /// Its exit code; 128 plus the signal's number when a signal ended it.
    pub(super) exit: u8,
    /// The end of its standard output.
    pub(super) stdout: String,
    /// The end of its standard error.
    pub(super) stderr: String,
}

impl Ran {
    /// Without these texts in it.
    #[must_use]
    pub(super) fn without(mut self, secrets: &[String]) -> Self {
        for secret in secrets {
            for stream in [&mut self.stdout, &mut self.stderr] {
                if stream.contains(secret.as_str()) {
                    *stream = stream.replace(secret.as_str(), HIDDEN);
                }
            }
        }
        self
    }
}

/// Lets a clock that stands still run while a program is at work, which waits by wall time for what happens in the world.
struct Running<'a>(&'a Clock, Mode);

impl<'a> Running<'a> {
    fn begin(clock: &'a Clock, mode: Mode) -> Self {
        let before = clock.mode();
        clock.set_mode(mode);
        Self(clock, before)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set_mode(self.1);
    }
}

/// Kills a process group when dropped: nothing that a program started outlives it.
struct Group(Option<rustix::process::Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may be empty already.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

impl Program {
    /// With these variables over the others.
    pub(super) fn with(mut self, variables: &[(&'static str, String)]) -> Self {
        for (name, value) in variables {
            self.environment.retain(|(known, _)| known != name);
            self.environment.push(((*name).to_owned(), value.clone()));
        }
        self
    }

    /// Runs it to its end, with the clock in `mode` meanwhile. What it leaves running ends with it. Dropping the future kills it.
    ///
    /// # Errors
    /// Why it could not be started or waited for.
    pub(super) async fn run(&self, clock: &Clock, mode: Mode) -> Result<Ran, String> {
        let failed = |error: std::io::Error| format!("'{}' cannot be run: {error}", self.path.display());
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear().current_dir(&self.folder).kill_on_drop(true);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let _running = Running::begin(clock, mode);
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        let group = Group(pid);
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(format!("'{}' has no output", self.path.display()));
        };
        let ended = async {
            let status = child.wait().await;
            // What it left in the background would keep the streams open.
            drop(group);
            status
        };
        let (stdout, stderr, status) = tokio::join!(end_of(stdout), end_of(stderr), ended);
        Ok(Ran { exit: code(status.map_err(failed)?), stdout, stderr })
    }
}

fn code(status: ExitStatus) -> u8 {
    let signal = || status.signal().map(|signal| signal.saturating_add(128));
    status.code().or_else(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// The last of what a stream says. One that breaks has ended.
async fn end_of(mut stream: impl AsyncRead + Unpin) -> String {
    let (mut all, mut cut) = (Vec::new(), false);
    while stream.read_buf(&mut all).await.is_ok_and(|read| read > 0) {
        if all.len() > 2 * KEPT {
            all.drain(..all.len() - KEPT);
            cut = true;
        }
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    if cut { format!("[…]{text}") } else { text }
}

/// The arguments of a program.
pub(super) fn arguments<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Vec<OsString> {
    arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect()
}

/// A shell for a script.
pub(super) fn shell() -> &'static Path {
    Path::new("/bin/sh")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    fn script(text: &str) -> Program {
        Program {
            path: shell().into(),
            arguments: arguments(["-c", text]),
            environment: vec![("WHO".into(), "me".into()), ("PATH".into(), "/usr/bin:/bin".into())],
            folder: std::env::temp_dir(),
        }
    }

    fn clock() -> Clock {
        Clock::new(Mode::Instant, Timestamp::UNIX_EPOCH)
    }

    const FAST: Mode = Mode::Scaled { speed: 60.0 };

    #[tokio::test]
    async fn a_program_has_its_environment_only_and_its_words_are_kept() {
        let ran =
            script(r#"echo "$WHO${HOME-none}"; echo why >&2; exit 7"#).run(&clock(), FAST).await.unwrap();
        assert_eq!(ran, Ran { exit: 7, stdout: "menone\n".into(), stderr: "why\n".into() });
        let hidden = Ran { stdout: "a secret-1 b".into(), ..Ran::default() }.without(&["secret-1".into()]);
        assert_eq!(hidden.stdout, "a *** b");
        let missing = Program { path: "/no/such/program".into(), ..script("") };
        assert!(missing.run(&clock(), FAST).await.unwrap_err().contains("/no/such/program"));
        assert_eq!(script("kill -9 $$").run(&clock(), FAST).await.unwrap().exit, 137);
    }

    #[tokio::test]
    async fn the_clock_runs_while_a_program_does_and_stands_still_again() {
        let clock = clock();
        script("sleep 0.05").run(&clock, FAST).await.unwrap();
        assert!(clock.now().as_second() >= 3, "{}", clock.now());
        assert_eq!(clock.mode(), Mode::Instant);
    }

    #[tokio::test]
    async fn what_a_script_leaves_in_the_background_ends_with_it() {
        let ran = script("sleep 1000 & echo $!").run(&clock(), FAST).await.unwrap();
        let pid = ran.stdout.trim().to_owned();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(" Z ")
        };
        let wall = Clock::running(1.0);
        let waited = wall.wall_timeout(Duration::from_secs(10), async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        });
        assert!(waited.await.is_ok());
    }
}
