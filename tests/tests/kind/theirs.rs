//! A kind cluster that the user had before, and what a world must leave in it as it was.

use std::collections::BTreeSet;
use std::path::PathBuf;

use e2e_tests::command::Sandbox;

use crate::machine::{Machine, output};

/// The cluster; deleted when dropped.
pub(crate) struct Theirs {
    pub(crate) name: String,
    kubeconfig: PathBuf,
}

impl Theirs {
    /// Where the kubeconfig of such a cluster is put.
    pub(crate) fn kubeconfig(sandbox: &Sandbox) -> PathBuf {
        sandbox.work().join("theirs")
    }

    pub(crate) fn create(machine: &Machine, sandbox: &Sandbox) -> Result<Self, String> {
        let name = format!("dryarc-test-{}", std::process::id());
        let theirs = Self { name, kubeconfig: Self::kubeconfig(sandbox) };
        let mut arguments: Vec<String> = ["create", "cluster", "--wait", "180s", "--name", &theirs.name]
            .map(str::to_owned)
            .into_iter()
            .chain(["--kubeconfig".into(), theirs.kubeconfig.display().to_string()])
            .collect();
        arguments.extend(machine.image_options("--image"));
        output("kind", &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        let coredns = ["-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s"];
        theirs.kubectl(&coredns)?;
        Ok(theirs)
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let file = self.kubeconfig.display().to_string();
        output("kubectl", &[&["--kubeconfig", &file], arguments].concat())
    }

    /// Runs a shell script in the cluster's node.
    pub(crate) fn in_node(&self, script: &str) -> Result<String, String> {
        output("docker", &["exec", &self.node(), "bash", "-c", script])
    }

    fn node(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    /// Everything of the cluster that a world could change and must not leave changed.
    pub(crate) fn state(&self) -> Result<State, String> {
        let corefile =
            ["-n", "kube-system", "get", "configmap", "coredns", "-o", "jsonpath={.data.Corefile}"];
        let wide = "namespaces,crd,clusterroles,clusterrolebindings,mutatingwebhookconfigurations";
        let objects = self.kubectl(&["get", wide, "-o", "name"])?;
        let images = output("docker", &["exec", &self.node(), "ctr", "-n", "k8s.io", "images", "ls", "-q"])?;
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        Ok(State { corefile: self.kubectl(&corefile)?, objects: lines(objects), images: lines(images) })
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let file = self.kubeconfig.display().to_string();
        // Nobody can do anything about it here.
        let _ = output("kind", &["delete", "cluster", "--name", &self.name, "--kubeconfig", &file]);
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) corefile: String,
    pub(crate) objects: BTreeSet<String>,
    pub(crate) images: BTreeSet<String>,
}
