//! Probes of containers that are processes: HTTP, TCP and gRPC at the port of this machine that stands for the
//! container's, and commands. Waits are world time, a probe's own timeout is wall time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use sim_core::clock::{Busy, Clock};
use tokio::net::TcpStream;

use super::command;
use super::http::{Get, dial_error, grpc_health};
use super::live::Live;
use crate::controllers::objects::{list, number, text};

/// What a probe decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

impl ProbeKind {
    /// All kinds with their field in a container.
    pub(crate) const ALL: [(Self, &'static str); 3] = [
        (Self::Startup, "startupProbe"),
        (Self::Liveness, "livenessProbe"),
        (Self::Readiness, "readinessProbe"),
    ];

    /// As events name it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// GET on a path; statuses from 200 to 399 pass.
    Http(Get),
    /// A connection.
    Tcp { port: u16 },
    /// A command that ends with 0.
    Exec { command: Vec<String> },
    /// The gRPC health service says `SERVING`.
    Grpc { port: u16, service: String },
}

/// Where a probe or hook finds its container.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) live: Live,
    /// The pod's address, which messages show.
    pub(crate) address: String,
}

impl Place {
    /// Where a container port really is.
    pub(crate) fn target(&self, port: u16) -> Option<SocketAddr> {
        self.live.port(port).map(|port| (Ipv4Addr::LOCALHOST, port).into())
    }
}

/// Why a probe did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It failed.
    Failed(String),
    /// It could not be made, which counts as nothing.
    Errored(String),
}

/// A probe as its container states it, with Kubernetes' defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) kind: ProbeKind,
    pub(crate) action: Action,
    pub(crate) initial_delay: Duration,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    pub(crate) success_threshold: i64,
    pub(crate) failure_threshold: i64,
}

/// One result of a probe, with the verdict once a threshold is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) kind: ProbeKind,
    /// Why it failed; `None` when it passed.
    pub(crate) failure: Option<Failure>,
    /// What holds now, if enough results in a row agree.
    pub(crate) verdict: Option<bool>,
}

impl Probe {
    /// The probes of a container.
    pub(crate) fn all(container: &Value) -> Vec<Self> {
        let stated = |(kind, field): (ProbeKind, &str)| {
            let spec = container.get(field).filter(|spec| spec.is_object())?;
            Some(Self::read(kind, spec, container))
        };
        ProbeKind::ALL.into_iter().filter_map(stated).collect()
    }

    fn read(kind: ProbeKind, spec: &Value, container: &Value) -> Self {
        let seconds = |field: &str, default: i64| {
            let stated = number(spec, field).unwrap_or(default).max(0);
            Duration::from_secs(stated.unsigned_abs())
        };
        Self {
            kind,
            action: action(spec, container),
            initial_delay: seconds("/initialDelaySeconds", 0),
            period: seconds("/periodSeconds", 10).max(Duration::from_secs(1)),
            timeout: seconds("/timeoutSeconds", 1).max(Duration::from_secs(1)),
            success_threshold: number(spec, "/successThreshold").unwrap_or(1).max(1),
            failure_threshold: number(spec, "/failureThreshold").unwrap_or(3).max(1),
        }
    }

    /// The container port that it asks, if it asks one.
    pub(crate) fn port(&self) -> Option<u16> {
        match self.action {
            Action::Http(Get { port, .. }) | Action::Tcp { port } | Action::Grpc { port, .. } => Some(port),
            Action::Exec { .. } => None,
        }
    }

    /// Probes until dropped or until `report` says that it is enough.
    pub(crate) async fn run(self, clock: Clock, place: Place, report: impl Fn(Outcome, Busy) -> bool) {
        let mut row = 0;
        let mut last = None;
        let mut wait = self.initial_delay;
        loop {
            let busy = clock.sleep(wait).await;
            let checked = clock.wall_timeout(self.timeout, self.check(&place, &clock)).await;
            let failure = checked.unwrap_or_else(|_| Err(Failure::Failed(self.timed_out(&place)))).err();
            let passed = failure.is_none();
            let mut verdict = None;
            if !matches!(failure, Some(Failure::Errored(_))) {
                row = if last == Some(passed) { row + 1 } else { 1 };
                last = Some(passed);
                let threshold = if passed { self.success_threshold } else { self.failure_threshold };
                verdict = (row >= threshold).then_some(passed);
            }
            if !report(Outcome { kind: self.kind, failure, verdict }, busy) {
                return;
            }
            wait = self.period;
        }
    }

    fn timed_out(&self, place: &Place) -> String {
        let limit = self.timeout.as_secs();
        match &self.action {
            Action::Http(get) => format!(
                "Get \"{}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                get.url(&place.address)
            ),
            Action::Tcp { port } => format!("dial tcp {}:{port}: i/o timeout", place.address),
            Action::Exec { command } => {
                format!("command timed out: \"{}\" timed out after {limit}s", command.join(" "))
            }
            Action::Grpc { .. } => format!("timeout: health rpc did not complete within {limit}s"),
        }
    }

