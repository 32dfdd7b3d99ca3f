//! The `kind` and `docker` programs, as far as a world drives them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tool::Tool;
use super::{ClusterError, RealOptions, Trouble};
use crate::client_env::OuterEnv;
use crate::state::ProcessId;

/// How long kind waits for the node to be ready.
const WAIT: &str = "180s";

const NO_KIND: &str = "install kind (https://kind.sigs.k8s.io/docs/user/quick-start), or leave --cluster out: the embedded cluster needs no Docker";
const NO_DOCKER: &str = "install Docker (https://docs.docker.com/engine/install), or leave --cluster out: the embedded cluster needs no Docker";

/// One kind cluster, existing or not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KindCli {
    kind: Tool,
    docker: Tool,
    /// The cluster's name.
    pub name: String,
    /// Where kind may write and look for contexts, instead of in the user's own file.
    aside: PathBuf,
}

impl KindCli {
    /// Finds both programs and sees that Docker answers.
    ///
    /// # Errors
    /// What is missing, and how it is got.
    pub async fn find(outer: &OuterEnv, name: &str, dir: &Path) -> Result<Self, ClusterError> {
        let kind = Tool::find(outer, "kind", NO_KIND)?;
        let docker = Tool::find(outer, "docker", NO_DOCKER)?;
        let found = Self { kind, docker, name: name.into(), aside: dir.join("kind-kubeconfig") };
        let asked = found.docker.run(["version", "--format", "{{.Server.Version}}"]).await;
        asked.map_err(|said| said.explain("looking for Docker", "see what `docker version` says"))?;
        Ok(found)
    }

    /// Whether the cluster exists.
    ///
    /// # Errors
    /// What kind says.
    pub async fn exists(&self) -> Result<bool, ClusterError> {
        let listed = self.kind.run(["get", "clusters", "--quiet"]).await;
        let listed =
            listed.map_err(|said| said.explain("listing kind clusters", "see `kind get clusters`"))?;
        Ok(listed.lines().any(|line| line.trim() == self.name))
    }

    /// Creates the cluster; the user's own kubeconfig is left alone. `note` learns which process is at it.
    ///
    /// # Errors
    /// What kind says.
    pub async fn create(
        &self,
        options: &RealOptions,
        note: impl FnOnce(ProcessId),
    ) -> Result<(), ClusterError> {
        let mut arguments: Vec<String> = ["create", "cluster", "--name", &self.name, "--wait", WAIT]
            .map(str::to_owned)
            .into_iter()
            .chain(["--kubeconfig".into(), self.aside.display().to_string()])
            .collect();
        if let Some(image) = &options.node_image {
            arguments.extend(["--image".into(), image.clone()]);
        }
        if let Some(file) = &options.kind_config {
            arguments.extend(["--config".into(), file.display().to_string()]);
        }
        let created = self.kind.run_noting(arguments, note).await;
        created.map(drop).map_err(|said| {
            let mut what = format!("creating kind cluster '{}'", self.name);
            let mut next = format!("see why: kind create cluster --name {} --retain", self.name);
            if let Some(image) = &options.node_image {
                next.push_str(&format!(" --image {image}"));
            }
            if let Some(file) = &options.kind_config {
                what.push_str(&format!(" by {}", file.display()));
                next.push_str(&format!(" --config {}", file.display()));
            }
            said.explain(&what, &next)
        })
    }

    /// Deletes the cluster; one that is not there is no error.
    ///
    /// # Errors
    /// What kind says.
    pub async fn delete(&self) -> Result<(), ClusterError> {
        let aside = self.aside.display().to_string();
        let deleted = self.kind.run(["delete", "cluster", "--name", &self.name, "--kubeconfig", &aside]);
        deleted.await.map(drop).map_err(|said| {
            let next = format!("delete it by hand: kind delete cluster --name {}", self.name);
            said.explain(&format!("deleting kind cluster '{}'", self.name), &next)
        })
    }

    /// The kubeconfig of the cluster.
    ///
    /// # Errors
    /// What kind says.
    pub async fn kubeconfig(&self) -> Result<String, ClusterError> {
        let text = self.kind.run(["get", "kubeconfig", "--name", &self.name]).await;
        text.map_err(|said| {
            said.explain(
                &format!("asking for the kubeconfig of kind cluster '{}'", self.name),
                "see `kind get clusters`",
            )
        })
    }

    /// The names of its nodes.
    ///
    /// # Errors
    /// What kind says; [`Trouble::Unusable`] when it has none.
    pub async fn nodes(&self) -> Result<Vec<String>, ClusterError> {
        let listed = self.kind.run(["get", "nodes", "--name", &self.name]).await;
        let listed = listed.map_err(|said| said.explain("listing the nodes", "see `kind get nodes`"))?;
        let nodes: Vec<String> = listed.split_whitespace().map(str::to_owned).collect();
        if nodes.is_empty() {
            let what = format!("kind cluster '{}' has no nodes", self.name);
            return Err(ClusterError::new(Trouble::Unusable, what, "create it anew"));
        }
        Ok(nodes)
    }

    /// Loads an image archive into every node.
    ///
    /// # Errors
    /// What kind says.
    pub async fn load(&self, archive: &Path) -> Result<(), ClusterError> {
        let file = archive.as_os_str();
        let arguments =
            ["load".as_ref(), "image-archive".as_ref(), file, "--name".as_ref(), self.name.as_ref()];
        self.kind.run(arguments).await.map(drop).map_err(|said| {
            let next = "see that the nodes run (docker ps) and have room (docker exec NODE df /var)";
            said.explain("loading the agents' images into the nodes", next)
        })
    }

    /// Runs a program in a node.
    ///
    /// # Errors
    /// What it says.
    pub async fn in_node(&self, node: &str, arguments: &[&str]) -> Result<String, ClusterError> {
        let all = ["exec", node].into_iter().chain(arguments.iter().copied());
        self.docker
            .run(all)
            .await
            .map_err(|said| said.explain(&format!("in node {node}"), "see that the node runs: docker ps"))
    }

    /// Makes an archive of an image that is here, or can be pulled.
    ///
    /// # Errors
    /// When it is neither.
    pub async fn save_image(&self, image: &str, to: &Path) -> Result<(), ClusterError> {
        save_image(&self.docker, image, to).await
    }
}

async fn save_image(docker: &Tool, image: &str, to: &Path) -> Result<(), ClusterError> {
    let next = "build it (docker build), or make its registry reachable, or leave --agent-image out: this program makes the agents' images of itself then";
    if docker.run(["image", "inspect", image]).await.is_err() {
        let pulled = docker.run(["pull", image]).await;
        pulled.map_err(|said| {
            said.explain(&format!("image '{image}' is not here and cannot be pulled"), next)
        })?;
    }
    let saved = docker.run(["save".as_ref(), "--output".as_ref(), to.as_os_str(), image.as_ref()]).await;
    saved.map(drop).map_err(|said| said.explain(&format!("saving image '{image}'"), next))
}

/// As [`KindCli::save_image`], where kind plays no part.
///
/// # Errors
/// When Docker is missing, or the image is.
pub(super) async fn save_with_docker(outer: &OuterEnv, image: &str, to: &Path) -> Result<(), ClusterError> {
    save_image(&Tool::find(outer, "docker", NO_DOCKER)?, image, to).await
}
