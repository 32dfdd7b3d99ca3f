//! A world in a container, for tests written with the crate `testcontainers`.
//!
//! ```no_run
//! use harness::testcontainers::{Client, MockAzure};
//! use testcontainers::runners::AsyncRunner as _;
//!
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let azure = MockAzure::default().with_seed(1).start().await?;
//! let folder = std::env::temp_dir().join("azure-client");
//! let client = Client::export(&azure, &folder).await?;
//! let groups = client.command("az").args(["group", "list"]).output()?;
//! assert!(groups.status.success());
//! # Ok(())
//! # }
//! ```
//!
//! Every container is one world with a cloud, a gateway and an embedded cluster; it goes away with its value. The image is
//! `dryarc` in the version of this crate unless another is named.

mod client;
mod image;

pub use client::{Client, ClientError};
pub use image::{CLOUD, CLUSTER, CONTROL, GATEWAY, MockAzure};