    async fn check(&self, place: &Place, clock: &Clock) -> Result<(), Failure> {
        match &self.action {
            Action::Http(get) => {
                let status = get.send(place.target(get.port), &place.address).await;
                match status.map_err(Failure::Failed)? {
                    200..=399 => Ok(()),
                    status => Err(Failure::Failed(format!("HTTP probe failed with statuscode: {status}"))),
                }
            }
            Action::Tcp { port } => {
                let dial = |error: std::io::Error| {
                    Failure::Failed(format!("dial tcp {}:{port}: {}", place.address, dial_error(&error)))
                };
                let target = place.target(*port);
                let target = target.ok_or_else(|| dial(std::io::ErrorKind::ConnectionRefused.into()))?;
                TcpStream::connect(target).await.map(drop).map_err(dial)
            }
            Action::Exec { command } => {
                // The probe's own limit comes first.
                match command::run(&place.live, command, clock, self.timeout * 2).await {
                    command::Outcome::Ended(0, _) => Ok(()),
                    command::Outcome::Ended(_, output) => Err(Failure::Failed(output)),
                    command::Outcome::TimedOut => Err(Failure::Failed(self.timed_out(place))),
                    command::Outcome::NotStarted(message) => Err(Failure::Errored(format!(
                        "rpc error: code = Unknown desc = failed to exec in container: {message}"
                    ))),
                }
            }
            Action::Grpc { port, service } => {
                let address = format!("{}:{port}", place.address);
                let asked = grpc_health(place.target(*port), &address, service).await;
                asked.map_err(Failure::Failed)
            }
        }
    }
}

fn action(spec: &Value, container: &Value) -> Action {
    if let Some(get) = spec.get("httpGet").filter(|get| get.is_object()) {
        return Action::Http(http_get(get, container));
    }
    if let Some(socket) = spec.get("tcpSocket").filter(|socket| socket.is_object()) {
        return Action::Tcp { port: container_port(container, &socket["port"]) };
    }
    match spec.get("grpc").filter(|grpc| grpc.is_object()) {
        Some(grpc) => {
            let service = text(grpc, "/service").to_owned();
            Action::Grpc { port: container_port(container, &grpc["port"]), service }
        }
        None => Action::Exec { command: words(&spec["exec"]) },
    }
}

/// The words of an `exec` action.
pub(crate) fn words(exec: &Value) -> Vec<String> {
    list(exec, "/command").iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// An `httpGet` action of a container.
pub(crate) fn http_get(get: &Value, container: &Value) -> Get {
    let headers = list(get, "/httpHeaders").iter();
    let headers = headers.map(|header| (text(header, "/name").to_owned(), text(header, "/value").to_owned()));
    let path = text(get, "/path");
    let slash = if path.starts_with('/') { "" } else { "/" };
    Get {
        port: container_port(container, &get["port"]),
        path: format!("{slash}{path}"),
        host: text(get, "/host").to_owned(),
        headers: headers.collect(),
        tls: text(get, "/scheme").eq_ignore_ascii_case("HTTPS"),
    }
}

/// A port of a container by number or name; 0 when there is no such name.
fn container_port(container: &Value, wanted: &Value) -> u16 {
    let number = wanted.as_u64().or_else(|| {
        let wanted = wanted.as_str()?;
        let named = list(container, "/ports").iter().find(|port| text(port, "/name") == wanted);
        named.and_then(|port| port["containerPort"].as_u64()).or_else(|| wanted.parse().ok())
    });
    number.and_then(|port| u16::try_from(port).ok()).unwrap_or_default()
}

/// The container ports that need a port of this machine: those stated and those probed.
pub(crate) fn wanted_ports(container: &Value, probes: &[Probe]) -> Vec<u16> {
    let stated = list(container, "/ports").iter().filter_map(|port| port["containerPort"].as_u64());
    let stated = stated.filter_map(|port| u16::try_from(port).ok());
    let mut ports: Vec<u16> =
        stated.chain(probes.iter().filter_map(Probe::port)).filter(|port| *port > 0).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Ports of this machine that are free now, one for each wanted port. Somebody else may take one before the container
/// does; the container fails then as it would on a taken port.
pub(crate) fn free_ports(wanted: &[u16]) -> std::io::Result<Vec<(u16, u16)>> {
    let mut held = Vec::new();
    for port in wanted {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        held.push((*port, listener.local_addr()?.port(), listener));
    }
    Ok(held.into_iter().map(|(port, free, _)| (port, free)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::live::Backing;
    use jiff::Timestamp;
    use serde_json::json;
    use sim_core::clock::Mode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    #[test]
    fn a_probe_has_the_defaults_of_kubernetes_and_finds_named_ports() {
        let container = json!({
            "ports": [{"name": "web", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "ready", "port": "web"}, "initialDelaySeconds": 10},
            "livenessProbe": {"exec": {"command": ["true"]}},
        });
        let probes = Probe::all(&container);
        assert_eq!(probes[0].action, Action::Exec { command: vec!["true".into()] });
        assert_eq!(probes[1].port(), Some(8080));
        assert_eq!(probes[1].period, Duration::from_secs(10));
        assert_eq!(probes[1].failure_threshold, 3);
        assert_eq!(wanted_ports(&container, &probes), [8080]);
    }

    #[tokio::test]
    async fn thresholds_turn_results_into_verdicts() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for status in ["200 OK", "500 Bad", "500 Bad"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await.unwrap();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let spec = json!({"readinessProbe": {"httpGet": {"path": "/r", "port": 80}, "failureThreshold": 2,
            "initialDelaySeconds": 5, "timeoutSeconds": 30}});
        let probe = Probe::all(&spec).remove(0);
        let (sender, mut results) = mpsc::unbounded_channel();
        let backing =
            Backing::Process { env: Vec::new(), dir: std::env::temp_dir(), ports: vec![(80, target.port())] };
        let (live, _kept) = Live::new(backing);
        let place = Place { live, address: "10.0.0.1".into() };
        tokio::spawn(probe.run(clock.clone(), place, move |outcome, _busy| sender.send(outcome).is_ok()));
        clock.advance(Duration::from_secs(25)).await;
        let mut seen = Vec::new();
        while let Ok(outcome) = results.try_recv() {
            seen.push((outcome.failure, outcome.verdict));
        }
        let failed = Some(Failure::Failed("HTTP probe failed with statuscode: 500".to_owned()));
        assert_eq!(seen, [(None, Some(true)), (failed.clone(), None), (failed, Some(false))]);
    }
}
