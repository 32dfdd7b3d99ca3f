//! One direction of a slow link: pieces on their way, each with the moment at which it arrives.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use sim_core::clock::{Clock, later};
use sim_core::seed::Stream as Draws;

/// How much may be on its way; whoever sends more waits.
const ROOM: usize = 256 << 10;
/// The largest piece: a limit of bytes per second is kept with pieces that are not too large for it.
pub(super) const PIECE: usize = 16 << 10;

/// How slow it is.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) latency: Duration,
    pub(super) jitter: u64,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) clock: Clock,
    pub(super) draws: Arc<Draws>,
}

/// A wait that somebody polls.
pub(super) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits for a moment of world time.
pub(super) fn until(clock: &Clock, moment: Timestamp) -> Wait {
    let clock = clock.clone();
    Box::pin(async move { drop(clock.sleep_until(moment).await) })
}

/// The direction itself.
#[derive(Default)]
pub(super) struct Lane {
    pieces: VecDeque<(Timestamp, Bytes)>,
    held: usize,
    free: Option<Timestamp>,
    last: Option<Timestamp>,
    wait: Option<Wait>,
}

impl Lane {
    pub(super) fn has_room(&self) -> bool {
        self.held < ROOM
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Sends a piece on its way.
    pub(super) fn send(&mut self, piece: Bytes, pace: &Pace) {
        let now = pace.clock.now();
        let begins = self.free.map_or(now, |free| free.max(now));
        let takes = pace.bytes_per_second.map_or(0, |rate| {
            let nanos = u128::from(piece.len() as u64) * 1_000_000_000 / u128::from(rate.max(1));
            u64::try_from(nanos).unwrap_or(u64::MAX)
        });
        let sent = later(begins, Duration::from_nanos(takes));
        let jitter = Duration::from_millis(pace.draws.below(pace.jitter.saturating_add(1)));
        let arrives = later(sent, pace.latency + jitter);
        // Bytes never overtake each other.
        let arrives = self.last.map_or(arrives, |last| last.max(arrives));
        (self.free, self.last) = (Some(sent), Some(arrives));
        self.held += piece.len();
        self.pieces.push_back((arrives, piece));
    }

    /// The piece that has arrived; at most `most` bytes of it are taken from the lane by [`Lane::taken`].
    pub(super) fn poll_front(&mut self, context: &mut Context<'_>, clock: &Clock) -> Poll<Option<Bytes>> {
        loop {
            let Some((arrives, piece)) = self.pieces.front() else { return Poll::Ready(None) };
            if *arrives <= clock.now() {
                self.wait = None;
                return Poll::Ready(Some(piece.clone()));
            }
            let wait = self.wait.get_or_insert_with(|| {
                // Whoever waits for it waits on purpose.
                clock.note_stall();
                until(clock, *arrives)
            });
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
    }

    /// Takes so many bytes of the piece in front away.
    pub(super) fn taken(&mut self, length: usize) {
        self.held = self.held.saturating_sub(length);
        let Some((_, piece)) = self.pieces.front_mut() else { return };
        if length < piece.len() {
            let _ = piece.split_to(length);
        } else {
            self.pieces.pop_front();
        }
    }
}
