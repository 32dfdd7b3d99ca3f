//! The way from a real cluster's pods into the world: listeners on an address of this machine that nodes reach.
//!
//! A connection to one of Azure's ports says by its TLS server name where it wants to go, and is handed to the gateway as any
//! other client's is, so that routes, allowed hosts, fault rules and the journal are the same. The clock's port leads to the
//! clock server, which asks for its own secret. Nothing is decrypted here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustls::server::Acceptor;
use sim_core::clock::Clock;
use sim_core::net::{Net, NetError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::objects::{CLOCK, PORTS};

/// How long a client may take to say where it wants to go, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST: usize = 32 << 10;
/// How long a listener rests when the system has no socket to give.
const PAUSE: Duration = Duration::from_millis(50);

/// Running listeners. Dropping them cuts their connections.
#[derive(Debug)]
pub struct Relay {
    addresses: [SocketAddr; 3],
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Way {
    clock: Clock,
    net: Net,
    clock_server: SocketAddr,
}

/// No relay could be started.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The address is none of this machine, or may not be used.
    #[error("cannot listen on {0}: {1}")]
    Listen(IpAddr, io::Error),
    /// The gateway cannot be used.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl Relay {
    /// Listens on free ports of `address`, one for each of [`PORTS`].
    ///
    /// # Errors
    /// [`RelayError`] when the address cannot be listened on.
    pub async fn start(
        address: IpAddr,
        clock: Clock,
        gateway: SocketAddr,
        clock_server: SocketAddr,
    ) -> Result<Self, RelayError> {
        let net = Net::builder().egress(Some(gateway)).build()?;
        let way = Way { clock, net, clock_server };
        let mut addresses = [SocketAddr::from((address, 0)); 3];
        let mut tasks = Vec::new();
        for (slot, (name, port)) in addresses.iter_mut().zip(PORTS) {
            let taken = |error| RelayError::Listen(address, error);
            let listener = TcpListener::bind((address, 0)).await.map_err(taken)?;
            *slot = listener.local_addr().map_err(taken)?;
            tasks.push(tokio::spawn(accept(listener, way.clone(), (name != CLOCK).then_some(port))));
        }
        Ok(Self { addresses, tasks })
    }

    /// Where it listens, in the order of [`PORTS`].
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr; 3] {
        &self.addresses
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// `port` is that of the simulated hosts; none for the clock.
async fn accept(listener: TcpListener, way: Way, port: Option<u16>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let way = way.clone();
                    connections.spawn(async move {
                        let served = match port {
                            Some(port) => to_host(stream, &way, port).await,
                            None => to_clock(stream, &way).await,
                        };
                        if let Err(error) = served {
                            tracing::debug!(%error, "a connection of a pod ended early");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay cannot take a connection");
                    way.clock.wall_sleep(PAUSE).await;
                }
            },
        }
    }
}

async fn to_clock(mut stream: TcpStream, way: &Way) -> io::Result<()> {
    let mut clock = TcpStream::connect(way.clock_server).await?;
    stream.set_nodelay(true)?;
    clock.set_nodelay(true)?;
    copy_bidirectional(&mut stream, &mut clock).await.map(drop)
}

async fn to_host(mut stream: TcpStream, way: &Way, port: u16) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let busy = way.clock.busy();
    let said = way.clock.wall_timeout(PATIENCE, hello(&mut stream)).await;
    let (host, said) = match said {
        Ok(Ok(Some(asked))) => asked,
        Ok(Ok(None)) | Err(_) => return reset(stream),
        Ok(Err(error)) => return Err(error),
    };
    let mut target = match way.net.connect("tcp", &host, port).await {
        Ok(target) => target,
        Err(error) => {
            // The gateway has recorded it. Whoever speaks TLS cannot be given a reason.
            tracing::debug!(%host, port, %error, "not let through");
            return reset(stream);
        }
    };
    drop(busy);
    target.write_all(&said).await?;
    copy_bidirectional(&mut stream, &mut target).await.map(drop)
}

fn reset(stream: TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}

/// Reads a TLS client hello: the server name in it, and everything that was read. `None` when it is none or names nobody.
async fn hello(stream: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut acceptor, mut said, mut chunk) = (Acceptor::default(), Vec::new(), [0u8; 4096]);
    while said.len() < LARGEST {
        let length = stream.read(&mut chunk).await?;
        if length == 0 {
            return Ok(None);
        }
        let mut fresh = chunk.get(..length).unwrap_or_default();
        said.extend_from_slice(fresh);
        while !fresh.is_empty() {
            acceptor.read_tls(&mut fresh)?;
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(str::to_owned);
                return Ok(name.map(|name| (name, said)));
            }
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fault_proxy::{Gateway, GatewayConfig};
    use jiff::Timestamp;
    use rustls_pki_types::ServerName;
    use sim_core::clock::Mode;
    use sim_core::faults::FaultSet;
    use sim_core::journal::Journal;
    use sim_core::pki::{Authority, Subject};
    use sim_core::seed::Seed;
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    const HOST: &str = "management.azure.com";

    /// A host behind a gateway that knows it, a clock server that says one line, and the relay before both.
    async fn way() -> (Authority, Gateway, Relay) {
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let authority = Authority::new("test", &Default::default(), clock.wall()).unwrap();
        let config = authority.issue(&Subject::server([HOST])).unwrap().server_config(false).unwrap();
        let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let behind = host.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = host.accept().await.unwrap();
                if let Ok(mut tls) = TlsAcceptor::from(config.clone()).accept(stream).await {
                    tls.write_all(b"azure").await.unwrap();
                    tls.shutdown().await.unwrap();
                }
            }
        });
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let clock_server = server.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            stream.write_all(b"clock").await.unwrap();
        });
        let journal = Journal::new(clock.clone());
        let seed = Seed::new(1);
        let gateway = Gateway::start(GatewayConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            routes: vec![(HOST.parse().unwrap(), behind)],
            allow: Vec::new(),
            upstream: None,
            no_proxy: None,
            faults: FaultSet::new(seed, clock.clone(), journal.clone()),
            clock: clock.clone(),
            journal,
            seed,
        })
        .await
        .unwrap();
        let relay =
            Relay::start(Ipv4Addr::LOCALHOST.into(), clock, gateway.addr(), clock_server).await.unwrap();
        (authority, gateway, relay)
    }

    async fn ask(authority: &Authority, address: SocketAddr, host: &str) -> io::Result<String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authority.roots())
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let mut tls = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let mut text = String::new();
        tls.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn a_pods_connection_goes_where_its_server_name_says_and_the_clock_is_beside() {
        let (authority, _gateway, relay) = way().await;
        assert_eq!(ask(&authority, relay.addresses()[0], HOST).await.unwrap(), "azure");
        let mut text = String::new();
        let mut clock = TcpStream::connect(relay.addresses()[2]).await.unwrap();
        clock.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "clock");
    }

    #[tokio::test]
    async fn what_the_gateway_refuses_and_what_is_no_tls_is_reset() {
        let (authority, _gateway, relay) = way().await;
        assert!(ask(&authority, relay.addresses()[0], "example.org").await.is_err());
        let mut plain = TcpStream::connect(relay.addresses()[1]).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        assert!(plain.read_to_end(&mut answer).await.is_err() || answer.is_empty());
    }
}
