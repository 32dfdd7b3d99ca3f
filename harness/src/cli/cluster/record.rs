//! Clusters without a cloud: a folder each beside the folders of worlds, held by the process that runs the cluster.
//!
//! The same lock as a world's tells whether the owner lives; what it left behind is swept by the next command.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::{CliError, Exit};
use crate::state::{ProcessId, StateError, StateHome, WorldName, write_private};

/// The file that says how to reach the cluster.
const RECORD: &str = "cluster.json";

/// The file for clients.
const KUBECONFIG: &str = "kubeconfig";

/// What a running cluster says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) name: WorldName,
    /// The dryarc that runs it.
    pub(super) version: String,
    pub(super) owner: ProcessId,
    pub(super) url: String,
    pub(super) nodes: u16,
    pub(super) kubeconfig: PathBuf,
}

/// Where clusters keep their folders.
#[derive(Debug)]
pub(super) struct Clusters(StateHome);

/// No cluster of this name runs.
pub(super) fn missing(name: &WorldName) -> CliError {
    CliError::new(Exit::NotFound, format!("cluster '{name}' is not running"))
        .next(format!("create it with `dryarc cluster create {name}`, or see `dryarc cluster list`"))
}

impl Clusters {
    /// Those of this user.
    pub(super) fn of(home: &StateHome) -> Self {
        Self(StateHome::at(home.path().join("clusters")))
    }

    /// Where folders are claimed.
    pub(super) fn home(&self) -> &StateHome {
        &self.0
    }

    /// A running cluster.
    pub(super) fn find(&self, name: &WorldName) -> Result<Record, CliError> {
        match self.0.find(name) {
            // Held, and without a world's record: the owner lives.
            Err(StateError::Starting(_)) => read(&self.0.world_dir(name))?.ok_or_else(|| {
                CliError::new(Exit::Unusable, format!("cluster '{name}' is still starting"))
                    .next("try again in a moment")
            }),
            Err(StateError::NotRunning(_)) | Ok(_) => Err(missing(name)),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the folder of all clusters, and that of all worlds, when nothing is left in them.
    pub(super) fn tidy(&self) {
        let mine = self.0.path();
        for folder in [Some(mine), mine.parent()].into_iter().flatten() {
            // One that is not empty stays.
            let _ = std::fs::remove_dir(folder);
        }
    }

    /// Every running cluster, by name.
    pub(super) fn list(&self) -> Result<Vec<Record>, CliError> {
        let found = self.0.list()?;
        Ok(found.into_iter().filter_map(|found| self.find(&found.name).ok()).collect())
    }
}

fn read(dir: &Path) -> Result<Option<Record>, CliError> {
    let path = dir.join(RECORD);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(CliError::new(Exit::Unusable, format!("cannot read {}: {error}", path.display())));
        }
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        CliError::new(Exit::Unusable, format!("the record {} is damaged: {error}", path.display()))
            .next("end the process that made it and remove the folder")
    })
}

/// Makes a cluster known, with its kubeconfig.
pub(super) fn publish(
    dir: &Path,
    kubeconfig: &str,
    record: impl FnOnce(PathBuf) -> Record,
) -> Result<(), StateError> {
    let path = dir.join(KUBECONFIG);
    write_private(&path, kubeconfig.as_bytes())?;
    let text = serde_json::to_string_pretty(&record(path)).unwrap_or_default();
    write_private(&dir.join(RECORD), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::clock::Clock;

    #[tokio::test]
    async fn a_cluster_is_found_while_its_owner_holds_it() {
        let place = std::env::temp_dir().join(format!("dryarc-clusters-{}", std::process::id()));
        let clusters = Clusters::of(&StateHome::at(place.join("dryarc")));
        let name: WorldName = "a".parse().unwrap();
        assert_eq!(clusters.find(&name).unwrap_err().exit, Exit::NotFound);
        let claim = clusters.home().claim(&name, &Clock::running(1.0)).await.unwrap();
        assert_eq!(clusters.find(&name).unwrap_err().exit, Exit::Unusable, "it is starting");
        let record = |kubeconfig| Record {
            name: name.clone(),
            version: "1".into(),
            owner: ProcessId::current(),
            url: "https://127.0.0.1:1".into(),
            nodes: 2,
            kubeconfig,
        };
        publish(claim.dir(), "kind: Config\n", record).unwrap();
        let found = clusters.find(&name).unwrap();
        assert_eq!(std::fs::read_to_string(&found.kubeconfig).unwrap(), "kind: Config\n");
        assert_eq!(clusters.list().unwrap(), [found]);
        drop(claim);
        assert!(clusters.list().unwrap().is_empty());
        std::fs::remove_dir_all(&place).unwrap();
    }
}
