//! Websockets (RFC 6455): opening one as a client, taking one over as a server, and using one as a pipe for bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connector::parts;
use super::error::chain;
use super::{Net, NetError, Stream};

/// What RFC 6455 has servers append to a client's key.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// How much of a refusal's body is kept for the error.
const REFUSAL_LIMIT: usize = 4096;
/// How much waits in each direction of a pipe.
const PIPE: usize = 64 * 1024;

/// A websocket, whoever opened it.
pub type WebSocket = WebSocketStream<Stream>;

/// What `Sec-WebSocket-Accept` answers to a client's key.
#[must_use]
pub fn accept_key(key: &str) -> String {
    let text = format!("{key}{MAGIC}");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    STANDARD.encode(hash)
}

/// The key of a request that asks for a websocket; `None` for any other request.
#[must_use]
pub fn asked_key(headers: &HeaderMap) -> Option<&str> {
    let upgrade = headers.get(UPGRADE)?.to_str().ok()?;
    let wanted = upgrade.split(',').any(|one| one.trim().eq_ignore_ascii_case("websocket"));
    wanted.then(|| headers.get(SEC_WEBSOCKET_KEY)).flatten()?.to_str().ok()
}

/// The server's end of a connection that has become a websocket.
pub async fn served(upgraded: Upgraded) -> WebSocket {
    let stream: Stream = Box::new(TokioIo::new(upgraded));
    WebSocketStream::from_raw_socket(stream, Role::Server, None).await
}

impl Net {
    /// Opens a websocket. `url` is `wss` or `ws`; the way there is that of every other connection, and a proxy is crossed with
    /// CONNECT. Protocols and extensions are not negotiated.
    ///
    /// # Errors
    /// [`NetError::NoWebSocket`] when the host answers with anything but a websocket; else which step failed.
    pub async fn websocket(&self, url: &Uri) -> Result<WebSocket, NetError> {
        let (scheme, host, port) = parts(url)?;
        let broken = |reason: String| NetError::Http { host: host.into(), reason };
        let stream = self.connect(scheme, host, port).await?;
        let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|error| broken(chain(&error)))?;
        tokio::spawn(connection.with_upgrades());
        let key = key().ok_or_else(|| broken("no randomness available".into()))?;
        let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let authority = url.authority().map_or(host, http::uri::Authority::as_str);
        let request = Request::get(path)
            .header(HOST, authority)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key)
            .body(Empty::new())
            .map_err(|error| broken(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(|error| broken(chain(&error)))?;
        let accepted = response.headers().get("sec-websocket-accept").map(http::HeaderValue::as_bytes);
        let good = accepted == Some(accept_key(&key).as_bytes());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || !good {
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), REFUSAL_LIMIT).collect().await;
            let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned());
            return Err(NetError::NoWebSocket { host: host.into(), status, text: text.unwrap_or_default() });
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| broken(chain(&error)))?;
        let stream: Stream = Box::new(TokioIo::new(upgraded));
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }
}

fn key() -> Option<String> {
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// Carries messages both ways between two websockets until one of them ends; then both are closed.
pub async fn join(one: WebSocket, other: WebSocket) {
    let ((mut to_one, mut from_one), (mut to_other, mut from_other)) = (one.split(), other.split());
    tokio::select! {
        () = hand_on(&mut from_one, &mut to_other) => {}
        () = hand_on(&mut from_other, &mut to_one) => {}
    }
    // Whoever went away first needs no farewell.
    let _ = to_one.close().await;
    let _ = to_other.close().await;
}

type Incoming = SplitStream<WebSocket>;

async fn hand_on(from: &mut Incoming, to: &mut SplitSink<WebSocket, Message>) {
    while let Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) = next(from).await {
        if to.send(message).await.is_err() {
            break;
        }
    }
}

/// The next message that is not about the connection itself.
async fn next(from: &mut Incoming) -> Option<Result<Message, tokio_tungstenite::tungstenite::Error>> {
    loop {
        match from.next().await {
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            other => return other,
        }
    }
}

/// A websocket as a pipe: bytes written to the returned stream travel in binary messages. The pipe ends with the websocket, and the
/// websocket with the pipe.
#[must_use]
pub fn as_pipe(socket: WebSocket) -> DuplexStream {
    let (near, far) = tokio::io::duplex(PIPE);
    tokio::spawn(carry(socket, far));
    near
}

async fn carry(socket: WebSocket, far: DuplexStream) {
    let (mut sink, mut incoming) = socket.split();
    let (mut read, mut write) = tokio::io::split(far);
    let inwards = async {
        while let Some(Ok(Message::Binary(bytes))) = next(&mut incoming).await {
            if write.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // The reader may be gone already.
        let _ = write.shutdown().await;
    };
    let outwards = async {
        let mut buffer = bytes::BytesMut::with_capacity(PIPE);
        while read.read_buf(&mut buffer).await.is_ok_and(|count| count > 0) {
            if sink.send(Message::Binary(buffer.split().freeze())).await.is_err() {
                break;
            }
            buffer.reserve(PIPE);
        }
    };
    tokio::select! {
        () = inwards => {}
        () = outwards => {}
    }
    let _ = sink.close().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (WebSocket, WebSocket) {
        let (one, other) = tokio::io::duplex(1024);
        let (one, other): (Stream, Stream) = (Box::new(one), Box::new(other));
        (
            WebSocketStream::from_raw_socket(one, Role::Client, None).await,
            WebSocketStream::from_raw_socket(other, Role::Server, None).await,
        )
    }

    #[test]
    fn the_answer_to_a_key_is_that_of_the_specification() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_KEY, "k".parse().unwrap());
        assert_eq!(asked_key(&headers), None);
        headers.insert(UPGRADE, "h2c, WebSocket".parse().unwrap());
        assert_eq!(asked_key(&headers), Some("k"));
    }

    #[tokio::test]
    async fn bytes_cross_two_joined_websockets_and_the_end_crosses_too() {
        let ((near, middle), (centre, far)) = (pair().await, pair().await);
        tokio::spawn(join(middle, centre));
        let (mut near, mut far) = (as_pipe(near), as_pipe(far));
        near.write_all(&[7; 200_000]).await.unwrap();
        let mut seen = vec![0; 200_000];
        far.read_exact(&mut seen).await.unwrap();
        assert!(seen.iter().all(|byte| *byte == 7));
        far.write_all(b"back").await.unwrap();
        let mut seen = [0; 4];
        near.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"back");
        drop(near);
        assert_eq!(far.read(&mut seen).await.unwrap(), 0);
    }
}
