//! One clock for several processes.
//!
//! The process that owns the world serves its clock on a loopback port ([`serve`]); a child follows it
//! ([`ClockLink::follow`]). The owner announces every jump and change of speed; the child says when it is quiet and what its
//! next deadline is, so that [`Clock::advance`] steps through the child's deadlines too and waits for it in between.
//! Lines of JSON over TCP; the first line of a child is the secret.
//!
//! A process that is just starting has not joined yet; whoever starts it holds the world busy until it shows a sign of life.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::{Clock, Mode};
use crate::timers::Nanos;

/// Where a clock can be followed. Its text form (`address/secret`) is what a child is given in its environment.
#[derive(Clone)]
pub struct ClockLink {
    address: SocketAddr,
    secret: String,
}

impl fmt::Debug for ClockLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClockLink").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Display for ClockLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.secret)
    }
}

/// A text that is not `address/secret`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a clock link is written as ADDRESS:PORT/SECRET")]
pub struct BadClockLink;

impl FromStr for ClockLink {
    type Err = BadClockLink;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, secret) = text.split_once('/').ok_or(BadClockLink)?;
        Ok(Self { address: address.parse().map_err(|_| BadClockLink)?, secret: secret.into() })
    }
}

/// What the owner says: where the clock stands and how it runs.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    version: u64,
    now: Nanos,
    speed: Option<f64>,
}

/// What a child says: it is at work, or it has dealt with everything up to `version` and sleeps until `next`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Report {
    Busy,
    Parked { version: u64, next: Option<Nanos> },
}

impl ClockLink {
    /// The address that it names.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same clock, as it is reached through a relay at `address`.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, secret: self.secret.clone() }
    }
}

/// Serves `clock` on a free loopback port until the returned handle is dropped or aborted.
///
/// # Errors
/// When no port can be bound.
pub async fn serve(clock: Clock, secret: String) -> std::io::Result<(ClockLink, ClockServer)> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let link = ClockLink { address: listener.local_addr()?, secret: secret.clone() };
    let task = tokio::spawn(async move {
        let mut children = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            children.spawn(serve_child(clock.clone(), stream, secret.clone()));
            while children.try_join_next().is_some() {}
        }
    });
    Ok((link, ClockServer(task)))
}

/// Stops serving when dropped.
#[derive(Debug)]
pub struct ClockServer(tokio::task::JoinHandle<()>);

impl Drop for ClockServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Forgets the remote when its connection ends.
struct Seat(Clock, u64);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.remove_remote(self.1);
    }
}

async fn serve_child(clock: Clock, stream: TcpStream, secret: String) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if lines.next_line().await.ok()?? != secret {
        return None;
    }
    let mut changed = clock.subscribe();
    let seat = Seat(clock.clone(), clock.add_remote());
    loop {
        changed.borrow_and_update();
        let (version, now, speed) = clock.position();
        say(&mut write, &Position { version, now, speed }).await?;
        loop {
            tokio::select! {
                change = changed.changed() => {
                    change.ok()?;
                    break;
                }
                line = lines.next_line() => {
                    match serde_json::from_str(&line.ok()??).ok()? {
                        Report::Busy => clock.remote_busy(seat.1),
                        Report::Parked { version, next } => clock.parked(seat.1, version, next),
                    }
                }
            }
        }
    }
}

impl ClockLink {
    /// Follows the clock behind this link. The returned clock keeps its last position if the owner goes away.
    ///
    /// # Errors
    /// When the owner cannot be reached or refuses the secret.
    pub async fn follow(&self) -> std::io::Result<Clock> {
        self.follow_watched().await.map(|(clock, _)| clock)
    }

