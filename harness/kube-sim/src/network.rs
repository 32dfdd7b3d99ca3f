//! The cluster's network, as far as processes need it: a way from a pod to a Service.
//!
//! Pods are processes of this machine and have addresses that nothing routes, so a process asks this listener with
//! `CONNECT name.namespace.svc:port`, as it would ask an HTTP proxy, and reaches a ready pod behind the Service. Like a real
//! cluster's network it asks nobody who he is. Network policies are not modelled.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use sim_core::clock::Clock;
use sim_core::net::accept;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{Api, meta};
use crate::kubelet::live::LiveContainers;

/// The variable that tells processes where the network is.
pub(crate) const VARIABLE: &str = "DRYARC_POD_NETWORK";

/// How long a client may take to say where it wants to go, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST: usize = 8 << 10;

/// What decides where a connection goes.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) api: Api,
    pub(crate) live: LiveContainers,
    pub(crate) clock: Clock,
}

/// Listens on a free port of loopback.
pub(crate) async fn bind() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

impl Network {
    /// Serves until `stop` says so; connections end with it.
    pub(crate) fn serve(self, listener: TcpListener, stop: watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let begin = |stream| {
                let network = self.clone();
                async move {
                    if let Err(error) = network.connection(stream).await {
                        tracing::debug!(%error, "a connection between pods ended early");
                    }
                }
            };
            accept("the cluster's network", listener, &self.clock, stop, begin).await;
        })
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let asked = self.clock.wall_timeout(PATIENCE, head(&mut stream)).await;
        let Ok(Ok(Some(target))) = asked else {
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        };
        let port = match self.find(&target) {
            Ok(port) => port,
            Err(why) => return refuse(&mut stream, &why).await,
        };
        let mut pod = match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(pod) => pod,
            Err(error) => return refuse(&mut stream, &format!("{target}: {error}")).await,
        };
        pod.set_nodelay(true)?;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut stream, &mut pod).await.map(drop)
    }

    fn object(&self, kind: &str, key: &str) -> Option<std::sync::Arc<Value>> {
        let kind = self.api.kind("", kind).ok()?;
        self.api.ledger().read(|view| view.get(kind.table(), key).map(|row| row.value.clone()))
    }

    /// The port of this machine behind `name.namespace.svc:port`.
    fn find(&self, target: &str) -> Result<u16, String> {
        let unknown = || format!("lookup {target}: no such host");
        let (host, port) = target.rsplit_once(':').ok_or_else(unknown)?;
        let mut labels = host.split('.');
        let (Some(name), Some(namespace), Some("svc")) = (labels.next(), labels.next(), labels.next()) else {
            return Err(unknown());
        };
        let key = format!("{namespace}/{name}");
        let service = self.object("Service", &key).ok_or_else(unknown)?;
        let wanted: u64 = port.parse().map_err(|_| unknown())?;
        let stated = list(&service, "/spec/ports").iter().find(|port| port["port"] == wanted);
        let stated = stated.ok_or_else(|| format!("dial {target}: connection refused"))?;
        let endpoints = self.object("Endpoints", &key);
        let subsets = endpoints.as_deref().map(|one| list(one, "/subsets")).unwrap_or_default();
        let behind = subsets.iter().find_map(|subset| {
            let ports = list(subset, "/ports");
            let port = ports.iter().find(|port| port["name"] == stated["name"])?["port"].as_u64()?;
            let port = u16::try_from(port).ok()?;
            list(subset, "/addresses").iter().find_map(|address| {
                self.live.of_pod(meta::text(address, "/targetRef/uid")).iter().find_map(|one| one.port(port))
            })
        });
        behind.ok_or_else(|| format!("dial {target}: no ready pod behind service {key}"))
    }
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

async fn refuse(stream: &mut TcpStream, why: &str) -> io::Result<()> {
    let length = why.len();
    let reply = format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: {length}\r\n\r\n{why}");
    stream.write_all(reply.as_bytes()).await
}

/// Reads a request's head; what it wants to connect to. `None` for any other request.
async fn head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\n") {
        // Byte by byte: what follows the head belongs to the pod.
        let byte = stream.read_u8().await?;
        if said.len() == LARGEST {
            return Ok(None);
        }
        said.push(byte);
    }
    let text = String::from_utf8_lossy(&said);
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    Ok((words.next() == Some("CONNECT")).then(|| words.next().map(str::to_ascii_lowercase)).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_request_to_connect_has_a_target() {
        for (said, target) in [
            ("CONNECT A.b.svc:443 HTTP/1.1\r\nHost: x\r\n\r\n", Some("a.b.svc:443")),
            ("GET / HTTP/1.1\r\n\r\n", None),
        ] {
            let (listener, address) = bind().await.unwrap();
            let mut client = TcpStream::connect(address).await.unwrap();
            let (mut served, _) = listener.accept().await.unwrap();
            client.write_all(said.as_bytes()).await.unwrap();
            assert_eq!(head(&mut served).await.unwrap().as_deref(), target);
        }
    }
}
