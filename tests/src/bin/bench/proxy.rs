//! The forward proxy beside a bare relay: what it adds to a message's way, how much it carries, what an idle tunnel holds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use sim_core::clock::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::start::{Stopped, beside, resident_mib};

/// What the program is called with when it is to be the bare relay.
pub(crate) const BARE: &str = "--bare-relay";
/// How many idle tunnels are held.
const IDLE: u32 = 4000;
/// How many messages go to and fro in one round.
const MESSAGES: usize = 4000;
const MESSAGE: usize = 256;
/// How many connections carry bytes at a time, and how long.
const STREAMS: usize = 4;
const SPAN: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;

/// What was measured.
pub(crate) struct Measured {
    /// Milliseconds that the proxy adds to the median of a message's way to and fro.
    pub(crate) added_ms: f64,
    /// Megabytes per second through the proxy, and through a bare relay.
    pub(crate) carried: [f64; 2],
    /// KiB of resident memory for each idle tunnel.
    pub(crate) tunnel_kib: f64,
}

/// A relay as short as tokio makes it: `accept`, `connect`, `copy_bidirectional`.
pub(crate) fn bare(target: &str) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let target: SocketAddr = target.parse().map_err(|_| format!("'{target}' is no address"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let line = format!("{{\"http\":\"http://{}\"}}\n", listener.local_addr().map_err(text)?);
        std::io::stdout().write_all(line.as_bytes()).map_err(text)?;
        loop {
            let (mut client, _) = listener.accept().await.map_err(text)?;
            tokio::spawn(async move {
                let mut target = TcpStream::connect(target).await?;
                client.set_nodelay(true)?;
                target.set_nodelay(true)?;
                copy_bidirectional(&mut client, &mut target).await
            });
        }
    })
}

/// A process that says in its first line where it listens.
fn started(mut command: Command) -> Result<(Stopped, SocketAddr), String> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut child = Stopped(child);
    let out = child.0.stdout.take().ok_or("no standard output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).map_err(|error| error.to_string())?;
    let ready: serde_json::Value =
        serde_json::from_str(&line).map_err(|error| format!("'{line}' does not say where it is: {error}"))?;
    let place = ready["http"].as_str().and_then(|url| url.strip_prefix("http://")?.parse().ok());
    Ok((child, place.ok_or("no address")?))
}

/// Whoever is asked: repeats what it hears, or, when it hears `send`, sends without end.
async fn target() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut heard = vec![0u8; MESSAGE];
    loop {
        let length = stream.read(&mut heard).await?;
        match heard.get(..length) {
            None | Some([]) => return Ok(()),
            Some(b"send") => {
                let piece = vec![7u8; 256 << 10];
                loop {
                    stream.write_all(&piece).await?;
                }
            }
            Some(message) => stream.write_all(message).await?,
        }
    }
}

/// The way to the target.
#[derive(Clone, Copy)]
struct Way {
    at: SocketAddr,
    /// Where a proxy is asked to lead.
    connect: Option<SocketAddr>,
}

impl Way {
    async fn open(self) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.at).await?;
        stream.set_nodelay(true)?;
        if let Some(target) = self.connect {
            let ask = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
            stream.write_all(ask.as_bytes()).await?;
            let mut head = [0u8; 39];
            stream.read_exact(&mut head).await?;
            if !head.starts_with(b"HTTP/1.1 200 ") {
                return Err(std::io::Error::other(String::from_utf8_lossy(&head).into_owned()));
            }
        }
        Ok(stream)
    }
}

/// Milliseconds of a message to and fro, median.
async fn to_and_fro(way: Way) -> std::io::Result<f64> {
    let clock = Clock::running(1.0);
    let mut stream = way.open().await?;
    let (message, mut heard) = (vec![1u8; MESSAGE], vec![0u8; MESSAGE]);
    let mut all = Vec::with_capacity(MESSAGES);
    for _ in 0..MESSAGES {
        let watch = clock.stopwatch();
        stream.write_all(&message).await?;
        stream.read_exact(&mut heard).await?;
        all.push(watch.elapsed().as_secs_f64() * 1e3);
    }
    all.sort_by(f64::total_cmp);
    Ok(all.get(MESSAGES / 2).copied().unwrap_or(f64::NAN))
}

/// Megabytes per second.
async fn carried(way: Way) -> std::io::Result<f64> {
    let clock = Clock::running(1.0);
    let mut streams = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let (mut stream, clock) = (way.open().await?, clock.clone());
        streams.spawn(async move {
            stream.write_all(b"send").await?;
            let (mut piece, mut all) = (vec![0u8; 256 << 10], 0u64);
            let watch = clock.stopwatch();
            while watch.elapsed() < SPAN {
                all += stream.read(&mut piece).await? as u64;
            }
            Ok::<_, std::io::Error>((all, watch.elapsed().as_secs_f64()))
        });
    }
    let mut rate = 0.0;
    while let Some(done) = streams.join_next().await {
        let (all, seconds) = done.map_err(std::io::Error::other)??;
        rate += f64::from(u32::try_from(all >> 10).unwrap_or(u32::MAX)) / 1024.0 / seconds;
    }
    Ok(rate)
}

/// KiB that the process holds more for each idle tunnel.
async fn held(way: Way, pid: u32) -> Result<f64, String> {
    let clock = Clock::running(1.0);
    let resident = || resident_mib(pid).ok_or("the memory of the proxy cannot be read");
    // The first one brings in what all share.
    let _first = way.open().await.map_err(|error| error.to_string())?;
    clock.wall_sleep(Duration::from_millis(300)).await;
    let before = resident()?;
    let mut all = Vec::new();
    for _ in 0..IDLE {
        all.push(way.open().await.map_err(|error| format!("tunnel {}: {error}", all.len() + 1))?);
    }
    clock.wall_sleep(Duration::from_millis(500)).await;
    Ok((resident()? - before) * 1024.0 / f64::from(IDLE))
}

async fn compare() -> Result<Measured, String> {
    let text = |error: std::io::Error| error.to_string();
    let target = target().await?;
    let mut command = Command::new(beside("dryarc")?);
    command.args(["fault-proxy", "--listen", "127.0.0.1:0"]);
    let (proxy, at) = started(command)?;
    let through = Way { at, connect: Some(target) };
    // Memory first: what load leaves behind is no tunnel's.
    let tunnel_kib = held(through, proxy.0.id()).await?;
    let own = std::env::current_exe().map_err(text)?;
    let mut command = Command::new(own);
    command.args([BARE, &target.to_string()]);
    let (_bare, at) = started(command)?;
    let (relay, straight) = (Way { at, connect: None }, Way { at: target, connect: None });
    let (mut added, mut rates) = (Vec::new(), [0.0; 2]);
    for _ in 0..ROUNDS {
        added.push(to_and_fro(through).await.map_err(text)? - to_and_fro(straight).await.map_err(text)?);
        rates[1] += carried(relay).await.map_err(text)?;
        rates[0] += carried(through).await.map_err(text)?;
    }
    added.sort_by(f64::total_cmp);
    let rounds = f64::from(u32::try_from(ROUNDS).unwrap_or(1));
    Ok(Measured {
        added_ms: added.get(ROUNDS / 2).copied().unwrap_or(f64::NAN),
        carried: rates.map(|rate| rate / rounds),
        tunnel_kib,
    })
}

/// As many sockets as the system lets this process have.
fn more_sockets() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    // Without it the run ends with an error that says so.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}

/// Measures.
pub(crate) fn measured() -> Result<Measured, String> {
    more_sockets();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(compare())
}
