//! Which image is which agent: data, so that launchers know what to start for a container.

use crate::jobs::Job;
use crate::role::Role;

/// What a container of the agents' pods is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRole {
    /// An agent that this crate simulates.
    Role(Role),
    /// A program that ends by itself.
    Job(Job),
    /// A companion that does nothing observable; a launcher scripts it as running.
    Sidecar,
}

/// The path component under which the agents' images live in every registry.
const FAMILY: &str = "azurearck8s";

/// Companions in the agents' pods (chart of the agents).
pub(crate) const FLUENT_BIT: &str = "fluent-bit";
pub(crate) const CONNECT_SERVICE: &str = "clusterconnectservice-operator";
pub(crate) const HEALTH_STATE: &str = "healthstatecontroller";
pub(crate) const MSI_ADAPTER: &str = "msi-adapter";
/// Agents that are there and do nothing observable.
pub(crate) const EXTENSION_EVENTS: &str = "extension-events-collector";
pub(crate) const LOG_COLLECTOR: &str = "fluent-bit-collector";
pub(crate) const GUARD: &str = "guard";
const SIDECARS: [&str; 7] =
    [FLUENT_BIT, CONNECT_SERVICE, HEALTH_STATE, MSI_ADAPTER, EXTENSION_EVENTS, LOG_COLLECTOR, GUARD];

/// What `image` in a container named `container` stands for; `None` for images that are not the agents'.
///
/// Any registry, ring, tag and digest do, as long as `azurearck8s` is a component of the path: a user's own image that
/// happens to be called `config-agent` is not ours. The container's name decides only when the image's does not.
#[must_use]
pub fn resolve(image: &str, container: &str) -> Option<ImageRole> {
    let path = image.split('@').next().unwrap_or_default();
    if let Some(job) = job(path) {
        return Some(ImageRole::Job(job));
    }
    let mut parts = path.split('/').skip_while(|part| *part != FAMILY);
    parts.next()?;
    let named = parts.filter_map(|part| by_name(part.split(':').next().unwrap_or_default())).last();
    named.or_else(|| by_container(container))
}

/// The last part of the name of every image in the agents' pods.
pub fn names() -> impl Iterator<Item = &'static str> {
    Role::all().map(Role::image).chain(SIDECARS)
}

/// The job of an image: below [`FAMILY`], or at the top of a registry, where the diagnoser's image is.
fn job(path: &str) -> Option<Job> {
    let parts: Vec<&str> = path.split('/').collect();
    let name = parts.last()?.split(':').next()?;
    let ours = parts.contains(&FAMILY) || parts.len() == 2;
    Job::all().find(|job| ours && job.image() == name)
}

fn by_name(name: &str) -> Option<ImageRole> {
    if SIDECARS.contains(&name) {
        return Some(ImageRole::Sidecar);
    }
    Role::all().find(|role| role.image() == name).map(ImageRole::Role)
}

/// `manager` is the container of three pods, so it says nothing.
fn by_container(container: &str) -> Option<ImageRole> {
    if SIDECARS.contains(&container) {
        return Some(ImageRole::Sidecar);
    }
    Role::all().find(|role| role.container() == container && container == role.name()).map(ImageRole::Role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_known_by_image_whatever_the_registry_ring_tag_or_digest() {
        let agent = Some(ImageRole::Role(Role::ConfigAgent));
        assert_eq!(resolve("mcr.microsoft.com/azurearck8s/config-agent:1.37.2", "config-agent"), agent);
        assert_eq!(resolve("127.0.0.1:5000/azurearck8s/canary/stable/config-agent@sha256:00", "x"), agent);
        let manager = resolve("mcr.microsoft.com/azurearck8s/configoperator:1.37.2", "manager");
        assert_eq!(manager, Some(ImageRole::Role(Role::ControllerManager)));
    }

    #[test]
    fn companions_are_sidecars_and_other_images_are_nothing() {
        assert_eq!(
            resolve("mcr.microsoft.com/azurearck8s/fluent-bit:1", "fluent-bit"),
            Some(ImageRole::Sidecar)
        );
        assert_eq!(
            resolve("mcr.microsoft.com/azurearck8s/clusterdiagnosticchecks:1.36.1", "x"),
            Some(ImageRole::Job(Job::Checks))
        );
        assert_eq!(
            resolve("mcr.microsoft.com/arck8sdiagnoser:v0.1.1", "x"),
            Some(ImageRole::Job(Job::Diagnoser))
        );
        assert_eq!(resolve("docker.io/mine/arck8sdiagnoser:1", "x"), None);
        assert_eq!(resolve("docker.io/mine/config-agent:1", "config-agent"), None);
        assert_eq!(resolve("nginx", "manager"), None);
        assert_eq!(resolve("", ""), None);
    }
}
