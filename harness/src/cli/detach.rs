//! Running a command in the background.
//!
//! The command starts itself again with a hidden flag. That child makes a session of its own, does the work, and
//! says on its standard output how it went: whatever it prints first is passed on, then come a record separator
//! and one line of JSON. From there on it writes to its log only, and the parent ends.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::signals::{Asked, Signals};
use super::{CliError, Exit, output};

/// ASCII record separator: begins the report.
const SEPARATOR: u8 = 0x1e;

/// The hidden flag of the child.
pub(super) const FLAG: &str = "--in-background";

/// How the child's start went.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    exit: u8,
    #[serde(default)]
    what: String,
    #[serde(default)]
    next: Option<String>,
}

/// Starts this command line again in the background and waits until that process has said how it went.
///
/// # Errors
/// What the child reported, or that it ended without a report; then it has left nothing.
pub(super) async fn spawn(signals: &mut Signals) -> Result<(), CliError> {
    let program = std::env::current_exe()
        .map_err(|error| CliError::failed(format!("cannot find the program itself: {error}")))?;
    let mut child = Command::new(&program)
        .args(arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| CliError::failed(format!("cannot start {}: {error}", program.display())))?;
    tokio::select! {
        report = report(&mut child) => settle(report, child).await,
        asked = signals.next() => {
            // It cleans up after itself when asked.
            if let Some(pid) = child.id() {
                let _ = crate::state::signal_process(crate::state::ProcessId::of(pid), rustix::process::Signal::TERM);
            }
            let _ = child.wait().await;
            Err(asked.error())
        }
    }
}

/// The arguments of this process with the hidden flag behind the first of them that is `--detach` or `--keep`: before
/// any `--`.
fn arguments() -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let place = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.insert(place, FLAG.into());
    arguments
}

async fn settle(report: Option<Report>, mut child: Child) -> Result<(), CliError> {
    match report {
        Some(report) if report.exit == 0 => Ok(()),
        Some(report) => {
            // It has nothing more to do than to end.
            let _ = child.wait().await;
            Err(CliError { exit: Exit::from_code(report.exit), what: report.what, next: report.next })
        }
        None => Err(unreported(child.wait().await)),
    }
}

/// Ctrl-C at a terminal reaches the child too, and ends one that does not listen yet.
fn unreported(ended: std::io::Result<ExitStatus>) -> CliError {
    let how = match ended {
        Ok(status) => match status.signal().and_then(Asked::from_number) {
            Some(asked) => return asked.error(),
            None => status.to_string(),
        },
        Err(error) => error.to_string(),
    };
    CliError::failed(format!("the background process ended before it was ready ({how})"))
        .next("run the same in the foreground to see more: without --detach or --keep, and with -v")
}

/// Passes on what the child prints, until its report.
async fn report(child: &mut Child) -> Option<Report> {
    let mut stdout = child.stdout.take()?;
    let mut buffer = Vec::new();
    let mut reported: Option<usize> = None;
    loop {
        let from = buffer.len();
        let end = stdout.read_buf(&mut buffer).await.ok()? == 0;
        if reported.is_none() {
            let separator = buffer[from..].iter().position(|byte| *byte == SEPARATOR).map(|at| from + at);
            let visible = buffer.get(from..separator.unwrap_or(buffer.len())).unwrap_or_default();
            output::print_while_read(&String::from_utf8_lossy(visible));
            reported = separator.map(|at| at + 1);
        }
        let line = reported.and_then(|start| buffer.get(start..)).unwrap_or_default();
        if line.ends_with(b"\n") || end {
            return serde_json::from_slice(line).ok();
        }
    }
}

/// In the child: leaves the terminal's session, so that closing it does not end the world.
pub(super) fn leave_session() {
    // Refused only to the leader of a session, which is on its own already.
    let _ = rustix::process::setsid();
}

/// In the child: says how it went. After success, standard output and standard error lead to `log`.
///
/// # Errors
/// When the log cannot be opened.
pub(super) fn tell(result: Result<(), &CliError>, log: Option<&Path>) -> Result<(), CliError> {
    let report = match result {
        Ok(()) => Report { exit: 0, what: String::new(), next: None },
        Err(error) => Report { exit: error.exit.code(), what: error.what.clone(), next: error.next.clone() },
    };
    let redirected = log.map(redirect_stderr).transpose()?;
    let line = serde_json::to_string(&report).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    // A parent that is gone does not matter.
    let _ = out.write_all(&[SEPARATOR]);
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
    if let Some(log) = redirected {
        let _ = rustix::stdio::dup2_stdout(&log);
    }
    Ok(())
}

fn redirect_stderr(path: &Path) -> Result<std::fs::File, CliError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let log =
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| {
            CliError::new(Exit::Unusable, format!("cannot open {}: {error}", path.display()))
        })?;
    let _ = rustix::stdio::dup2_stderr(&log);
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_ctrl_c_ended_was_interrupted_and_another_one_failed() {
        assert_eq!(unreported(Ok(ExitStatus::from_raw(2))).exit, Exit::Interrupted);
        assert_eq!(unreported(Ok(ExitStatus::from_raw(1))).exit, Exit::HungUp);
        let killed = unreported(Ok(ExitStatus::from_raw(9)));
        assert_eq!(killed.exit, Exit::Failed);
        assert!(killed.next.is_some());
    }
}
