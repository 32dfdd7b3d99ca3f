//! Commands that run in a container beside its own process: `kubectl exec`, exec probes, life-cycle hooks.
//!
//! A command gets the container's environment and starts in its root. Its program is looked up along the container's
//! `PATH`, on this machine: containers of the simulation have no file system of their own beyond their mounts.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use pty_process::Pty;
use rustix::process::Pid;
use sim_core::clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::live::{Backing, Commands, Live};

/// How much of the output of a probe or hook is kept (the real kubelet keeps 10 KiB of a probe's).
const OUTPUT_LIMIT: u64 = 10 * 1024;

/// A command that was started. Dropping it kills its process group.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// The terminal that it was given, if it was given one.
    pub(crate) terminal: Option<Pty>,
    group: Option<Pid>,
    commands: Commands,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    fn new(child: Child, terminal: Option<Pty>, live: &Live) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let commands = live.commands().clone();
        if let Some(group) = group {
            commands.add(group);
        }
        Self { child, terminal, group, commands }
    }

    fn end(&mut self) {
        if let Some(group) = self.group.take() {
            self.commands.end(group);
        }
    }

    /// Waits for the end of the first process, which is the end of all; 128 + signal when a signal ended it.
    pub(crate) async fn wait(&mut self) -> i32 {
        let status = self.child.wait().await;
        self.end();
        status
            .map_or(255, |status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }
}

/// Why a command could not be started, in the words of a container runtime.
pub(crate) fn start_error(program: &str, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound if program.contains('/') => {
            format!("stat {program}: no such file or directory")
        }
        io::ErrorKind::NotFound => "executable file not found in $PATH".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    format!(
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{program}\": {why}: unknown"
    )
}

/// Starts a command with pipes, or with a terminal of its own.
///
/// # Errors
/// In the words of [`start_error`], or that the container has no process.
pub(crate) fn start(live: &Live, argv: &[String], stdin: bool, terminal: bool) -> Result<Running, String> {
    let Backing::Process { env, dir, .. } = &live.backing else {
        return Err("the container is scripted: there is no process to run a command beside".into());
    };
    let Some((program, args)) = argv.split_first() else {
        return Err("no command was given".into());
    };
    let env = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    if terminal {
        let (pty, slave) =
            pty_process::open().map_err(|error| format!("no terminal could be made: {error}"))?;
        let command =
            pty_process::Command::new(program).args(args).env_clear().env("TERM", "xterm").envs(env);
        let child =
            command.current_dir(dir).kill_on_drop(true).spawn(slave).map_err(|error| match error {
                pty_process::Error::Io(error) => start_error(program, &error),
                other => format!("exec: \"{program}\": {other}"),
            })?;
        return Ok(Running::new(child, Some(pty), live));
    }
    let child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(env)
        .current_dir(dir)
        .stdin(if stdin { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| start_error(program, &error))?;
    Ok(Running::new(child, None, live))
}

/// How a command that nobody talks to came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ended with this code and wrote this.
    Ended(i32, String),
    /// It took longer than it may, and was killed.
    TimedOut,
    /// It could not be started.
    NotStarted(String),
}

/// Runs a command to its end, for at most `limit` of wall time.
pub(crate) async fn run(live: &Live, argv: &[String], clock: &Clock, limit: Duration) -> Outcome {
    let mut running = match start(live, argv, false, false) {
        Ok(running) => running,
        Err(message) => return Outcome::NotStarted(message),
    };
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let ended = clock
        .wall_timeout(limit, async {
            let (out, err, code) = tokio::join!(read(stdout), read(stderr), running.wait());
            (code, out + &err)
        })
        .await;
    ended.map_or(Outcome::TimedOut, |(code, output)| Outcome::Ended(code, output))
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut bytes = Vec::new();
    // What was read before an error is shown all the same.
    let _ = (&mut pipe).take(OUTPUT_LIMIT).read_to_end(&mut bytes).await;
    // The rest is thrown away, so that the command does not wait for a reader.
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use sim_core::clock::Mode;

    async fn shell(script: &str, limit: Duration) -> Outcome {
        let env = vec![("A".to_owned(), "1".to_owned()), ("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let (live, _kept) = Live::new(Backing::Process { env, dir: std::env::temp_dir(), ports: Vec::new() });
        let argv: Vec<String> = script.split('|').map(ToOwned::to_owned).collect();
        run(&live, &argv, &Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH), limit).await
    }

    #[tokio::test]
    async fn a_command_has_the_containers_environment_and_its_end_is_told() {
        let long = Duration::from_secs(20);
        let outcome = shell("sh|-c|echo $A; echo bad >&2; exit 3", long).await;
        assert_eq!(outcome, Outcome::Ended(3, "1\nbad\n".into()));
        let Outcome::NotStarted(message) = shell("no-such-program", long).await else { panic!("it started") };
        assert!(message.ends_with("exec: \"no-such-program\": executable file not found in $PATH: unknown"));
        assert_eq!(shell("sleep|1000", Duration::from_millis(50)).await, Outcome::TimedOut);
    }
}
