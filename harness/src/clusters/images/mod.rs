//! The agents' container images: made here, without Docker, of a program that is `dryarc`.
//!
//! The charts name one image per agent. All of them share their layers and differ in what they run: `dryarc agent ROLE`.
//! The program is this very one, packed with the libraries that it uses, or that of an image the user names. The result
//! is one archive in the form of `docker save`, which every runtime can load.

mod archive;
mod docker_save;
mod own;
mod roles;

pub use archive::{Base, write};
pub use roles::{Named, agents};

use std::path::{Path, PathBuf};

use super::{ClusterError, Trouble};

/// Where the program of the agents' images comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// This program.
    Own,
    /// An image, saved by Docker to this file.
    Saved(PathBuf),
}

/// Writes an archive with all of `images` for a node of `architecture` (Go's name for it). Blocks.
///
/// # Errors
/// When the program is not one for that architecture, the saved image is none of ours, or a file cannot be written.
pub fn make(
    source: &Source,
    architecture: &str,
    images: &[Named],
    scratch: &Path,
    to: &Path,
) -> Result<(), ClusterError> {
    let base = match source {
        Source::Own => own::base(architecture, scratch)?,
        Source::Saved(file) => docker_save::base(file, scratch)?,
    };
    if base.architecture != architecture {
        let what = format!(
            "the nodes are '{architecture}', and the image for the agents is '{}'",
            base.architecture
        );
        return Err(ClusterError::new(Trouble::Unusable, what, "name one for the nodes with --agent-image"));
    }
    write(&base, images, to).map_err(|error| ClusterError::file("writing the agents' images", error))
}
