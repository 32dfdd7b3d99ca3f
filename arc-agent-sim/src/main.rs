//! One simulated agent: `arc-agent-sim ROLE`, or the role in `DRYARC_ROLE`.

use std::process::ExitCode;

use clap::Parser;

/// A simulated Azure Arc agent. Its configuration is the environment that its pod has.
#[derive(Debug, Parser)]
#[command(version, after_help = "Example: arc-agent-sim config-agent")]
struct Arguments {
    /// Which agent: config-agent, clusteridentityoperator, …
    #[arg(env = "DRYARC_ROLE")]
    role: String,
}

fn main() -> ExitCode {
    arc_agent_sim::main_from_env(&Arguments::parse().role)
}
