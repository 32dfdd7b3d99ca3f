//! Which images the agents' pods name, and what each of them runs.

use arc_agent_sim::SIDECAR;
use arc_agent_sim::images::{ImageRole, names, resolve};

/// Registry and family of the agents' images, as the charts name them.
const REPOSITORY: &str = "mcr.microsoft.com/azurearck8s";

/// Images of jobs, which have versions of their own: those of the Azure CLI's extension 1.11.
const JOBS: [&str; 2] = [
    "mcr.microsoft.com/azurearck8s/clusterdiagnosticchecks:1.36.1",
    "mcr.microsoft.com/arck8sdiagnoser:v0.1.1",
];

/// An image by its full name, and what it runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Registry, repository and tag.
    pub name: String,
    /// The argument of `dryarc agent`.
    pub role: String,
}

/// Every image that onboarding and its agents of this version name.
#[must_use]
pub fn agents(version: &str) -> Vec<Named> {
    let versioned = names().map(|name| format!("{REPOSITORY}/{name}:{version}"));
    let named = |name: String| {
        let role = match resolve(&name, "")? {
            ImageRole::Role(role) => role.name(),
            ImageRole::Job(job) => job.name(),
            ImageRole::Sidecar => SIDECAR,
        };
        Some(Named { role: role.into(), name })
    };
    versioned.chain(JOBS.map(str::to_owned)).filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use arc_agent_sim::manifests::{self, AgentSettings};
    use serde_json::Value;

    #[test]
    fn every_image_of_the_agents_pods_is_made_and_runs_its_role() {
        let all = agents("1.37.2");
        let made: BTreeSet<&str> = all.iter().map(|image| image.name.as_str()).collect();
        for object in manifests::objects(&AgentSettings::new("s", "g", "n", "l", "t")) {
            let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
            for container in containers.into_iter().flatten() {
                let image = container["image"].as_str().unwrap();
                assert!(made.contains(image), "{image}");
            }
        }
        let role =
            |end: &str| all.iter().find(|image| image.name.ends_with(end)).map(|image| image.role.clone());
        assert_eq!(role("/configoperator:1.37.2").as_deref(), Some("controller-manager"));
        assert_eq!(role("/fluent-bit:1.37.2").as_deref(), Some(SIDECAR));
        assert_eq!(role("/clusterdiagnosticchecks:1.36.1").as_deref(), Some("cluster-diagnostic-checks"));
        assert!(role("/arck8sdiagnoser:v0.1.1").is_some());
    }
}
