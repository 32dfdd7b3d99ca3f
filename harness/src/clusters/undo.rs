//! What has to be undone when a world ends, written down before it is done.
//!
//! The record lies in the world's folder, so that the next command can undo what a world did whose process died. Every step
//! may be undone twice, and undoing one that was never done changes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arc_agent_sim::from_kubeconfig;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use sim_core::clock::Clock;
use sim_core::net::Net;

use super::kind_cli::KindCli;
use super::{ClusterError, Progress, Trouble, names, node_images, objects, remnants};
use crate::driver::Cluster;
use crate::state::{ProcessId, UNDO_FILE, signal_process, write_private};

/// How often a process that is to end is looked at, and for how long (wall time).
const STOPPING: Duration = Duration::from_millis(20);
const STOPPED: Duration = Duration::from_secs(5);

/// How often a namespace that is to go is looked at, and for how long (wall time).
const GOING: Duration = Duration::from_millis(200);
const GONE: Duration = Duration::from_secs(60);

/// The form of the record.
const FORMAT: u64 = 1;

/// One thing that was done to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Step {
    /// The kind cluster itself was created.
    KindCluster {
        /// The process that creates it, which may outlive the world's.
        creator: Option<ProcessId>,
    },
    /// Images of these names were loaded into the nodes.
    Images {
        /// Their full names.
        names: Vec<String>,
    },
    /// The world's names were put into CoreDNS.
    Names,
    /// The world's own namespace was created.
    World,
    /// Clients may onboard the cluster; these paths were there before.
    Agents {
        /// Not to be removed.
        kept: BTreeSet<String>,
    },
}

/// The record of one world. It holds credentials of the cluster, so the file has mode 0600.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    format: u64,
    #[serde(skip)]
    path: PathBuf,
    /// The user's name for the cluster.
    cluster: String,
    kind: Option<KindCli>,
    kubeconfig: String,
    steps: Vec<Step>,
}

impl Undo {
    /// An empty record for the world in `dir`.
    #[must_use]
    pub fn new(dir: &Path, cluster: &str, kind: Option<KindCli>) -> Self {
        let path = dir.join(UNDO_FILE);
        Self {
            format: FORMAT,
            path,
            cluster: cluster.into(),
            kind,
            kubeconfig: String::new(),
            steps: Vec::new(),
        }
    }

