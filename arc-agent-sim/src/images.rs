//! Which image is which agent: data, so that launchers know what to start for a container.

use crate::role::Role;

/// What a container of the agents' pods is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRole {
    /// An agent that this crate simulates.
    Role(Role),
    /// A companion that does nothing observable; a launcher scripts it as running.
    Sidecar,
}

/// The path component under which the agents' images live in every registry.
const FAMILY: &str = "azurearck8s";

/// Companions in the agents' pods (chart of the agents).
pub(crate) const FLUENT_BIT: &str = "fluent-bit";
pub(crate) const CONNECT_SERVICE: &str = "clusterconnectservice-operator";
const SIDECARS: [&str; 3] = [FLUENT_BIT, CONNECT_SERVICE, "healthstatecontroller"];

/// What `image` in a container named `container` stands for; `None` for images that are not the agents'.
///
/// Any registry, ring, tag and digest do, as long as `azurearck8s` is a component of the path: a user's own image that
/// happens to be called `config-agent` is not ours. The container's name decides only when the image's does not.
#[must_use]
pub fn resolve(image: &str, container: &str) -> Option<ImageRole> {
    let path = image.split('@').next().unwrap_or_default();
    let mut parts = path.split('/').skip_while(|part| *part != FAMILY);
    parts.next()?;
    let named = parts.filter_map(|part| by_name(part.split(':').next().unwrap_or_default())).last();
    named.or_else(|| by_container(container))
}

/// The last part of the name of every image in the agents' pods.
pub fn names() -> impl Iterator<Item = &'static str> {
    Role::all().map(Role::image).chain(SIDECARS)
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
        assert_eq!(resolve("docker.io/mine/config-agent:1", "config-agent"), None);
        assert_eq!(resolve("nginx", "manager"), None);
        assert_eq!(resolve("", ""), None);
    }
}
