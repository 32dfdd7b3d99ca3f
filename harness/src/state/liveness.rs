//! Telling one process from another.

use serde::{Deserialize, Serialize};

/// A process: its number and, where the system tells, when it started, so that a number used again is not mistaken
/// for the process that had it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessId {
    /// The process number.
    pub pid: u32,
    /// Clock ticks from boot to the start of the process; absent where the system has no `/proc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
}

impl ProcessId {
    /// This process.
    #[must_use]
    pub fn current() -> Self {
        Self::of(std::process::id())
    }

    /// The process that has this number now.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self { pid, started: start_ticks(pid) }
    }

    /// Whether this very process still exists. A zombie counts as gone.
    #[must_use]
    pub fn alive(self) -> bool {
        let Some(pid) = raw(self.pid) else { return false };
        match self.started {
            Some(started) => start_ticks(self.pid) == Some(started),
            None => rustix::process::test_kill_process(pid).is_ok(),
        }
    }
}

/// Sends a signal to a process if it is still the same one. Returns whether it was sent.
#[must_use]
pub fn signal_process(process: ProcessId, signal: rustix::process::Signal) -> bool {
    process.alive() && raw(process.pid).is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
}

fn raw(pid: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Field 22 of `/proc/PID/stat`; the command in field 2 is in parentheses and may itself contain some.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_number_with_another_start_is_not() {
        let me = ProcessId::current();
        assert!(me.alive());
        if me.started.is_some() {
            assert!(!ProcessId { started: Some(1), ..me }.alive());
        }
        assert!(!ProcessId { pid: 0, started: None }.alive());
    }
}
