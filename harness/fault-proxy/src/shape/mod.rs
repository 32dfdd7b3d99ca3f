//! A connection to a target to whose bytes something happens.

mod lane;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sim_core::clock::{Clock, later};
use sim_core::faults::Line;
use sim_core::seed::Stream as Draws;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::lane::{Lane, PIECE, Pace, Wait, until};

/// What happens.
enum Shape {
    /// Something after so many bytes of the answer.
    Limit { line: Line, left: u64, clock: Clock },
    /// A reset at a moment.
    Cut(Wait),
    /// Everything comes late.
    Slow(Box<Slow>),
    /// The end comes late.
    SlowClose { clock: Clock, span: Duration, wait: Option<Wait> },
    /// The answer is kept until there is so much of it, or it has ended.
    Hold { held: BytesMut, enough: usize, open: bool },
    /// Nothing.
    Plain,
}

/// A slow link.
struct Slow {
    pace: Pace,
    out: Lane,
    back: Lane,
    /// The target has said everything.
    ended: bool,
}

/// A wrapped connection to a target.
pub(crate) struct Shaped<S> {
    /// `None` when it is gone and nobody was told.
    inner: Option<S>,
    shape: Shape,
}

impl<S> Shaped<S> {
    /// Wraps `inner`, to which `line` happens from now on. Randomness comes from `draws`.
    pub(crate) fn new(inner: S, line: Option<Line>, clock: &Clock, draws: &Arc<Draws>) -> Self {
        let shape = match line {
            None => Shape::Plain,
            Some(Line::Cut { millis }) => {
                Shape::Cut(until(clock, later(clock.now(), Duration::from_millis(millis))))
            }
            Some(Line::Slow { millis, jitter, bytes_per_second }) => {
                let latency = Duration::from_millis(millis);
                let (clock, draws) = (clock.clone(), draws.clone());
                let pace = Pace { latency, jitter, bytes_per_second, clock, draws };
                let (out, back) = Default::default();
                Shape::Slow(Box::new(Slow { pace, out, back, ended: false }))
            }
            Some(Line::SlowClose { millis }) => {
                Shape::SlowClose { clock: clock.clone(), span: Duration::from_millis(millis), wait: None }
            }
            Some(line) => {
                let left = line.limit().unwrap_or(u64::MAX);
                note_silence(line, left, clock);
                Shape::Limit { line, left, clock: clock.clone() }
            }
        };
        Self { inner: Some(inner), shape }
    }

    /// The connection itself, unless it is gone.
    pub(crate) fn into_inner(self) -> Option<S> {
        self.inner
    }

    /// Wraps `inner` so that what it says is kept until `enough` bytes are together.
    pub(crate) fn held(inner: S, enough: usize) -> Self {
        Self { inner: Some(inner), shape: Shape::Hold { held: BytesMut::new(), enough, open: true } }
    }
}

/// Says that whoever waits for more waits on purpose, once nothing more will come.
fn note_silence(line: Line, left: u64, clock: &Clock) {
    if left == 0 && matches!(line, Line::Stall { .. } | Line::HalfOpen { .. }) {
        clock.note_stall();
    }
}

/// Reads a piece of `inner` by way of `scratch`; an empty one at its end.
fn poll_piece<S: AsyncRead + Unpin>(
    inner: &mut S,
    context: &mut Context<'_>,
    scratch: &mut [u8],
) -> Poll<io::Result<Bytes>> {
    let mut read = ReadBuf::new(scratch);
    ready!(Pin::new(inner).poll_read(context, &mut read))?;
    Poll::Ready(Ok(Bytes::copy_from_slice(read.filled())))
}

/// Writes what has arrived at the other end of `lane`; ready when nothing is on its way.
fn poll_out<S: AsyncWrite + Unpin>(
    inner: &mut S,
    context: &mut Context<'_>,
    lane: &mut Lane,
    clock: &Clock,
) -> Poll<io::Result<()>> {
    while let Some(piece) = ready!(lane.poll_front(context, clock)) {
        let written = ready!(Pin::new(&mut *inner).poll_write(context, &piece))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        lane.taken(written);
    }
    Pin::new(inner).poll_flush(context)
}

