//! `kubectl port-forward`: pairs of streams, one for data and one for errors, to ports of a pod.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use super::spdy::{Stream, StreamWriter};
use crate::kubelet::live::Live;

/// The protocol within SPDY.
pub(super) const PROTOCOL: &str = "portforward.k8s.io";

/// SPDY with that protocol, within a websocket.
pub(super) const TUNNELLED: &str = "SPDY/3.1+portforward.k8s.io";

/// How many pairs may be half open.
const HALF_OPEN: usize = 64;

/// The pod whose ports are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    /// Its name, for messages.
    pub(crate) name: String,
    /// Its uid, for messages.
    pub(crate) uid: String,
    /// Its running containers.
    pub(crate) containers: Vec<Live>,
}

impl Pod {
    /// The port of this machine that stands for a container's port.
    fn port(&self, wanted: u16) -> Option<u16> {
        self.containers.iter().find_map(|live| live.port(wanted))
    }

    async fn connect(&self, wanted: &str) -> Result<TcpStream, String> {
        let failed = |why: String| {
            format!("error forwarding port {wanted} to pod {}, uid {}: {why}", self.name, self.uid)
        };
        let port = wanted.parse().ok().and_then(|port| self.port(port));
        let Some(port) = port else {
            return Err(failed(
                "no running container states or probes this port, and kube-sim forwards to no others".into(),
            ));
        };
        let refused = |error: std::io::Error| {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
                _ => error.to_string(),
            };
            failed(format!("dial tcp4 127.0.0.1:{wanted}: {why}"))
        };
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(refused)
    }
}

/// Serves the streams of one connection until it ends.
pub(super) async fn serve(mut streams: Receiver<Stream>, pod: Pod) {
    let mut waiting: HashMap<String, Stream> = HashMap::new();
    let mut forwards = JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = streams.recv() => stream,
            Some(_) = forwards.join_next() => continue,
        };
        let Some(stream) = stream else { break };
        let request = stream.header("requestid").to_owned();
        match waiting.remove(&request) {
            Some(other) => {
                let (data, error) =
                    if stream.header("streamtype") == "data" { (stream, other) } else { (other, stream) };
                forwards.spawn(forward(pod.clone(), data, error.writer()));
            }
            None if waiting.len() < HALF_OPEN => {
                waiting.insert(request, stream);
            }
            None => {}
        }
    }
    // Connections end with their client.
    forwards.shutdown().await;
}

async fn forward(pod: Pod, mut data: Stream, error: StreamWriter) {
    let writer = data.writer();
    match pod.connect(data.header("port")).await {
        Err(message) => {
            error.send(message.as_bytes()).await;
        }
        Ok(mut socket) => {
            let (mut from, mut to) = socket.split();
            let inwards = async {
                while let Some(bytes) = data.incoming.recv().await {
                    if to.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                // The other side is gone as well when this fails.
                let _ = to.shutdown().await;
            };
            let outwards = async {
                let mut buffer = vec![0; 16 * 1024];
                while let Ok(count @ 1..) = from.read(&mut buffer).await {
                    if !writer.send(&buffer[..count]).await {
                        return;
                    }
                }
                writer.finish().await;
            };
            tokio::join!(inwards, outwards);
        }
    }
    writer.finish().await;
    error.finish().await;
}
