//! Probes of containers that are processes: HTTP and TCP, at the port of this machine that stands for the container's.
//!
//! `exec`, `grpc` and HTTPS probes are not modelled: an event says so, and they count as passed. Waits are world time,
//! a probe's own timeout is wall time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sim_core::clock::{Busy, Clock};
use tokio::net::TcpStream;

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
    Http { port: u16, path: String, host: String, headers: Vec<(String, String)> },
    /// A connection.
    Tcp { port: u16 },
    /// Something that is not modelled.
    NotModelled(&'static str),
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
    pub(crate) failure: Option<String>,
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

    /// The container port that it asks.
    pub(crate) fn port(&self) -> Option<u16> {
        match self.action {
            Action::Http { port, .. } | Action::Tcp { port } => Some(port),
            Action::NotModelled(_) => None,
        }
    }

    /// Probes until dropped or until `report` says that it is enough. `target` is where the container's port is.
    pub(crate) async fn run(
        self,
        clock: Clock,
        target: SocketAddr,
        shown: String,
        report: impl Fn(Outcome, Busy) -> bool,
    ) {
        let mut row = 0;
        let mut last = None;
        let mut wait = self.initial_delay;
        loop {
            let busy = clock.sleep(wait).await;
            let checked = clock.wall_timeout(self.timeout, self.check(target, &shown)).await;
            let failure = checked.unwrap_or_else(|_| Err(self.timed_out(&shown))).err();
            let passed = failure.is_none();
            row = if last == Some(passed) { row + 1 } else { 1 };
            last = Some(passed);
            let threshold = if passed { self.success_threshold } else { self.failure_threshold };
            let verdict = (row >= threshold).then_some(passed);
            if !report(Outcome { kind: self.kind, failure, verdict }, busy) {
                return;
            }
            wait = self.period;
        }
    }

    fn timed_out(&self, shown: &str) -> String {
        match &self.action {
            Action::Http { .. } => format!(
                "Get \"{}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                self.url(shown)
            ),
            _ => format!("dial tcp {}: i/o timeout", self.dialled(shown)),
        }
    }

    fn dialled(&self, shown: &str) -> String {
        format!("{shown}:{}", self.port().unwrap_or_default())
    }

    fn url(&self, shown: &str) -> String {
        match &self.action {
            Action::Http { path, .. } => format!("http://{}{path}", self.dialled(shown)),
            _ => String::new(),
        }
    }

    async fn check(&self, target: SocketAddr, shown: &str) -> Result<(), String> {
        let refused = |error: std::io::Error| {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
                _ => error.to_string(),
            };
            let dial = format!("dial tcp {}: {why}", self.dialled(shown));
            match &self.action {
                Action::Http { .. } => format!("Get \"{}\": {dial}", self.url(shown)),
                _ => dial,
            }
        };
        let Action::Http { path, host, headers, .. } = &self.action else {
            return TcpStream::connect(target).await.map(drop).map_err(refused);
        };
        let stream = TcpStream::connect(target).await.map_err(refused)?;
        let failed = |error: &dyn std::fmt::Display| format!("Get \"{}\": {error}", self.url(shown));
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(|error| failed(&error))?;
        // Ends by itself when the sender is dropped.
        tokio::spawn(connection);
        let mut request = http::Request::get(path.as_str())
            .header("host", if host.is_empty() { self.dialled(shown) } else { host.clone() })
            .header("user-agent", "kube-probe/1.34")
            .header("accept", "*/*")
            .header("connection", "close");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed(&error))?;
        let status = sender.send_request(request).await.map_err(|error| failed(&error))?.status();
        if status.is_success() || status.is_redirection() {
            return Ok(());
        }
        Err(format!("HTTP probe failed with statuscode: {}", status.as_u16()))
    }
}

fn action(spec: &Value, container: &Value) -> Action {
    let port = |holder: &Value| container_port(container, &holder["port"]);
    if let Some(get) = spec.get("httpGet").filter(|get| get.is_object()) {
        if text(get, "/scheme").eq_ignore_ascii_case("HTTPS") {
            return Action::NotModelled("an HTTPS probe");
        }
        let headers = list(get, "/httpHeaders").iter();
        let headers =
            headers.map(|header| (text(header, "/name").to_owned(), text(header, "/value").to_owned()));
        let path = text(get, "/path");
        let slash = if path.starts_with('/') { "" } else { "/" };
        return Action::Http {
            port: port(get),
            path: format!("{slash}{path}"),
            host: text(get, "/host").to_owned(),
            headers: headers.collect(),
        };
    }
    match spec.get("tcpSocket").filter(|socket| socket.is_object()) {
        Some(socket) => Action::Tcp { port: port(socket) },
        None if spec.get("grpc").is_some() => Action::NotModelled("a gRPC probe"),
        None => Action::NotModelled("an exec probe"),
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
        assert_eq!(probes[0].action, Action::NotModelled("an exec probe"));
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
        tokio::spawn(probe.run(clock.clone(), target, "10.0.0.1".into(), move |outcome, _busy| {
            sender.send(outcome).is_ok()
        }));
        clock.advance(Duration::from_secs(25)).await;
        let mut seen = Vec::new();
        while let Ok(outcome) = results.try_recv() {
            seen.push((outcome.failure, outcome.verdict));
        }
        let failed = Some("HTTP probe failed with statuscode: 500".to_owned());
        assert_eq!(seen, [(None, Some(true)), (failed.clone(), None), (failed, Some(false))]);
    }
}