    /// The record that a world left in `dir`.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn read(dir: &Path) -> Result<Self, ClusterError> {
        let path = dir.join(UNDO_FILE);
        let unusable = |reason: String| {
            let what = format!("{} cannot be used: {reason}", path.display());
            let next = "undo by hand what it speaks of, then remove it";
            ClusterError::new(Trouble::Unusable, what, next)
        };
        let text = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
        let mut read: Self = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
        if read.format != FORMAT {
            return Err(unusable(format!("it has format {}, this dryarc knows {FORMAT}", read.format)));
        }
        read.path = path;
        Ok(read)
    }

    /// How the cluster is reached from now on.
    pub fn reach(&mut self, kubeconfig: &str) {
        self.kubeconfig = kubeconfig.into();
    }

    /// Writes down a step that is about to be done.
    ///
    /// # Errors
    /// When the record cannot be written; then the step must not be done.
    pub fn begin(&mut self, step: Step) -> Result<(), ClusterError> {
        self.steps.push(step);
        self.write()
    }

    /// Writes down which process is at the step that was begun last.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn note(&mut self, process: ProcessId) -> Result<(), ClusterError> {
        if let Some(Step::KindCluster { creator }) = self.steps.last_mut() {
            *creator = Some(process);
        }
        self.write()
    }

    fn write(&self) -> Result<(), ClusterError> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| ClusterError::file("writing the undo record", error))?;
        write_private(&self.path, &text).map_err(|error| ClusterError::file("writing the undo record", error))
    }

    /// Undoes everything, last first, and forgets what is undone.
    ///
    /// # Errors
    /// The first thing that could not be undone; the others were tried.
    pub async fn perform(mut self, clock: &Clock, progress: &Progress) -> Result<(), ClusterError> {
        let creator = self.steps.iter().find_map(|step| match step {
            Step::KindCluster { creator } => Some(*creator),
            _ => None,
        });
        let own = creator.is_some();
        if let Some(kind) = &self.kind {
            if own {
                if let Some(creator) = creator.flatten() {
                    stop(creator, clock).await;
                }
                progress.say(&format!("deleting kind cluster '{}'", kind.name));
                kind.delete().await?;
            }
            // Without the cluster there is nothing left to undo.
            if own || self.steps.is_empty() || !kind.exists().await? {
                return self.forget();
            }
        }
        let cluster = self.cluster()?;
        let mut failed = None;
        while let Some(step) = self.steps.pop() {
            if let Err(error) = self.undo(&step, &cluster, clock, progress).await {
                failed = failed.or(Some(error));
            }
        }
        failed.map_or_else(|| self.forget(), Err)
    }

    fn cluster(&self) -> Result<Cluster, ClusterError> {
        let unusable = |error: &dyn std::fmt::Display| {
            let what = format!("the kubeconfig of cluster '{}' cannot be used: {error}", self.cluster);
            ClusterError::new(Trouble::Unusable, what, "see that the cluster is there")
        };
        let net = Net::builder().build().map_err(|error| unusable(&error))?;
        let client = from_kubeconfig(&net, &self.kubeconfig, None).map_err(|error| unusable(&error))?;
        Ok(Cluster::new(client))
    }

    async fn undo(
        &self,
        step: &Step,
        cluster: &Cluster,
        clock: &Clock,
        progress: &Progress,
    ) -> Result<(), ClusterError> {
        match step {
            Step::KindCluster { .. } => Ok(()),
            Step::Images { names } => match &self.kind {
                Some(kind) => {
                    progress.say("removing the agents' images from the nodes");
                    node_images::remove(kind, names).await
                }
                None => Ok(()),
            },
            Step::Names => {
                progress.say("restoring CoreDNS");
                names::restore(cluster, clock).await
            }
            Step::World => {
                let removed = remove_namespace(cluster, clock).await;
                removed.map_err(|error| ClusterError::kube("removing the world's namespace", &error))
            }
            Step::Agents { kept } => {
                progress.say("removing what onboarding left in the cluster");
                remnants::remove(cluster, kept, clock).await
            }
        }
    }

    fn forget(&self) -> Result<(), ClusterError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ClusterError::file("removing the undo record", error))
            }
            _ => Ok(()),
        }
    }
}

/// Deletes the world's namespace and waits until it is gone, so that the next world finds its place free.
async fn remove_namespace(cluster: &Cluster, clock: &Clock) -> Result<(), kube::Error> {
    let path = objects::namespace_path();
    cluster.delete(&path).await?;
    let gone = async {
        while cluster.find(&path).await?.is_some() {
            clock.wall_sleep(GOING).await;
        }
        Ok(())
    };
    // One that takes longer goes by itself: nothing in it holds it.
    clock.wall_timeout(GONE, gone).await.unwrap_or(Ok(()))
}

/// Ends a process of a dead world that is still at work, and waits for its end.
async fn stop(process: ProcessId, clock: &Clock) {
    let gone = async {
        while process.alive() && signal_process(process, Signal::KILL) {
            clock.wall_sleep(STOPPING).await;
        }
    };
    // One that cannot be ended is a zombie, or nobody's we may end.
    let _ = clock.wall_timeout(STOPPED, gone).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_before_each_step_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut undo = Undo::new(folder.path(), "kind-x", None);
        undo.reach("{}");
        undo.begin(Step::World).unwrap();
        let kept = BTreeSet::from(["/api/v1/namespaces/arc-workload-identity".to_owned()]);
        undo.begin(Step::Agents { kept: kept.clone() }).unwrap();
        let read = Undo::read(folder.path()).unwrap();
        assert_eq!(read.steps, [Step::World, Step::Agents { kept }]);
        assert_eq!(read.kubeconfig, "{}");
        read.forget().unwrap();
        assert!(Undo::read(folder.path()).is_err());
    }

    #[test]
    fn a_record_of_another_format_is_refused_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"format":9,"cluster":"c","kind":null,"kubeconfig":"","steps":[]}"#;
        std::fs::write(folder.path().join(UNDO_FILE), text).unwrap();
        assert!(Undo::read(folder.path()).unwrap_err().what.contains("format 9"));
    }
}
