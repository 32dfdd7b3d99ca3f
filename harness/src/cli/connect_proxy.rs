//! `dryarc connect-proxy`: the program behind `az connectedk8s proxy`, which runs it under the name `arcProxy…`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use sim_core::clock::Clock;

use super::{CliError, Exit};
use crate::connect_proxy;

/// Serve the client's side of cluster connect
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dryarc connect-proxy -c config.yml")]
pub(super) struct ConnectProxy {
    /// The configuration file that the Azure CLI wrote
    #[arg(short = 'c', value_name = "FILE")]
    config: PathBuf,
    /// Accepted, because the Azure CLI gives it with --debug
    #[arg(short = 'd', hide = true)]
    debug: bool,
}

impl ConnectProxy {
    /// Ends only when it is dropped, or when it cannot serve.
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        connect_proxy::run(&self.config, Clock::running(1.0)).await.map_err(|error| {
            CliError::failed(format!("{error}"))
                .next("end whoever holds the port, and run az connectedk8s proxy again")
        })?;
        Ok(Exit::Ok)
    }
}

/// The arguments of this process; those of a program called `arcProxy…` are those of `connect-proxy`.
pub(super) fn arguments() -> Vec<OsString> {
    by_name(std::env::args_os().collect())
}

fn by_name(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.first().and_then(|first| Path::new(first).file_name());
    if name.is_some_and(|name| name.to_string_lossy().starts_with(connect_proxy::PROGRAM)) {
        arguments.insert(1, "connect-proxy".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_decides_what_it_is() {
        let arguments = |words: &[&str]| by_name(words.iter().map(Into::into).collect());
        assert_eq!(
            arguments(&["/h/.clientproxy/arcProxy_linux_amd64_1_3_035022", "-c", "x"])[1],
            "connect-proxy"
        );
        assert_eq!(arguments(&["/usr/bin/dryarc", "status"]).len(), 2);
    }
}
