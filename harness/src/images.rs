//! What the embedded cluster's kubelet runs for an image.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_agent_sim::images::{ImageRole, resolve};
use arc_agent_sim::{AgentError, CancellationToken, run_named};
use kube_sim::kubelet::{ContainerImage, ImageResolver, Script, Task, TaskContext, TaskOutput, Workload};
use sim_core::clock::{Busy, Clock};

/// What the agents are in an embedded cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agents {
    /// Child processes: this program, started as `PROGRAM agent NAME`.
    Processes(PathBuf),
    /// Tasks of this process. They share its threads, and with one thread the order of what they do is the same each time;
    /// `kubectl exec` finds nothing of an agent in them.
    Tasks,
}

/// Runs the agents' images and the images of their jobs as `agents` says, their companions as scripts that are ready and
/// quiet; every other image gets the kubelet's own scripted life.
#[must_use]
pub fn resolver(agents: Agents, clock: Clock) -> ImageResolver {
    Arc::new(move |container: &ContainerImage| {
        let run = |name: &'static str| match &agents {
            Agents::Processes(program) => process(program, name),
            Agents::Tasks => task(&clock, name),
        };
        let workload = match resolve(&container.image, &container.name)? {
            ImageRole::Role(role) => run(role.name()),
            ImageRole::Job(job) => run(job.name()),
            ImageRole::Sidecar => {
                Workload::Scripted(Script { lines: Vec::new(), ready_after: Duration::ZERO, exit: None })
            }
        };
        Some(workload)
    })
}

fn process(program: &Path, name: &str) -> Workload {
    Workload::Process { program: program.into(), args: vec!["agent".into(), name.into()], env: Vec::new() }
}

fn task(clock: &Clock, name: &'static str) -> Workload {
    let clock = clock.clone();
    Workload::Task(Task::new(move |context| Box::pin(agent(name, clock.clone(), clock.busy(), context))))
}

/// Runs an agent until it is asked to end. `starting` is held until the agent says itself that it is busy.
async fn agent(name: &'static str, clock: Clock, starting: Busy, context: TaskContext) -> i32 {
    let TaskContext { env, output, mut ending } = context;
    let env: HashMap<String, String> = env.into_iter().collect();
    let shutdown = CancellationToken::new();
    let sink = Box::new(Lines { output: output.clone(), line: Vec::new() });
    let get = move |variable: &str| env.get(variable).cloned();
    let mut running = Box::pin(run_named(name, get, clock, sink, shutdown.clone()));
    let first = futures::poll!(running.as_mut());
    drop(starting);
    let ended = match first {
        Poll::Ready(ended) => ended,
        Poll::Pending => {
            let asked = async {
                if ending.wait_for(|asked| *asked).await.is_err() {
                    // Nobody can ask any more.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = &mut running => ended,
                () = asked => {
                    shutdown.cancel();
                    running.await
                }
            }
        }
    };
    match ended {
        Ok(()) => 0,
        Err(error) => {
            output(format!("agent: {error}").as_bytes());
            if matches!(error, AgentError::Role(_)) { 2 } else { 1 }
        }
    }
}

/// Hands a log on line by line.
struct Lines {
    output: TaskOutput,
    line: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match part.split_last() {
                Some((b'\n', rest)) => {
                    self.line.extend_from_slice(rest);
                    (self.output)(&self.line);
                    self.line.clear();
                }
                _ => self.line.extend_from_slice(part),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
