//! `dryarc health`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpStream;

use super::{CliError, Context, Exit, output};
use crate::control::Control;

/// How long a world may take to answer, in wall time.
const PATIENCE: Duration = Duration::from_secs(4);

/// Say whether a world answers: for health checks of containers
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc health
  dryarc health --world ci && ./my-tests.sh

Exit codes: 0 it answers, 3 there is no such world, 4 it is starting, or does not answer.")]
pub(super) struct Health {}

impl Health {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let record = context.running()?;
        let facts = &record.facts;
        let asked = async {
            Control::new(&record).status().await?;
            open("cloud", facts.cloud).await?;
            open("gateway", facts.gateway).await
        };
        match context.clock.wall_timeout(PATIENCE, asked).await {
            Ok(answered) => answered?,
            Err(_) => return Err(silent(&format!("world '{}'", record.name))),
        }
        output::print(&format!("world '{}' answers\n", record.name))?;
        Ok(Exit::Ok)
    }
}

async fn open(part: &str, address: SocketAddr) -> Result<(), CliError> {
    TcpStream::connect(address).await.map(drop).map_err(|_| silent(&format!("the {part} at {address}")))
}

fn silent(what: &str) -> CliError {
    CliError::new(Exit::Unusable, format!("{what} does not answer"))
        .next("end it with `dryarc down` and start another with `dryarc up`")
}
