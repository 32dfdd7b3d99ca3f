//! dryarc: Azure Arc onboarding, dry-run.
//!
//! - [`cli`]: the `dryarc` command, one file per command.
//! - [`world`]: a world composed of cloud, gateway, cluster and clock, and hosted with a folder and a control interface.
//! - [`clusters`]: the clusters of worlds, embedded and real.
//! - [`control`]: how commands reach a world in another process.
//! - [`state`]: where worlds keep their files, who owns them.
//! - [`client_env`]: what client programs need in order to live in a world.
//! - [`driver`]: native onboarding, a client like any other.
//! - [`quickstart`]: the Microsoft quickstart, performed by the driver.
//! - [`scenario`]: failures of the field, each with its remedy.
//! - [`lab`]: a world as a value, for tests.
//! - [`span`]: spans of time as people write them.
//! - `testcontainers` (with the feature of that name): a world in a container, for tests.
//! - [`images`]: what the cluster's kubelet runs for an image.

pub mod cli;
pub mod client_env;
pub mod clusters;
pub mod connect_proxy;
pub mod control;
pub mod driver;
pub mod images;
pub mod lab;
pub mod quickstart;
pub mod scenario;
pub mod span;
pub mod state;
#[cfg(feature = "testcontainers")]
pub mod testcontainers;
pub mod world;

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, or `unknown`.
pub const COMMIT: &str = env!("DRYARC_BUILD_COMMIT");
