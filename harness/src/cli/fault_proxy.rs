//! `dryarc fault-proxy`: a misbehaving forward proxy on its own, without a world.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use fault_proxy::{ForwardProxy, Https, ProxyConfig, ProxyError, Surroundings};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::{Event, Filter, Journal};
use sim_core::net::Net;
use sim_core::seed::Seed;

use super::signals::Signals;
use super::{CliError, Exit, output};
use crate::client_env::OuterEnv;
use crate::world::{ProxyFileError, read_proxy};

const HELP: &str = "\
Examples:
  dryarc fault-proxy --listen 127.0.0.1:3128             a proxy that does what it is asked
  dryarc fault-proxy --config proxy.yaml --ca-out ca.pem
  dryarc fault-proxy --config proxy.yaml --check         only say whether the file is right

A file (YAML or JSON); every key has a default:
  listen: 127.0.0.1:3128                      # reached by http://
  https: {listen: '127.0.0.1:3129', names: [proxy.contoso.com], certificate: expired}
  auth: {schemes: [negotiate, ntlm, basic], realm: corp, users: {arc: secret}}
  allow: ['*.azure.com', 10.0.0.0/8]          # everything else gets refusal.status
  deny: [login.microsoftonline.com]
  refusal: {status: 403, text: blocked}
  sni: {allow: [], deny: ['*.his.arc.azure.com']}   # resets tunnels by their TLS server name
  dns: [{host: '*.his.arc.azure.com', answer: nxdomain}]   # or servfail, silence, a wrong address
  upstream: http://user:password@proxy.corp:3128
  upstreamSkip: .corp
  # certificates: none, expired, notYetValid, wrongName, noKeyIdentifier, missingIntermediate, unknownIssuer
  intercept: {hosts: ['*'], except: ['*.servicebus.windows.net'], certificate: missingIntermediate}
  websockets: {upgrade: strip, cutAfter: 60s} # pass, strip, refuse, buffer
  limits: {connections: 100, headerBytes: 8192, idle: 5m, http10: false}
  rules:                                      # as for `dryarc fault add`, on the hook 'wire'
  - {match: {facts: {host: '*.azure.com'}, probability: 0.1}, effect: resetAt, bytes: 1000}
  - {effect: slow, millis: 200, jitter: 50, bytesPerSecond: 65536}

Effects of rules: delay, respond, reset, refuse, hang, resetAt (bytes), truncate (bytes), stall (bytes),
halfOpen (bytes), cut (millis), slow (millis, jitter, bytesPerSecond), slowClose (millis).";

/// Run a forward proxy that misbehaves as its file says, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct FaultProxy {
    /// How it behaves (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where it is reached by http://; port 0 takes a free one [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where it is reached by https:// as well
    #[arg(long, value_name = "ADDRESS:PORT")]
    https_listen: Option<SocketAddr>,
    /// The proxy through which targets are reached
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Write the root certificate of what it shows to this file
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// Trust these roots (PEM) behind an interception, instead of the system's
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Draw jitter and chances from this number
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Only say whether the file is right
    #[arg(long)]
    check: bool,
    /// Print the JSON Schema of the file, for editors
    #[arg(long)]
    schema: bool,
}

impl FaultProxy {
    pub(super) async fn run(self, outer: &OuterEnv) -> Result<Exit, CliError> {
        if self.schema {
            output::print(&format!("{:#}\n", ProxyConfig::schema()))?;
            return Ok(Exit::Ok);
        }
        let config = self.config()?;
        if self.check {
            output::say("the file is right");
            return Ok(Exit::Ok);
        }
        let mut signals =
            Signals::new().map_err(|error| CliError::failed(format!("cannot watch signals: {error}")))?;
        more_sockets();
        let clock = Clock::running(1.0);
        let journal = Journal::new(clock.clone());
        let seed = Seed::new(self.seed);
        let faults = FaultSet::new(seed, clock.clone(), journal.clone());
        let around = Surroundings { net: self.net(outer)?, clock, journal: journal.clone(), faults, seed };
        let proxy = ForwardProxy::start(config, around).await?;
        if let Some(file) = &self.ca_out {
            write_ca(file, proxy.ca_pem())?;
        }
        ready(&proxy, self.ca_out.as_deref())?;
        let asked = tokio::select! {
            () = report(&journal) => None,
            asked = signals.next() => Some(asked),
        };
        proxy.shutdown().await;
        // Ctrl-C and TERM are how it is meant to end.
        Ok(asked.map_or(Exit::Ok, super::signals::Asked::exit))
    }

