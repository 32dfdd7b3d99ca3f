//! A tunnel that is open: bytes pass until it ends, or until something happens to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sim_core::clock::Clock;
use sim_core::faults::Line;
use sim_core::seed::Stream as Draws;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::leg::Leg;
use crate::relay::{Buffers, relay};
use crate::shape::Shaped;

/// What the connections of one proxy share.
#[derive(Debug)]
pub(crate) struct Wires {
    pub(crate) clock: Clock,
    pub(crate) draws: Arc<Draws>,
    buffers: Buffers,
}

impl Wires {
    pub(crate) fn new(clock: Clock, draws: Draws) -> Self {
        Self { clock, draws: Arc::new(draws), buffers: Buffers::default() }
    }

    /// Copies both ways until both have ended, or nothing has moved for `idle`.
    pub(crate) async fn relay<A, B>(
        &self,
        client: &mut A,
        target: &mut B,
        idle: Option<Duration>,
    ) -> io::Result<()>
    where
        A: AsyncRead + AsyncWrite + Unpin,
        B: AsyncRead + AsyncWrite + Unpin,
    {
        let passed = AtomicU64::new(0);
        let Some(idle) = idle else { return relay(client, target, &self.buffers, &passed).await };
        tokio::select! {
            ended = relay(client, target, &self.buffers, &passed) => ended,
            () = quiet(&self.clock, idle, &passed) => Ok(()),
        }
    }
}

/// Waits until nothing has been counted for `span` of world time.
pub(crate) async fn quiet(clock: &Clock, span: Duration, counted: &AtomicU64) {
    loop {
        let before = counted.load(Ordering::Relaxed);
        drop(clock.sleep(span).await);
        if counted.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// Passes bytes between the two until both have ended. A reset on one side becomes a reset on the other.
///
/// # Errors
/// What ended it early.
pub(crate) async fn pass(
    wires: &Wires,
    mut client: Leg,
    mut target: Leg,
    early: &[u8],
    line: Option<Line>,
    idle: Option<Duration>,
) -> io::Result<()> {
    let Some(line) = line else {
        if !early.is_empty() {
            target.write_all(early).await?;
        }
        let ended = wires.relay(&mut client, &mut target, idle).await;
        if was_reset(&ended) {
            client.reset();
            target.reset();
        }
        return ended;
    };
    let mut shaped = Shaped::new(target, Some(line), &wires.clock, &wires.draws);
    let ended = Box::pin(async {
        shaped.write_all(early).await?;
        wires.relay(&mut client, &mut shaped, idle).await
    })
    .await;
    if was_reset(&ended) {
        client.reset();
        if let Some(target) = shaped.into_inner() {
            target.reset();
        }
    }
    ended
}

/// Whether a connection ended by a reset.
pub(crate) fn was_reset(ended: &io::Result<()>) -> bool {
    matches!(ended, Err(error) if error.kind() == io::ErrorKind::ConnectionReset)
}