/// Copies as much of `from` as there is room for, and says how much that was.
fn fill(buffer: &mut ReadBuf<'_>, from: &[u8]) -> usize {
    let length = from.len().min(buffer.remaining());
    buffer.put_slice(from.get(..length).unwrap_or_default());
    length
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Shaped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(inner) = this.inner.as_mut() else { return Poll::Pending };
        match &mut this.shape {
            Shape::Plain => Pin::new(inner).poll_read(context, buffer),
            Shape::Cut(wait) => {
                if wait.as_mut().poll(context).is_ready() {
                    *wait = Box::pin(std::future::ready(()));
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Pin::new(inner).poll_read(context, buffer)
            }
            Shape::Limit { line, left, clock } => {
                if *left == 0 {
                    return match line {
                        Line::Truncate { .. } => Poll::Ready(Ok(())),
                        Line::ResetAt { .. } => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                        Line::HalfOpen { .. } => {
                            this.inner = None;
                            Poll::Pending
                        }
                        _ => Poll::Pending,
                    };
                }
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.remaining());
                let mut some = ReadBuf::new(buffer.initialize_unfilled_to(most));
                ready!(Pin::new(inner).poll_read(context, &mut some))?;
                let length = some.filled().len();
                *left -= length as u64;
                buffer.advance(length);
                note_silence(*line, *left, clock);
                Poll::Ready(Ok(()))
            }
            Shape::Slow(slow) => {
                let Slow { pace, out, back, ended } = slow.as_mut();
                // Whoever reads also drives what is written, so that it arrives although nobody writes more.
                if let Poll::Ready(Err(error)) = poll_out(inner, context, out, &pace.clock) {
                    return Poll::Ready(Err(error));
                }
                let mut scratch = [0u8; PIECE];
                while !*ended && back.has_room() {
                    match poll_piece(inner, context, &mut scratch) {
                        Poll::Ready(Ok(piece)) if piece.is_empty() => *ended = true,
                        Poll::Ready(Ok(piece)) => back.send(piece, pace),
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => break,
                    }
                }
                if back.is_empty() && !*ended {
                    return Poll::Pending;
                }
                if let Some(piece) = ready!(back.poll_front(context, &pace.clock)) {
                    let length = fill(buffer, &piece);
                    back.taken(length);
                }
                Poll::Ready(Ok(()))
            }
            Shape::SlowClose { clock, span, wait } => {
                if wait.is_none() {
                    let before = buffer.filled().len();
                    ready!(Pin::new(inner).poll_read(context, buffer))?;
                    if buffer.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
                let wait = wait.get_or_insert_with(|| until(clock, later(clock.now(), *span)));
                ready!(wait.as_mut().poll(context));
                Poll::Ready(Ok(()))
            }
            Shape::Hold { held, enough, open } => {
                let mut scratch = [0u8; PIECE];
                while *open && held.len() < *enough {
                    let piece = ready!(poll_piece(inner, context, &mut scratch))?;
                    *open = !piece.is_empty();
                    held.extend_from_slice(&piece);
                }
                // From here on it is let through as it comes.
                *enough = 0;
                if held.is_empty() && *open {
                    return Pin::new(inner).poll_read(context, buffer);
                }
                let length = fill(buffer, held);
                let _ = held.split_to(length);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Shaped<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(inner) = this.inner.as_mut() else { return Poll::Ready(Ok(bytes.len())) };
        match &mut this.shape {
            Shape::Limit { line: Line::Stall { .. }, left: 0, .. } => Poll::Pending,
            Shape::Slow(slow) => {
                let Slow { pace, out, .. } = slow.as_mut();
                let _ = poll_out(inner, context, out, &pace.clock)?;
                if !out.has_room() {
                    // The wait for the piece in front, or the connection below, wakes this task.
                    return Poll::Pending;
                }
                let length = bytes.len().min(PIECE);
                out.send(Bytes::copy_from_slice(bytes.get(..length).unwrap_or_default()), pace);
                let _ = poll_out(inner, context, out, &pace.clock)?;
                Poll::Ready(Ok(length))
            }
            _ => Pin::new(inner).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(inner) = this.inner.as_mut() else { return Poll::Ready(Ok(())) };
        match &mut this.shape {
            // What is on its way counts as sent: the wait for it wakes whoever reads.
            Shape::Slow(slow) => match poll_out(inner, context, &mut slow.out, &slow.pace.clock) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(())),
            },
            _ => Pin::new(inner).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(inner) = this.inner.as_mut() else { return Poll::Ready(Ok(())) };
        match &mut this.shape {
            Shape::Limit { line: Line::Stall { .. }, left: 0, .. } => return Poll::Pending,
            Shape::Slow(slow) => ready!(poll_out(inner, context, &mut slow.out, &slow.pace.clock))?,
            _ => {}
        }
        Pin::new(inner).poll_shutdown(context)
    }
}
