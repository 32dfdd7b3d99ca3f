//! A test's way to a simulated Azure in a container: `cargo run -p harness --features testcontainers --example testcontainers`.
//! Needs Docker, the image (`tests/container-images` makes it) and kubectl.

use std::error::Error;
use std::io::Write as _;

use harness::testcontainers::{Client, MockAzure};
use testcontainers::runners::AsyncRunner as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let azure = MockAzure::default().with_seed(1).start().await?;
    let folder = std::env::temp_dir().join(format!("dryarc-example-{}", std::process::id()));
    let client = Client::export(&azure, &folder).await?;
    let mut out = std::io::stdout();
    for name in ["DRYARC_CLOUD_URL", "HTTPS_PROXY", "AZURE_SUBSCRIPTION_ID"] {
        writeln!(out, "{name}={}", client.variable(name).unwrap_or_default())?;
    }
    let nodes = client.command("kubectl").args(["get", "nodes"]).output()?;
    out.write_all(&nodes.stdout)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
