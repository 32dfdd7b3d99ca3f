//! `dryarc agent`: what the kubelet of an embedded cluster and the agents' images run. Not for people.

use std::process::ExitCode;

use arc_agent_sim::images::{ImageRole, names, resolve};
use clap::Args;

use super::signals::Signals;
use super::{CliError, Exit, output};

/// Run a simulated agent from the environment of this process
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dryarc agent config-agent\n  dryarc agent cluster-identity     by the name of its image"
)]
pub(super) struct Agent {
    /// Which one: its role, or the last part of its image's name; a companion such as fluent-bit is ready and does nothing
    #[arg(value_name = "ROLE", env = "DRYARC_ROLE", required_unless_present = "images")]
    role: Option<String>,
    /// Print the names of the images that the charts use, and end
    #[arg(long)]
    images: bool,
}

impl Agent {
    /// Makes a runtime of its own.
    ///
    /// # Errors
    /// When nothing can be printed, or the system has no signal to give to a companion.
    pub(super) fn run(self) -> Result<Exit, CliError> {
        if self.images {
            output::print(&names().map(|name| format!("{name}\n")).collect::<String>())?;
            return Ok(Exit::Ok);
        }
        let role = self.role.unwrap_or_default();
        let code = match resolve(&format!("azurearck8s/{role}"), "") {
            Some(ImageRole::Sidecar) => return companion(),
            Some(ImageRole::Role(role)) => arc_agent_sim::main_from_env(role.name()),
            _ => arc_agent_sim::main_from_env(&role),
        };
        Ok(if code == ExitCode::SUCCESS { Exit::Ok } else { Exit::Failed })
    }
}

/// What stands beside an agent in its pod: there until it is asked to end.
fn companion() -> Result<Exit, CliError> {
    let cannot = |error: std::io::Error| CliError::failed(format!("a companion cannot run: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(cannot)?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(cannot)?;
        signals.next().await;
        Ok(Exit::Ok)
    })
}
