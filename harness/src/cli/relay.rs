//! `dryarc relay`: the cloud under a second address, for networks of which the world's container is no part.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use sim_core::clock::Clock;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{CliError, Context, Exit, output};
use crate::client_env::Place;

/// How long a connection to the target may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the listeners rest when the system has no socket to give.
const PAUSE: Duration = Duration::from_millis(50);

/// Pass connections on, byte for byte, until asked to end
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dryarc relay --port 443 --port 8084 --to azure:7440")]
pub(super) struct Relay {
    /// Listen on this port of every address (repeatable)
    #[arg(long = "port", required = true, value_name = "PORT")]
    ports: Vec<u16>,
    /// Where connections go; the name is looked up for each
    #[arg(long, value_name = "HOST:PORT")]
    to: Place,
}

impl Relay {
    /// Ends only when it is dropped, or when no port can be had.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut listeners = JoinSet::new();
        for port in &self.ports {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port));
            let listener = TcpListener::bind(address).await.map_err(|error| {
                CliError::failed(format!("cannot listen on {address}: {error}"))
                    .next("choose another port with --port, or end who holds it")
            })?;
            output::say(&format!("{address} leads to {}", self.to));
            listeners.spawn(serve(listener, self.to.clone(), context.clock.clone()));
        }
        listeners.join_next().await;
        Ok(Exit::Ok)
    }
}

async fn serve(listener: TcpListener, to: Place, clock: Clock) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                connections.spawn(pass_on(client, to.clone(), clock.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the relay cannot take a connection");
                clock.wall_sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// A target that cannot be reached shows as a connection that ends.
async fn pass_on(mut client: TcpStream, to: Place, clock: Clock) {
    let connecting = TcpStream::connect((to.host.as_str(), to.port));
    match clock.wall_timeout(CONNECT, connecting).await {
        Ok(Ok(mut target)) => {
            // However it ends, both sides are told by the end of their connections.
            let _ = copy_bidirectional(&mut client, &mut target).await;
        }
        Ok(Err(error)) => tracing::warn!(%to, %error, "the target cannot be reached"),
        Err(_) => tracing::warn!(%to, "the target does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn bytes_pass_both_ways_and_an_unreachable_target_ends_the_connection() {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to: Place = target.local_addr().unwrap().into();
        let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = relay.local_addr().unwrap();
        let serving = tokio::spawn(serve(relay, to, Clock::running(1.0)));
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut served, _) = target.accept().await.unwrap();
        client.write_all(b"ask").await.unwrap();
        let mut buffer = [0; 3];
        served.read_exact(&mut buffer).await.unwrap();
        served.write_all(&buffer).await.unwrap();
        client.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"ask");
        drop((target, served));
        let mut late = TcpStream::connect(address).await.unwrap();
        assert_eq!(late.read(&mut buffer).await.unwrap_or(0), 0);
        serving.abort();
    }
}
