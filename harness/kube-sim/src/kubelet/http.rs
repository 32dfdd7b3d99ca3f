//! The requests that a kubelet makes: HTTP with and without TLS for probes and hooks, gRPC for health checks.
//!
//! TLS is real but verifies nothing, as a real kubelet's: who serves a probe is whoever listens.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A GET request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Get {
    pub(crate) port: u16,
    pub(crate) path: String,
    /// The `Host` header; the address when empty.
    pub(crate) host: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: bool,
}

/// Why a connection failed, as Go says it.
pub(crate) fn dial_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        _ => error.to_string(),
    }
}

impl Get {
    /// The URL as events show it.
    pub(crate) fn url(&self, address: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{address}:{}{}", self.port, self.path)
    }

    /// The status that `target` answers. `address` is what the URL shows; redirects are not followed.
    pub(crate) async fn send(&self, target: Option<SocketAddr>, address: &str) -> Result<u16, String> {
        let failed = |error: &dyn std::fmt::Display| format!("Get \"{}\": {error}", self.url(address));
        let dial =
            |error: io::Error| failed(&format!("dial tcp {address}:{}: {}", self.port, dial_error(&error)));
        let target = target.ok_or_else(|| dial(io::ErrorKind::ConnectionRefused.into()))?;
        let stream = TcpStream::connect(target).await.map_err(dial)?;
        if !self.tls {
            return self.exchange(stream, address).await.map_err(|error| failed(&error));
        }
        let config = unverified().map_err(|error| failed(&error))?;
        let name = ServerName::IpAddress(target.ip().into());
        let stream =
            TlsConnector::from(config).connect(name, stream).await.map_err(|error| failed(&error))?;
        self.exchange(stream, address).await.map_err(|error| failed(&error))
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: &str,
    ) -> Result<u16, String> {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(|error| error.to_string())?;
        // Ends by itself when the sender is dropped.
        tokio::spawn(connection);
        let own = format!("{address}:{}", self.port);
        let mut request = http::Request::get(self.path.as_str())
            .header("host", if self.host.is_empty() { own } else { self.host.clone() })
            .header("user-agent", "kube-probe/1.34")
            .header("accept", "*/*")
            .header("connection", "close");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        Ok(answer.status().as_u16())
    }
}

/// Asks the gRPC health service (`grpc.health.v1.Health/Check`) about a service, in the words of a real kubelet.
pub(crate) async fn grpc_health(
    target: Option<SocketAddr>,
    address: &str,
    service: &str,
) -> Result<(), String> {
    let connect = |error: io::Error| {
        let why = dial_error(&error);
        format!(
            "error: failed to connect service at \"{address}\": connection error: desc = \"transport: Error while dialing: dial tcp {address}: {why}\""
        )
    };
    let failed = |error: &dyn std::fmt::Display| format!("error: health rpc probe failed: {error}");
    let target = target.ok_or_else(|| connect(io::ErrorKind::ConnectionRefused.into()))?;
    let stream = TcpStream::connect(target).await.map_err(connect)?;
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|error| failed(&error))?;
    // Ends by itself when the sender is dropped.
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "kube-probe/1.34")
        .body(Full::new(health_request(service)))
        .map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let of = |headers: &http::HeaderMap, name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
    };
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| failed(&error))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let find = |name: &str| of(&trailers, name).or_else(|| of(&head.headers, name));
    let (code, message) = (find("grpc-status"), find("grpc-message").unwrap_or_default());
    match code.as_deref() {
        Some("0") => {}
        Some("12") => {
            return Err(format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
            ));
        }
        other => {
            let code = other.unwrap_or("missing");
            return Err(failed(&format!("rpc error: code = {code} desc = {message}")));
        }
    }
    match serving(&body.to_bytes()) {
        1 => Ok(()),
        other => {
            let name = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"].get(usize::from(other));
            Err(format!("service unhealthy (responded with \"{}\")", name.copied().unwrap_or("UNKNOWN")))
        }
    }
}

/// `HealthCheckRequest{service = 1}` as one gRPC message.
fn health_request(service: &str) -> Bytes {
    let name = &service.as_bytes()[..service.len().min(100)];
    let mut message = Vec::new();
    if !name.is_empty() {
        message.extend([0x0a, u8::try_from(name.len()).unwrap_or_default()]);
        message.extend(name);
    }
    let mut framed = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap_or_default()];
    framed.extend(message);
    framed.into()
}

/// The status of `HealthCheckResponse{status = 1}`; 0 when it is left out.
fn serving(framed: &[u8]) -> u8 {
    match framed.get(5..) {
        Some([0x08, status, ..]) => *status,
        _ => 0,
    }
}

fn unverified() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Believes every certificate; signatures still have to be right.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use sim_core::pki::{Authority, Constraints, Subject};
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_server_with_any_certificate_answers_a_probe_over_tls() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let authority = Authority::new("nobody knows", &Constraints::default(), now).unwrap();
        let leaf = authority.issue(&Subject::server(["elsewhere"])).unwrap();
        let tls = leaf.server_config_with_clients(&authority, true).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        });
        let get = Get { port: 443, path: "/".into(), host: String::new(), headers: Vec::new(), tls: true };
        assert_eq!(get.send(Some(target), "10.0.0.1").await, Ok(204));
        let refused = get.send(None, "10.0.0.1").await.unwrap_err();
        assert_eq!(
            refused,
            "Get \"https://10.0.0.1:443/\": dial tcp 10.0.0.1:443: connect: connection refused"
        );
    }

    #[test]
    fn health_messages_have_the_form_of_grpc() {
        assert_eq!(&health_request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&health_request("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!((serving(&[0, 0, 0, 0, 2, 8, 1]), serving(&[0, 0, 0, 0, 0])), (1, 0));
    }
}
