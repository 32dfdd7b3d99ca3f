//! [`Net`] as the connector of hyper's client.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::dial::is_tls;
use super::{Net, NetError, Stream};

/// Connects by a [`Net`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connector(Net);

impl Connector {
    pub(super) fn new(net: Net) -> Self {
        Self(net)
    }
}

/// What a [`Connector`] returns.
pub struct NetStream {
    io: TokioIo<Stream>,
    to_proxy: bool,
}

impl fmt::Debug for NetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetStream").field("to_proxy", &self.to_proxy).finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = NetStream;
    type Error = NetError;
    type Future = Pin<Box<dyn Future<Output = Result<NetStream, NetError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NetError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let net = self.0.clone();
        Box::pin(async move {
            let (scheme, host, port) = parts(&target)?;
            let (stream, to_proxy) = net.connect_for_http(scheme, host, port).await?;
            Ok(NetStream { io: TokioIo::new(stream), to_proxy })
        })
    }
}

/// Scheme, host and port of an absolute URL.
pub(super) fn parts(target: &Uri) -> Result<(&str, &str, u16), NetError> {
    let unusable = |reason| NetError::Url { url: target.to_string(), reason };
    let scheme = target.scheme_str().ok_or_else(|| unusable("it has no scheme"))?;
    let host = target.host().ok_or_else(|| unusable("it has no host"))?;
    if !matches!(scheme, "http" | "https" | "ws" | "wss") {
        return Err(unusable("its scheme is not http, https, ws or wss"));
    }
    Ok((scheme, host, target.port_u16().unwrap_or(if is_tls(scheme) { 443 } else { 80 })))
}

impl Connection for NetStream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.to_proxy)
    }
}

impl Read for NetStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for NetStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }
}
