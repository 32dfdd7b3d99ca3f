//! What every listener of the simulation does alike.

use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;

/// How long a listener rests when the system has no socket to give, in wall time.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections and runs what `begin` makes of each, until `stop` says so or nobody is left to say it. Then nothing listens any
/// more, and the connections that are open are cut. `name` is the listener's, in warnings.
pub async fn accept<F>(
    name: &str,
    listener: TcpListener,
    clock: &Clock,
    mut stop: watch::Receiver<bool>,
    mut begin: impl FnMut(TcpStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(begin(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "{name} cannot take a connection");
                    clock.wall_sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Waits until the word comes, or cannot come any more.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Carries bytes between a client and a server once both have left HTTP. Returns when either has ended, or when the client never
/// asked to leave it.
pub async fn splice(client: Option<OnUpgrade>, server: OnUpgrade) {
    let Some(client) = client else { return };
    if let (Ok(client), Ok(server)) = tokio::join!(client, server) {
        // However it ends, both sides are told by the end of their connections.
        let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn connections_are_served_until_the_word_and_cut_with_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(async move {
            let clock = Clock::running(1.0);
            accept("the test", listener, &clock, stopped, |mut stream| async move {
                let _ = stream.write_all(b"x").await;
                std::future::pending::<()>().await;
            })
            .await;
        });
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
        stop.send_replace(true);
        served.await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0, "the connection was cut");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }
}