    fn config(&self) -> Result<ProxyConfig, CliError> {
        let mut config = self.config.as_deref().map(read_proxy).transpose()?.unwrap_or_default();
        config.listen = self.listen.unwrap_or(config.listen);
        if let Some(listen) = self.https_listen {
            let (names, certificate) = Default::default();
            config.https =
                Some(Https { listen, ..config.https.unwrap_or(Https { listen, names, certificate }) });
        }
        if self.upstream.is_some() {
            config.upstream.clone_from(&self.upstream);
        }
        Ok(config)
    }

    /// The network of this machine; of its roots those that are given, or the system's.
    fn net(&self, outer: &OuterEnv) -> Result<Net, CliError> {
        let trust = self.trust.as_ref().map(|file| file.display().to_string());
        let given = trust.clone().or_else(|| outer.get("SSL_CERT_FILE").map(str::to_owned));
        Net::from_env(|name| (name == "SSL_CERT_FILE").then(|| given.clone()).flatten()).map_err(|error| {
            let source = if trust.is_some() { "--trust" } else { "SSL_CERT_FILE" };
            CliError::usage(error).next(format!("name a file of PEM certificates by {source}"))
        })
    }
}

/// As many sockets as the system lets one process have: a tunnel takes two.
fn more_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the number of open files stays as it was");
    }
}

fn write_ca(file: &Path, pem: &str) -> Result<(), CliError> {
    std::fs::write(file, pem).map_err(|error| {
        CliError::usage(format!("cannot write {}: {error}", file.display()))
            .next("give --ca-out a file that you can write")
    })
}

/// One line of JSON on standard output: where it is.
fn ready(proxy: &ForwardProxy, ca: Option<&Path>) -> Result<(), CliError> {
    let line = json!({
        "ready": true,
        "http": format!("http://{}", proxy.addr()),
        "https": proxy.https_addr().map(|address| format!("https://{address}")),
        "ca": ca.map(|file| file.display().to_string()),
    });
    output::print(&format!("{line}\n"))
}

/// Says what it does, one line each, for as long as it runs.
async fn report(journal: &Journal) {
    let mut after = 0;
    loop {
        for event in journal.read(&Filter { after, ..Filter::default() }) {
            after = event.seq;
            output::say(&line(&event));
        }
        journal.changed(after).await;
    }
}

fn line(event: &Event) -> String {
    let text = |name: &str| event.facts.get(name).and_then(Value::as_str).unwrap_or_default();
    let port = event.facts.get("port").map(|port| port.to_string().replace('"', "")).unwrap_or_default();
    let time = event.time.strftime("%H:%M:%S");
    let mut line = format!("{time} {:<15} {} {}:{port}", event.kind, text("method"), text("host"));
    for more in ["rule", "detail"].map(text).iter().filter(|more| !more.is_empty()) {
        line.push_str("  ");
        line.push_str(more);
    }
    line
}

impl From<ProxyFileError> for CliError {
    fn from(error: ProxyFileError) -> Self {
        Self::usage(error).next("compare it with the file in `dryarc fault-proxy --help`")
    }
}

impl From<ProxyError> for CliError {
    fn from(error: ProxyError) -> Self {
        match &error {
            ProxyError::Listen { .. } => Self::failed(&error).next(
                "choose another port, or leave it out for a free one; `ss -ltnp` shows who listens there",
            ),
            ProxyError::Authority(_) => Self::failed(&error).next("give https.names that are host names"),
            _ => Self::usage(&error).next("compare it with the file in `dryarc fault-proxy --help`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_help_is_one_and_has_every_key_of_the_schema() {
        let from = HELP.split("default:\n").nth(1).unwrap();
        let text = from.split("\n\n").next().unwrap();
        let config: ProxyConfig = serde_saphyr::from_str(text).unwrap();
        config.check().unwrap();
        let shown: Value = serde_saphyr::from_str(text).unwrap();
        let schema = ProxyConfig::schema();
        assert_eq!(schema["additionalProperties"], false);
        for key in schema["properties"].as_object().unwrap().keys().filter(|key| *key != "name") {
            assert!(shown.get(key).is_some(), "{key}");
        }
    }
}
