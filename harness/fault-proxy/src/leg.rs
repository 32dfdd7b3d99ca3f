//! One side of a proxied connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use sim_core::net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connection of a client, or to a target.
pub(crate) enum Leg {
    /// Straight over TCP.
    Tcp(TcpStream),
    /// A client that reached the proxy by `https://`.
    Tls(Box<TlsStream<TcpStream>>),
    /// Through something else: another proxy, a wrapper.
    Other(Stream),
}

impl Leg {
    /// Ends it with a reset instead of an orderly end, where there is a socket of its own to reset.
    pub(crate) fn reset(self) {
        self.reset_on_drop();
    }

    /// Makes the system send a reset when this is dropped, instead of an orderly end.
    fn reset_on_drop(&self) {
        let socket = match self {
            Self::Tcp(socket) => Some(socket),
            Self::Tls(tls) => Some(tls.get_ref().0),
            Self::Other(_) => None,
        };
        if let Some(socket) = socket {
            // If it cannot be set the peer sees an orderly end instead.
            let _ = socket.set_zero_linger();
        }
    }

    fn inner(&mut self) -> Pin<&mut (dyn sim_core::net::Io + '_)> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
            Self::Other(stream) => Pin::new(stream.as_mut()),
        }
    }
}

impl AsyncRead for Leg {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner().poll_read(context, buffer)
    }
}

impl AsyncWrite for Leg {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}

/// A connection of which some bytes were read already.
pub(crate) struct Rewound<S> {
    read: bytes::Bytes,
    inner: S,
}

impl<S> Rewound<S> {
    /// `read` comes first, then the rest of `inner`.
    pub(crate) fn new(read: impl Into<bytes::Bytes>, inner: S) -> Self {
        Self { read: read.into(), inner }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let length = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// A client's connection in the hands of an HTTP library. It ends with a reset if the flag is set by then.
pub(crate) struct Guarded {
    inner: Rewound<Leg>,
    reset: Arc<AtomicBool>,
}

impl Guarded {
    pub(crate) fn new(inner: Rewound<Leg>, reset: Arc<AtomicBool>) -> Self {
        Self { inner, reset }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            self.inner.inner.reset_on_drop();
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
