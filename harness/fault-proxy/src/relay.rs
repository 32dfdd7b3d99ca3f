//! Copying between two connections. A buffer exists only while bytes are on their way, so that an idle tunnel costs next to
//! nothing.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is copied at a time.
const SIZE: usize = 64 << 10;
/// How many buffers are kept for the next one who needs one.
const KEPT: usize = 32;

/// Buffers that are not in use.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Box<[u8]>>>);

impl Buffers {
    fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice())
    }

    fn give(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }
}

/// One direction.
#[derive(Default)]
struct Way {
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    unflushed: bool,
    ended: bool,
    done: bool,
}

impl Way {
    fn poll<R, W>(
        &mut self,
        context: &mut Context<'_>,
        buffers: &Buffers,
        passed: &AtomicU64,
        from: &mut R,
        to: &mut W,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while !self.done {
            if let Some(buffer) = self.buffer.as_ref().filter(|_| self.start < self.end) {
                let rest = buffer.get(self.start..self.end).unwrap_or_default();
                let written = ready!(Pin::new(&mut *to).poll_write(context, rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.start += written;
                self.unflushed = true;
                continue;
            }
            if self.ended {
                if let Some(buffer) = self.buffer.take() {
                    buffers.give(buffer);
                }
                ready!(Pin::new(&mut *to).poll_shutdown(context))?;
                self.done = true;
                continue;
            }
            let mut buffer = self.buffer.take().unwrap_or_else(|| buffers.take());
            let mut read = ReadBuf::new(&mut buffer);
            match Pin::new(&mut *from).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) => {
                    (self.start, self.end) = (0, read.filled().len());
                    self.ended = self.end == 0;
                    passed.fetch_add(1, Ordering::Relaxed);
                    self.buffer = Some(buffer);
                }
                Poll::Ready(Err(error)) => {
                    buffers.give(buffer);
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    buffers.give(buffer);
                    if self.unflushed {
                        ready!(Pin::new(&mut *to).poll_flush(context))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Copies both ways until both have ended. The end of one direction is passed on and leaves the other open. `passed` counts
/// what is seen, for whoever wants to know whether anything moves.
///
/// # Errors
/// The first error of either connection ends both.
pub(crate) async fn relay<A, B>(
    client: &mut A,
    target: &mut B,
    buffers: &Buffers,
    passed: &AtomicU64,
) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut out, mut back) = (Way::default(), Way::default());
    poll_fn(|context| {
        let sent = out.poll(context, buffers, passed, client, target)?;
        let received = back.poll(context, buffers, passed, target, client)?;
        if sent.is_ready() && received.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn everything_arrives_each_end_is_passed_on_and_idle_tunnels_hold_no_buffer() {
        let (mut user, mut client) = duplex(100);
        let (mut target, mut server) = duplex(70);
        let (buffers, passed) = (Buffers::default(), AtomicU64::new(0));
        let sent: Vec<u8> = (0..200_000u32).map(|value| value.to_le_bytes()[0]).collect();
        let serve = async {
            let mut heard = Vec::new();
            server.read_to_end(&mut heard).await.unwrap();
            // Nothing is on its way, so nobody holds one.
            assert_eq!(buffers.0.lock().unwrap().len(), 2);
            server.write_all(&heard).await.unwrap();
            server.shutdown().await.unwrap();
            heard.len()
        };
        let ask = async {
            user.write_all(&sent).await.unwrap();
            user.shutdown().await.unwrap();
            let mut back = Vec::new();
            user.read_to_end(&mut back).await.unwrap();
            back
        };
        let (relayed, heard, back) =
            tokio::join!(relay(&mut client, &mut target, &buffers, &passed), serve, ask);
        relayed.unwrap();
        assert_eq!(heard, sent.len());
        assert_eq!(back, sent);
        assert!(passed.load(Ordering::Relaxed) > 2);
    }
}
