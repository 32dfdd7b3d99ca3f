//! Opens connections: the wire, the tunnel through a proxy, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::chain;
use super::proxy::authority;
use super::{Net, NetError, Proxy, ProxyScheme};

/// How much of a refusing proxy's body is kept for the error.
const REFUSAL_LIMIT: usize = 4096;

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection to a target, whatever lies on the way.
pub type Stream = Box<dyn Io>;

impl Net {
    /// Opens a connection to a target, with TLS if `scheme` is `https` or `wss`. A proxy that the rules name is crossed
    /// with CONNECT for every scheme, as websocket clients do.
    ///
    /// # Errors
    /// [`NetError`] says which step failed.
    pub async fn connect(&self, scheme: &str, host: &str, port: u16) -> Result<Stream, NetError> {
        let host = bare(host);
        let stream = match self.proxy_for(scheme, host, port) {
            None => self.wire(host, port).await?,
            Some(proxy) => {
                let hop = self.to_proxy(proxy).await?;
                tunnel(hop, host, port, &proxy.to_string(), proxy.authorization()).await?
            }
        };
        if is_tls(scheme) { handshake(stream, host, &self.0.tls).await } else { Ok(stream) }
    }

    /// TLS with `host` over a connection that was opened some other way, by the roots that this client trusts.
    ///
    /// # Errors
    /// [`NetError::Tls`] says whether trust, name or protocol was at fault.
    pub async fn secure(&self, stream: Stream, host: &str) -> Result<Stream, NetError> {
        handshake(stream, bare(host), &self.0.tls).await
    }

    /// As [`Net::connect`] for an HTTP client: a plain target behind a proxy is not tunnelled; the returned stream then
    /// leads to the proxy, and the second value is true.
    pub(super) async fn connect_for_http(
        &self,
        scheme: &str,
        host: &str,
        port: u16,
    ) -> Result<(Stream, bool), NetError> {
        match self.proxy_for(scheme, bare(host), port) {
            Some(proxy) if !is_tls(scheme) => Ok((self.to_proxy(proxy).await?, true)),
            _ => Ok((self.connect(scheme, host, port).await?, false)),
        }
    }

    async fn to_proxy(&self, proxy: &Proxy) -> Result<Stream, NetError> {
        // The error has to say that it is the proxy that cannot be reached, and not the target.
        let dial = async || {
            self.wire(&proxy.host, proxy.port).await.map_err(|error| match error {
                NetError::Dial { address, source, .. } => {
                    NetError::Dial { host: format!("proxy {proxy}"), address, source }
                }
                other => other,
            })
        };
        match &proxy.scheme {
            ProxyScheme::Http => dial().await,
            ProxyScheme::Https => handshake(dial().await?, &proxy.host, &self.0.proxy_tls).await,
            ProxyScheme::Other(scheme) => {
                Err(NetError::ProxyScheme { proxy: proxy.to_string(), scheme: scheme.clone() })
            }
        }
    }

    /// What stands for cables and routers: no proxy rule applies here.
    async fn wire(&self, host: &str, port: u16) -> Result<Stream, NetError> {
        let settings = &self.0.settings;
        if let Some(address) = settings.hosts.get(&host.to_ascii_lowercase()) {
            return dial(host, &[*address]).await;
        }
        if let (true, Some(network)) = (is_service(host), settings.pods) {
            let name = format!("cluster network {network}");
            return tunnel(dial("cluster network", &[network]).await?, host, port, &name, None).await;
        }
        if let (false, Some(gateway)) = (is_loopback(host), settings.egress) {
            let name = format!("gateway {gateway}");
            return tunnel(dial("gateway", &[gateway]).await?, host, port, &name, None).await;
        }
        let resolved = tokio::net::lookup_host((host, port))
            .await
            .map_err(|source| NetError::Resolve { host: host.into(), source: Arc::new(source) })?;
        dial(host, &resolved.collect::<Vec<_>>()).await
    }
}

pub(super) fn is_tls(scheme: &str) -> bool {
    matches!(scheme, "https" | "wss")
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a name is that of a Service.
fn is_service(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.ends_with(".svc") || host.ends_with(".svc.cluster.local")
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

async fn dial(host: &str, addresses: &[SocketAddr]) -> Result<Stream, NetError> {
    let mut last = NetError::Resolve {
        host: host.into(),
        source: Arc::new(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
    };
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Only latency suffers without it.
                let _ = stream.set_nodelay(true);
                return Ok(Box::new(stream));
            }
            Err(source) => {
                last = NetError::Dial {
                    host: host.into(),
                    address: address.to_string(),
                    source: Arc::new(source),
                };
            }
        }
    }
    Err(last)
}

/// Asks the proxy at the other end of `stream` for a tunnel.
async fn tunnel(
    stream: Stream,
    host: &str,
    port: u16,
    proxy: &str,
    authorization: Option<&str>,
) -> Result<Stream, NetError> {
    let target = authority(host, port);
    let broken = |reason: String| NetError::ProxyBroken { proxy: proxy.into(), host: target.clone(), reason };
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| broken(chain(&error)))?;
    // Ends when the tunnel is handed over, or with this future: the connection lives no longer than its sender.
    let driver = tokio::spawn(connection.with_upgrades());
    let mut request = Request::connect(target.as_str()).header("host", target.as_str());
    if let Some(value) = authorization {
        request = request.header("proxy-authorization", value);
    }
    let request = request.body(Empty::new()).map_err(|error| broken(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| broken(chain(&error)))?;
    let status = response.status();
    if !status.is_success() {
        let body = Limited::new(response.into_body(), REFUSAL_LIMIT).collect().await;
        driver.abort();
        let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned());
        return Err(NetError::Proxy {
            proxy: proxy.into(),
            host: target,
            status: status.as_u16(),
            text: text.unwrap_or_default(),
        });
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| broken(chain(&error)))?;
    Ok(match upgraded.downcast::<TokioIo<Stream>>() {
        Ok(parts) if parts.read_buf.is_empty() => parts.io.into_inner(),
        Ok(parts) => {
            let (read, write) = tokio::io::split(parts.io.into_inner());
            Box::new(tokio::io::join(io::Cursor::new(parts.read_buf).chain(read), write))
        }
        Err(upgraded) => Box::new(TokioIo::new(upgraded)),
    })
}

async fn handshake(stream: Stream, host: &str, config: &Arc<ClientConfig>) -> Result<Stream, NetError> {
    let failed = |reason: String| NetError::Tls { host: host.into(), reason };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
    let tls = TlsConnector::from(config.clone())
        .connect(name, stream)
        .await
        .map_err(|error| failed(error.to_string()))?;
    Ok(Box::new(tls))
}
