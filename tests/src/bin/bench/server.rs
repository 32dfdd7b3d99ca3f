//! The two servers that are compared: the fake cloud, and a bare axum handler behind the same TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use mock_arm::profile::{Profile, Registration};
use mock_arm::server::{Cloud, CloudConfig};
use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::KeySource;
use sim_core::pki::{Authority, Subject};
use sim_core::seed::Seed;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Any port of loopback.
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Starts the fake cloud.
pub(crate) async fn cloud(authority: &Arc<Authority>) -> Result<Cloud, String> {
    let clock = Clock::running(1.0);
    let journal = Journal::new(clock.clone());
    let seed = Seed::new(1);
    let registered = Registration { registered: true, ..Registration::default() };
    let config = CloudConfig {
        faults: FaultSet::new(seed, clock.clone(), journal.clone()),
        clock,
        seed,
        journal,
        keys: KeySource::fresh(),
        authority: authority.clone(),
        profile: Profile { registration: [("*".to_owned(), registered)].into(), ..Profile::default() },
        listen: LOOPBACK,
        names: Vec::new(),
    };
    Cloud::start(config).await.map_err(|error| error.to_string())
}

/// Sockets whose handshake is done.
struct Handshaken(tokio::sync::mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>, SocketAddr);

impl axum::serve::Listener for Handshaken {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.0.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.1)
    }
}

/// Starts a handler that answers every GET and PUT with `headers` and `body`, and returns its address.
pub(crate) async fn bare(
    authority: &Authority,
    headers: HeaderMap,
    body: String,
) -> Result<SocketAddr, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let leaf = authority.issue(&Subject::server(["127.0.0.1"])).map_err(|error| text(&error))?;
    let acceptor = TlsAcceptor::from(leaf.server_config(true).map_err(|error| text(&error))?);
    let listener = TcpListener::bind(LOOPBACK).await.map_err(|error| text(&error))?;
    let address = listener.local_addr().map_err(|error| text(&error))?;
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = sender.send((stream, peer)).await;
                }
            });
        }
    });
    let answer = move || {
        let reply = (headers.clone(), body.clone());
        async move { reply }
    };
    let put = answer.clone();
    // What is sent is read, as any handler would.
    let taken = move |_body: bytes::Bytes| put();
    let router = Router::new().fallback(get(answer.clone()).put(taken));
    tokio::spawn(async move { axum::serve(Handshaken(receiver, address), router).await });
    Ok(address)
}
