//! What the embedded cluster's kubelet runs for an image.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_agent_sim::images::{ImageRole, resolve};
use kube_sim::kubelet::{ContainerImage, ImageResolver, Script, Workload};

/// Runs the agents' images as `PROGRAM agent ROLE`, their companions as scripts that are ready and quiet; every other
/// image gets the kubelet's own scripted life.
#[must_use]
pub fn resolver(program: PathBuf) -> ImageResolver {
    Arc::new(move |container: &ContainerImage| {
        let workload = match resolve(&container.image, &container.name)? {
            ImageRole::Role(role) => Workload::Process {
                program: program.clone(),
                args: vec!["agent".into(), role.name().into()],
                env: Vec::new(),
            },
            ImageRole::Sidecar => {
                Workload::Scripted(Script { lines: Vec::new(), ready_after: Duration::ZERO, exit: None })
            }
        };
        Some(workload)
    })
}
