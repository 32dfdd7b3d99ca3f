//! What the embedded cluster's kubelet runs for an image.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_agent_sim::images::{ImageRole, resolve};
use kube_sim::kubelet::{ContainerImage, ImageResolver, Script, Workload};

/// Runs the agents' images and the images of their jobs as `PROGRAM agent NAME`, their companions as scripts that are ready and quiet; every other
/// image gets the kubelet's own scripted life.
#[must_use]
pub fn resolver(program: PathBuf) -> ImageResolver {
    Arc::new(move |container: &ContainerImage| {
        let workload = match resolve(&container.image, &container.name)? {
            ImageRole::Role(role) => process(&program, role.name()),
            ImageRole::Job(job) => process(&program, job.name()),
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
