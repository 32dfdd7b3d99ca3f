//! One child process as a container: its own process group, its output as lines, its end as an event.
//!
//! A child never outlives its parent. While the parent lives, dropping a [`Process`] kills the whole group. Against a
//! parent that dies without a word every child gets a pipe as standard input, which the parent keeps open and never
//! writes to, and the variable [`PARENT_PIPE`]`=1`: end of file on standard input means that the parent is gone, and
//! the simulated agents end themselves then. A program that does not watch its input survives a parent's `SIGKILL`.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::task::{self, Task};

/// Set to `1` for a child whose standard input reports the parent's end.
pub const PARENT_PIPE: &str = "DRYARC_PARENT_PIPE";

/// A line longer than this is logged in parts, as the container runtime interface does (16 KiB).
const LINE_LIMIT: usize = 16 * 1024;

/// A program.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// A file of this machine, and its arguments without its name.
    File(PathBuf, Vec<String>),
    /// A function of this process.
    Task(Task),
}

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct ProcessSpec {
    /// The program.
    pub(crate) program: Program,
    /// Its whole environment; nothing is inherited.
    pub(crate) env: Vec<(String, String)>,
    /// Where it starts.
    pub(crate) dir: PathBuf,
}

/// The output stream that a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a process or a script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// The exit code; 128 + signal when killed by one.
    pub(crate) code: i32,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        let signal = status.signal();
        Self { code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or(9)), signal }
    }
}

/// A running child. Dropping it kills its process group.
#[derive(Debug)]
pub(crate) struct Process(Kind);

#[derive(Debug)]
enum Kind {
    /// The process group; `None` once the child was reaped: its number may belong to somebody else then.
    Child(Arc<Mutex<Option<Pid>>>),
    Task(task::Running),
}

impl Process {
    /// Starts a child. `on_line` gets its output line by line, `on_exit` is called once, after the last line.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn spawn(
        spec: &ProcessSpec,
        on_line: impl Fn(Output, &[u8]) + Send + Sync + 'static,
        on_exit: impl FnOnce(Exit) + Send + 'static,
    ) -> io::Result<Self> {
        let (program, args) = match &spec.program {
            Program::File(program, args) => (program, args),
            Program::Task(task) => {
                return Ok(Self(Kind::Task(task.start(spec.env.clone(), on_line, on_exit))));
            }
        };
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .env(PARENT_PIPE, "1")
            .current_dir(&spec.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = Arc::new(Mutex::new(pid));
        let on_line = Arc::new(on_line);
        let stdout =
            child.stdout.take().map(|pipe| tokio::spawn(lines(pipe, Output::Stdout, on_line.clone())));
        let stderr = child.stderr.take().map(|pipe| tokio::spawn(lines(pipe, Output::Stderr, on_line)));
        tokio::spawn({
            let group = group.clone();
            async move {
                let exit = reap(&mut child, &group, pid).await;
                for reader in [stdout, stderr].into_iter().flatten() {
                    // A reader ends with the last holder of the pipe, and the whole group is dead.
                    let _ = reader.await;
                }
                on_exit(exit);
            }
        });
        Ok(Self(Kind::Child(group)))
    }

    /// Sends a signal to the whole group; nothing happens when it is gone. A task knows two: `KILL`, and others, which ask
    /// it to end.
    pub(crate) fn signal(&self, signal: Signal) {
        let group = match &self.0 {
            Kind::Child(group) => group,
            Kind::Task(task) if signal == Signal::KILL => return task.kill(),
            Kind::Task(task) => return task.ask(),
        };
        if let Some(pid) = *group.lock().unwrap_or_else(PoisonError::into_inner) {
            // The group may be gone already, which is what the signal was for.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn reap(child: &mut Child, group: &Mutex<Option<Pid>>, pid: Option<Pid>) -> Exit {
    // `Child::wait` would close standard input at once, which tells the child that its parent is gone.
    let parent_pipe = child.stdin.take();
    let status = child.wait().await;
    drop(parent_pipe);
    *group.lock().unwrap_or_else(PoisonError::into_inner) = None;
    if let Some(pid) = pid {
        // As in a container, the end of the first process ends all others.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    status.map_or(Exit { code: 255, signal: None }, Exit::from)
}

async fn lines(pipe: impl AsyncRead + Unpin, output: Output, on_line: Arc<impl Fn(Output, &[u8])>) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        let (used, ended) = match reader.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(bytes) => {
                let room = LINE_LIMIT - line.len();
                let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
                line.extend_from_slice(&bytes[..end.unwrap_or_else(|| bytes.len().min(room))]);
                (end.map_or_else(|| bytes.len().min(room), |end| end + 1), end.is_some())
            }
        };
        reader.consume(used);
        if ended || line.len() >= LINE_LIMIT {
            on_line(output, &line);
            line.clear();
        }
    }
    if !line.is_empty() {
        on_line(output, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn shell(script: &str) -> ProcessSpec {
        ProcessSpec {
            program: Program::File("/bin/sh".into(), vec!["-c".into(), script.into()]),
            env: vec![("GREETING".into(), "hello".into())],
            dir: std::env::temp_dir(),
        }
    }

    fn start(script: &str) -> (Process, mpsc::UnboundedReceiver<String>, mpsc::UnboundedReceiver<Exit>) {
        let (line, lines) = mpsc::unbounded_channel();
        let (exit, exits) = mpsc::unbounded_channel();
        let process = Process::spawn(
            &shell(script),
            move |_, text| drop(line.send(String::from_utf8_lossy(text).into_owned())),
            move |code| {
                // A test that has seen enough no longer listens.
                let _ = exit.send(code);
            },
        )
        .unwrap();
        (process, lines, exits)
    }

    #[tokio::test]
    async fn output_and_exit_code_arrive_in_order() {
        let (_process, mut lines, mut exits) =
            start("echo $GREETING $DRYARC_PARENT_PIPE; printf rest; exit 3");
        assert_eq!(exits.recv().await, Some(Exit { code: 3, signal: None }));
        assert_eq!(lines.recv().await.as_deref(), Some("hello 1"));
        assert_eq!(lines.recv().await.as_deref(), Some("rest"));
    }

    #[tokio::test]
    async fn a_signal_reaches_the_whole_group() {
        let (process, mut lines, mut exits) = start("sleep 1000 & echo up; wait");
        assert_eq!(lines.recv().await.as_deref(), Some("up"));
        process.signal(Signal::TERM);
        assert_eq!(exits.recv().await, Some(Exit { code: 143, signal: Some(15) }));
    }

    #[tokio::test]
    async fn standard_input_stays_open_as_long_as_the_parent_lives() {
        let (process, mut lines, mut exits) = start("echo up; read line; echo closed");
        assert_eq!(lines.recv().await.as_deref(), Some("up"));
        assert!(exits.try_recv().is_err());
        drop(process);
        assert_eq!(exits.recv().await, Some(Exit { code: 137, signal: Some(9) }));
    }
}
