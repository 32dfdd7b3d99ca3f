//! A gateway on its own: `fault-proxy --route 'management.azure.com=127.0.0.1:8443'`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use fault_proxy::{Gateway, GatewayConfig, HostPattern};
use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::{Filter, Journal};
use sim_core::seed::Seed;

/// A forward proxy that leads hosts to where they are simulated and refuses the others.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  fault-proxy --listen 127.0.0.1:3128 --route '*.azure.com=127.0.0.1:8443'"
)]
struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Leads a host (NAME, *.SUFFIX or *, with :PORT for one port) to an address
    #[arg(long, value_name = "HOST=ADDRESS:PORT", value_parser = route)]
    route: Vec<(HostPattern, SocketAddr)>,
    /// Lets a host through to the real network
    #[arg(long, value_name = "HOST")]
    allow: Vec<HostPattern>,
    /// The proxy through which allowed hosts are reached
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Hosts that are reached without that proxy, as in NO_PROXY
    #[arg(long, value_name = "LIST")]
    no_proxy: Option<String>,
    /// Seed of faults that draw
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn route(text: &str) -> Result<(HostPattern, SocketAddr), String> {
    let (host, address) = text.rsplit_once('=').ok_or("write HOST=ADDRESS:PORT")?;
    let host: HostPattern = host.parse().map_err(|error| format!("{error}"))?;
    let address = address.parse().map_err(|error| format!("'{address}': {error}"))?;
    Ok((host, address))
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let clock = Clock::running(1.0);
    let journal = Journal::new(clock.clone());
    let seed = Seed::new(options.seed);
    let config = GatewayConfig {
        listen: options.listen,
        routes: options.route,
        allow: options.allow,
        upstream: options.upstream,
        no_proxy: options.no_proxy,
        faults: FaultSet::new(seed, clock.clone(), journal.clone()),
        clock,
        journal: journal.clone(),
        seed,
    };
    let gateway = match Gateway::start(config).await {
        Ok(gateway) => gateway,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    // Whoever started this reads the address; if nobody does, the log has it.
    let _ = writeln!(std::io::stdout(), "http://{}", gateway.addr());
    tracing::info!("listening on {}", gateway.addr());
    tokio::select! {
        () = report(&journal) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    gateway.shutdown().await;
    ExitCode::SUCCESS
}

/// Logs what the journal gets, until the end of the process.
async fn report(journal: &Journal) {
    let mut after = 0;
    loop {
        for event in journal.read(&Filter { after, ..Filter::default() }) {
            after = event.seq;
            tracing::info!(kind = event.kind, facts = %serde_json::Value::Object(event.facts.clone()), "event");
        }
        journal.changed(after).await;
    }
}