    /// As [`ClockLink::follow`]; the task ends when the owner goes away.
    ///
    /// # Errors
    /// When the owner cannot be reached or refuses the secret.
    pub async fn follow_watched(&self) -> std::io::Result<(Clock, tokio::task::JoinHandle<()>)> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (read, mut write) = stream.into_split();
        let refused = || std::io::Error::other(format!("{} refused this process", self.address));
        write.write_all(format!("{}\n", self.secret).as_bytes()).await?;
        let mut lines = BufReader::new(read).lines();
        let first = lines.next_line().await?.ok_or_else(refused)?;
        let first: Position = serde_json::from_str(&first).map_err(|_| refused())?;
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        clock.follow(first.now, first.speed);
        let following = follow(clock.clone(), first.version, lines, write);
        let task = tokio::spawn(async move { following.await.unwrap_or_default() });
        Ok((clock, task))
    }
}

async fn follow(
    clock: Clock,
    mut version: u64,
    mut lines: Lines<BufReader<OwnedReadHalf>>,
    mut write: OwnedWriteHalf,
) -> Option<()> {
    let mut activity = clock.subscribe_activity();
    let mut said = None;
    loop {
        // Reading goes on while this process works, so that a jump never waits behind its own answer.
        let news = async {
            activity.borrow_and_update();
            if said != Some(Report::Busy) && !clock.idle() {
                return Some(Report::Busy);
            }
            clock.quiet().await;
            let parked = Report::Parked { version, next: clock.next_deadline() };
            if said.as_ref() != Some(&parked) {
                return Some(parked);
            }
            // The sender lives as long as the clock.
            let _ = activity.changed().await;
            None
        };
        tokio::select! {
            biased;
            line = lines.next_line() => {
                let position: Position = serde_json::from_str(&line.ok()??).ok()?;
                version = position.version;
                clock.follow(position.now, position.speed);
            }
            report = news => {
                if let Some(report) = report {
                    say(&mut write, &report).await?;
                    said = Some(report);
                }
            }
        }
    }
}

async fn say(write: &mut OwnedWriteHalf, message: &impl Serialize) -> Option<()> {
    let mut line = serde_json::to_vec(message).ok()?;
    line.push(b'\n');
    write.write_all(&line).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_follower_is_stepped_through_its_own_deadlines() {
        let owner = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let (link, _server) = serve(owner.clone(), "secret".into()).await.unwrap();
        let child = link.to_string().parse::<ClockLink>().unwrap().follow().await.unwrap();
        let (sender, mut ticks) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let _busy = child.sleep(Duration::from_secs(300)).await;
                let _ = sender.send(child.now().as_second());
            }
        });
        // The follower's first deadline has to be known before the owner moves.
        owner
            .wall_timeout(Duration::from_secs(5), async {
                while owner.earliest().is_none() {
                    tokio::task::yield_now().await;
                }
            })
            .await
            .unwrap();
        assert!(owner.advance(Duration::from_secs(900)).await.quiet);
        let mut seen = Vec::new();
        while let Ok(tick) = ticks.try_recv() {
            seen.push(tick);
        }
        assert_eq!(seen, [300, 600, 900]);
    }

    #[tokio::test]
    async fn the_world_is_not_quiet_while_a_follower_works() {
        let owner = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let (link, _server) = serve(owner.clone(), "secret".into()).await.unwrap();
        let child = link.follow().await.unwrap();
        let work = child.busy();
        let known = async {
            while owner.idle() {
                tokio::task::yield_now().await;
            }
        };
        owner.wall_timeout(Duration::from_secs(5), known).await.unwrap();
        let waiting = owner.clone();
        let quiet = tokio::spawn(async move { waiting.quiet().await });
        owner.wall_sleep(Duration::from_millis(20)).await;
        assert!(!quiet.is_finished());
        drop(work);
        assert!(quiet.await.unwrap());
    }

    #[tokio::test]
    async fn a_wrong_secret_is_refused() {
        let (link, _server) = serve(Clock::running(1.0), "secret".into()).await.unwrap();
        let wrong = ClockLink { secret: "guess".into(), ..link };
        assert!(wrong.follow().await.is_err());
    }
}
