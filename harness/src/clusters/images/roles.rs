//! Which images the agents' pods name, and what each of them runs.

use std::collections::BTreeMap;

use arc_agent_sim::SIDECAR;
use arc_agent_sim::images::{ImageRole, resolve};
use arc_agent_sim::manifests::{self, AgentSettings};
use serde_json::Value;

/// An image by its full name, and the role that it runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Registry, repository and tag.
    pub name: String,
    /// The argument of `dryarc agent`.
    pub role: String,
}

/// Every image that the agents of this version name, taken from their own pods.
#[must_use]
pub fn agents(version: &str) -> Vec<Named> {
    let mut settings = AgentSettings::new("s", "g", "n", "l", "t");
    settings.agent_version = version.into();
    let mut found = BTreeMap::new();
    for object in manifests::objects(&settings) {
        let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
            let (image, container) = (text("image"), text("name"));
            let role = match resolve(image, container) {
                Some(ImageRole::Role(role)) => role.name(),
                Some(ImageRole::Sidecar) => SIDECAR,
                _ => continue,
            };
            found.insert(image.to_owned(), role.to_owned());
        }
    }
    found.into_iter().map(|(name, role)| Named { name, role }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_of_the_agents_pods_has_a_role() {
        let all = agents("1.37.2");
        let role = |name: &str| {
            let full = format!("mcr.microsoft.com/azurearck8s/{name}:1.37.2");
            all.iter().find(|image| image.name == full).map(|image| image.role.clone())
        };
        assert_eq!(all.len(), 12);
        assert_eq!(role("configoperator").as_deref(), Some("controller-manager"));
        assert_eq!(role("fluent-bit").as_deref(), Some(SIDECAR));
        assert!(agents("1.0.0").iter().all(|image| image.name.ends_with(":1.0.0")));
    }
}
