//! A forward proxy before hosts that are made for the test.

mod hostile;
mod inside;
mod limits;
mod policy;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rustls::RootCertStore;
use sim_core::clock::Mode;
use sim_core::journal::Filter;
use sim_core::net::Stream;
use sim_core::pki::{Authority, Constraints, Subject};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Speaks plain TCP: says what it was told, in capitals, until the other side ends.
const SHOUTER: &str = "shout.test";
/// Answers plain HTTP with the request's head.
const ORIGIN: &str = "plain.test";
/// Answers HTTP within TLS in the same way.
const SECURE: &str = "secure.test";

struct Fixture {
    proxy: ForwardProxy,
    clock: Clock,
    journal: Journal,
    faults: FaultSet,
    /// Who signs the hosts' certificates.
    hosts: Arc<Authority>,
}

fn config(yaml: &str) -> ProxyConfig {
    serde_saphyr::from_str(yaml).unwrap()
}

async fn start(yaml: &str) -> Fixture {
    let clock = Clock::new(Mode::Manual, jiff::Timestamp::UNIX_EPOCH);
    let hosts = Authority::new("hosts", &Constraints::default(), clock.wall()).unwrap();
    let net = Net::builder()
        .roots(hosts.roots())
        .host(SHOUTER, shouter().await)
        .host(ORIGIN, origin(None).await)
        .host(SECURE, origin(Some(&hosts)).await)
        .build()
        .unwrap();
    start_with(yaml, net, clock, Arc::new(hosts)).await
}

async fn start_with(yaml: &str, net: Net, clock: Clock, hosts: Arc<Authority>) -> Fixture {
    let journal = Journal::new(clock.clone());
    let seed = Seed::new(1);
    let faults = FaultSet::new(seed, clock.clone(), journal.clone());
    let around =
        Surroundings { net, clock: clock.clone(), journal: journal.clone(), faults: faults.clone(), seed };
    let proxy = ForwardProxy::start(config(yaml), around).await.unwrap();
    Fixture { proxy, clock, journal, faults, hosts }
}

impl Fixture {
    fn rules(&self, user: &str, tls: bool) -> ProxyRules {
        let url = match self.proxy.https_addr().filter(|_| tls) {
            Some(address) => format!("https://{user}{address}"),
            None => format!("http://{user}{}", self.proxy.addr()),
        };
        ProxyRules::new(Some(&url), Some(&url), None)
    }

    /// A client behind the proxy that trusts the hosts' authority, and the proxy's own where it is told to.
    fn client(&self, user: &str, tls: bool, trusts_proxy: bool) -> Net {
        let mut roots: RootCertStore = self.hosts.roots();
        if trusts_proxy {
            roots.extend(sim_core::net::roots_from_pem(self.proxy.ca_pem()).unwrap().roots);
        }
        Net::builder().roots(roots).proxy(self.rules(user, tls)).build().unwrap()
    }

    /// A tunnel, or the status of the refusal, or 0 for a connection that ended.
    async fn tunnel(&self, host: &str, port: u16) -> Result<Stream, u16> {
        let opened = self.client("", false, false).connect("http", host, port).await;
        opened.map_err(|error| match error {
            NetError::Proxy { status, .. } => status,
            _ => 0,
        })
    }

    async fn get(&self, net: &Net, url: &str) -> Result<(u16, String), NetError> {
        let reply = net.http().send(Request::get(url).body(Bytes::new()).unwrap()).await?;
        Ok((reply.status().as_u16(), String::from_utf8_lossy(reply.body()).into_owned()))
    }

    async fn plain(&self, url: &str) -> Result<(u16, String), NetError> {
        self.get(&self.client("", false, false), url).await
    }

    /// What the proxy says to these bytes and the client's end, until it ends itself.
    async fn raw(&self, sent: &str) -> String {
        self.say(sent, true).await
    }

    async fn say(&self, sent: &str, ends: bool) -> String {
        let mut stream = TcpStream::connect(self.proxy.addr()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        if ends {
            stream.shutdown().await.unwrap();
        }
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    fn kinds(&self) -> Vec<String> {
        self.journal.read(&Filter::default()).iter().map(|event| event.kind.clone()).collect()
    }
}

async fn exchange(mut stream: Stream, said: &str) -> std::io::Result<String> {
    stream.write_all(said.as_bytes()).await?;
    stream.shutdown().await?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await?;
    Ok(heard)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn shouter() -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut piece = vec![0u8; 4096];
                while let Ok(length @ 1..) = stream.read(&mut piece).await {
                    let loud = String::from_utf8_lossy(&piece[..length]).to_uppercase();
                    if stream.write_all(loud.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Answers each request with its head; one that wants to be upgraded gets 101, and then what it says in capitals.
async fn origin(tls: Option<&Authority>) -> SocketAddr {
    let (listener, address) = listener().await;
    let config = tls.map(|authority| {
        TlsAcceptor::from(authority.issue(&Subject::server([SECURE])).unwrap().server_config(false).unwrap())
    });
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let config = config.clone();
            tokio::spawn(async move {
                match config {
                    None => answer(stream).await,
                    Some(config) => {
                        if let Ok(stream) = config.accept(stream).await {
                            answer(stream).await;
                        }
                    }
                }
            });
        }
    });
    address
}

async fn answer<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut stream: S) {
    let mut heard = vec![0u8; 64 << 10];
    while let Ok(length @ 1..) = stream.read(&mut heard).await {
        let head = String::from_utf8_lossy(&heard[..length]).into_owned();
        if head.to_lowercase().contains("\r\nupgrade: ") {
            let switched =
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
            stream.write_all(switched).await.unwrap();
            while let Ok(length @ 1..) = stream.read(&mut heard).await {
                let loud = String::from_utf8_lossy(&heard[..length]).to_uppercase();
                if stream.write_all(loud.as_bytes()).await.is_err() {
                    return;
                }
            }
            return;
        }
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{head}");
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}
