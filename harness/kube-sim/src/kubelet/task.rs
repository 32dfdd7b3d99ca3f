//! A container as a task of this process: for worlds whose agents must not depend on the order in which a system runs
//! processes, and for worlds by the dozen.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::process::{Exit, Output};

/// Where a task's log goes, line by line.
pub type TaskOutput = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What a task is given.
pub struct TaskContext {
    /// The whole environment: what a process of this container would find in its own.
    pub env: Vec<(String, String)>,
    /// Takes a line of the log, without its end.
    pub output: TaskOutput,
    /// True once the container is asked to end, as by `SIGTERM`.
    pub ending: watch::Receiver<bool>,
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext").finish_non_exhaustive()
    }
}

type Run = dyn Fn(TaskContext) -> BoxFuture<'static, i32> + Send + Sync;

/// A program that is a function of this process. What it returns is the container's exit code.
///
/// It must hold a guard of the world's clock while it works, from the moment it is called on.
#[derive(Clone)]
pub struct Task(Arc<Run>);

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Task {}

impl Task {
    /// A program that is this function.
    pub fn new(run: impl Fn(TaskContext) -> BoxFuture<'static, i32> + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    /// Starts it. `on_exit` is called once, after its end.
    pub(super) fn start(
        &self,
        env: Vec<(String, String)>,
        on_line: impl Fn(Output, &[u8]) + Send + Sync + 'static,
        on_exit: impl FnOnce(Exit) + Send + 'static,
    ) -> Running {
        let (ask, ending) = watch::channel(false);
        let output: TaskOutput = Arc::new(move |line: &[u8]| on_line(Output::Stdout, line));
        let work = tokio::spawn((self.0)(TaskContext { env, output, ending }));
        let abort = work.abort_handle();
        tokio::spawn(async move {
            on_exit(match work.await {
                Ok(code) => Exit { code, signal: None },
                Err(error) if error.is_cancelled() => Exit { code: 137, signal: Some(9) },
                Err(_) => Exit { code: 134, signal: Some(6) },
            });
        });
        Running { ask, abort }
    }
}

/// A task under way. Dropping it ends it at once.
#[derive(Debug)]
pub(super) struct Running {
    ask: watch::Sender<bool>,
    abort: AbortHandle,
}

impl Running {
    /// Asks it to end.
    pub(super) fn ask(&self) {
        self.ask.send_replace(true);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.abort.abort();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn start(task: &Task) -> (Running, mpsc::UnboundedReceiver<String>, mpsc::UnboundedReceiver<Exit>) {
        let (line, lines) = mpsc::unbounded_channel();
        let (exit, exits) = mpsc::unbounded_channel();
        let running = task.start(
            vec![("GREETING".into(), "hello".into())],
            move |_, text| drop(line.send(String::from_utf8_lossy(text).into_owned())),
            move |code| {
                // A test that has seen enough no longer listens.
                let _ = exit.send(code);
            },
        );
        (running, lines, exits)
    }

    #[tokio::test]
    async fn a_task_has_its_environment_ends_when_asked_and_dies_when_killed() {
        let patient = Task::new(|mut context| {
            Box::pin(async move {
                (context.output)(context.env[0].1.as_bytes());
                drop(context.ending.wait_for(|asked| *asked).await);
                3
            })
        });
        let (running, mut lines, mut exits) = start(&patient);
        assert_eq!(lines.recv().await.as_deref(), Some("hello"));
        running.ask();
        assert_eq!(exits.recv().await, Some(Exit { code: 3, signal: None }));
        let (running, _lines, mut exits) = start(&patient);
        drop(running);
        assert_eq!(exits.recv().await, Some(Exit { code: 137, signal: Some(9) }));
    }
}
