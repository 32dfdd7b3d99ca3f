//! The container.

use std::borrow::Cow;

use testcontainers::Image;
use testcontainers::core::{ContainerPort, Mount, WaitFor};

/// The cloud's port in the container.
pub const CLOUD: u16 = 7440;
/// The gateway's.
pub const GATEWAY: u16 = 7441;
/// The control interface's.
pub const CONTROL: u16 = 7442;
/// The API server's of the embedded cluster.
pub const CLUSTER: u16 = 7443;

/// What a world says on standard output when everything in it answers.
const READY: &str = "\"ready\":true";

/// A world in a container: ready when cloud, gateway and cluster answer. Its ports are published under free ones.
#[derive(Debug, Clone)]
pub struct MockAzure {
    name: String,
    tag: String,
    variables: Vec<(String, String)>,
    state: Mount,
    ports: [ContainerPort; 4],
}

impl Default for MockAzure {
    fn default() -> Self {
        Self {
            name: "dryarc".into(),
            tag: crate::VERSION.into(),
            variables: Vec::new(),
            state: Mount::tmpfs_mount("/state"),
            ports: [CLOUD, GATEWAY, CONTROL, CLUSTER].map(ContainerPort::Tcp),
        }
    }
}

impl MockAzure {
    /// Another image, written `NAME:TAG`; without a tag it is `latest`.
    #[must_use]
    pub fn from_image(image: &str) -> Self {
        // A colon before the last slash belongs to the registry's port.
        let (name, tag) = match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (image, "latest"),
        };
        Self { name: name.into(), tag: tag.into(), ..Self::default() }
    }

    /// Draws names, ids and chances from this number: two containers with one seed have the same ids.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.with("DRYARC_SEED", seed.to_string())
    }

    /// World seconds per second of the wall; 60 unless it is said here.
    #[must_use]
    pub fn with_speed(self, speed: f64) -> Self {
        self.with("DRYARC_SPEED", speed.to_string())
    }

    /// A name or address, beside those of loopback, by which clients reach the container: certificates are valid for it.
    #[must_use]
    pub fn serving_as(self, name: &str) -> Self {
        self.with("DRYARC_SERVE_AS", name.to_owned())
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.variables.push((name.to_owned(), value));
        self
    }
}

impl Image for MockAzure {
    fn name(&self) -> &str {
        &self.name
    }

    fn tag(&self) -> &str {
        &self.tag
    }

    fn ready_conditions(&self) -> Vec<WaitFor> {
        vec![WaitFor::message_on_stdout(READY)]
    }

    fn env_vars(&self) -> impl IntoIterator<Item = (impl Into<Cow<'_, str>>, impl Into<Cow<'_, str>>)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn mounts(&self) -> impl IntoIterator<Item = &Mount> {
        [&self.state]
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        &self.ports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_split_into_name_and_tag() {
        let split = |image: &str| {
            let image = MockAzure::from_image(image);
            (image.name().to_owned(), image.tag().to_owned())
        };
        assert_eq!(split("dryarc:1"), ("dryarc".into(), "1".into()));
        assert_eq!(split("registry:5000/a/dryarc"), ("registry:5000/a/dryarc".into(), "latest".into()));
        assert_eq!(split("registry:5000/dryarc:1"), ("registry:5000/dryarc".into(), "1".into()));
    }

    #[test]
    fn a_world_that_was_not_asked_for_anything_has_the_version_of_this_crate() {
        assert_eq!(MockAzure::default().tag(), crate::VERSION);
    }
}
