//! `dryarc agent`: what the kubelet of an embedded cluster runs. Not for people.

use std::process::ExitCode;

use clap::Args;

use super::Exit;

/// Run a simulated agent from the environment of this process
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dryarc agent config-agent")]
pub(super) struct Agent {
    /// Which one
    #[arg(value_name = "ROLE")]
    role: String,
}

impl Agent {
    /// Makes a runtime of its own.
    pub(super) fn run(self) -> Exit {
        let code = arc_agent_sim::main_from_env(&self.role);
        if code == ExitCode::SUCCESS { Exit::Ok } else { Exit::Failed }
    }
}
