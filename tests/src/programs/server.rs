//! The servers that programs run against.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kube_sim::cluster::{Cluster, ClusterConfig};
use kube_sim::kubelet::{NodeSpec, programs};
use sim_core::clock::Clock;
use sim_core::seed::Seed;
use tempfile::TempDir;

use super::{Program, folder};
use crate::clients::Client;

/// The image of containers that run a shell: on a real node one with a small system of files, in the embedded cluster the
/// shell of this machine.
pub const SHELL_IMAGE: &str = "dryarc.test/shell:1";

/// How long a program may take, in wall time.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server, and what it takes to reach it.
#[derive(Debug)]
pub struct Server {
    kubeconfig: PathBuf,
    cluster: Option<Cluster>,
    work: TempDir,
    clock: Clock,
}

fn people(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn work() -> Result<TempDir, String> {
    tempfile::Builder::new().prefix("dryarc-programs-").tempdir().map_err(people)
}

/// The search path, behind the places of kubectl and helm.
fn path() -> String {
    let folder = |client: Client| Some(client.find()?.parent()?.display().to_string());
    let own = std::env::var("PATH").unwrap_or_default();
    [Client::Kubectl, Client::Helm].into_iter().filter_map(folder).chain([own]).collect::<Vec<_>>().join(":")
}

impl Server {
    /// An embedded cluster with a node. Its history is forgotten when it is ready, as a real server has forgotten what was
    /// before a kind of resources was first asked for: watches from the first revision are too late.
    ///
    /// # Errors
    /// Why it does not start, for people.
    pub async fn embedded() -> Result<Self, String> {
        let (work, clock) = (work()?, Clock::running(1.0));
        let config = ClusterConfig {
            nodes: vec![NodeSpec::default()],
            images: programs(vec![(SHELL_IMAGE.to_owned(), "/bin/sh".into())]),
            ..ClusterConfig::new("programs", &clock, Seed::new(1), work.path().join("pods"))
        };
        let cluster = Cluster::start(config).await.map_err(people)?;
        let ledger = cluster.api().ledger();
        ledger.compact(ledger.revision());
        let kubeconfig = work.path().join("kubeconfig");
        std::fs::write(&kubeconfig, cluster.kubeconfig()).map_err(people)?;
        Ok(Self { kubeconfig, cluster: Some(cluster), work, clock })
    }

    /// A server that runs already, by the file of its configuration.
    ///
    /// # Errors
    /// When nothing can be kept for it.
    pub fn running(kubeconfig: &Path) -> Result<Self, String> {
        let kubeconfig = kubeconfig.canonicalize();
        let kubeconfig = kubeconfig.map_err(|error| format!("the real server's kubeconfig: {error}"))?;
        Ok(Self { kubeconfig, cluster: None, work: work()?, clock: Clock::running(1.0) })
    }

    /// Runs a program in a namespace of its own, which it makes, and shows what it printed, without the namespace's name.
    ///
    /// # Errors
    /// When it cannot be started, fails, or takes too long.
    pub async fn run(&self, program: &Program) -> Result<String, String> {
        let file = program.file();
        let namespace = format!("{}-{}", file.trim_end_matches(".txt"), std::process::id());
        let home = self.work.path().join(&namespace);
        std::fs::create_dir_all(&home).map_err(people)?;
        let (first, arguments) = program.command.split_first().ok_or("nothing to run")?;
        let child = tokio::process::Command::new(first)
            .args(arguments)
            .arg(&namespace)
            .current_dir(&home)
            .envs(program.environment.iter().copied())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &home)
            .env("IMAGE", SHELL_IMAGE)
            .env("BUNDLES", folder().join("bundles"))
            .env("PATH", path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", first.display()))?;
        let ended = self.clock.wall_timeout(PATIENCE, child.wait_with_output()).await;
        let ran = ended.map_err(|_| format!("not done within {PATIENCE:?}"))?.map_err(people)?;
        let printed = String::from_utf8_lossy(&ran.stdout).replace(&namespace, "NAMESPACE");
        if ran.status.success() {
            return Ok(printed);
        }
        Err(format!("ended with {}\n{printed}\n{}", ran.status, String::from_utf8_lossy(&ran.stderr)))
    }

    /// Ends what was started.
    pub async fn end(self) {
        if let Some(cluster) = self.cluster {
            cluster.shutdown().await;
        }
    }
}
