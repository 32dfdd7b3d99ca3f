//! From an HTTP request to a connection that both sides write to: websockets (RFC 6455) and `SPDY/3.1`.

use aws_lc_rs::digest;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::status::Status;

/// What RFC 6455 has servers append to a client's key.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How SPDY clients name the protocols that they speak, and servers the one they chose.
const STREAM_PROTOCOL: &str = "x-stream-protocol-version";

/// How a client wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A websocket.
    WebSocket,
    /// SPDY over the bare connection.
    Spdy,
}

/// What was agreed on.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) kind: Kind,
    /// Says so to the client.
    pub(super) response: Response,
}

fn tokens(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|token| token.trim().to_owned()).collect()
}

/// Agrees on a protocol. `websocket` and `spdy` are what the server speaks, best first.
///
/// # Errors
/// 400 for a request that asks for no upgrade, for one that this server does not know, or for no protocol in common.
pub(super) fn agree(
    headers: &HeaderMap,
    websocket: &[&'static str],
    spdy: &[&'static str],
) -> Result<Agreed, Status> {
    let upgrade = tokens(headers, "upgrade");
    let wants = |name: &str| upgrade.iter().any(|token| token.eq_ignore_ascii_case(name));
    let (kind, named, offered) = match () {
        () if wants("websocket") => (Kind::WebSocket, "sec-websocket-protocol", websocket),
        () if wants("SPDY/3.1") => (Kind::Spdy, STREAM_PROTOCOL, spdy),
        () => return Err(Status::bad_request("Upgrade request required")),
    };
    let asked = tokens(headers, named);
    let Some(protocol) = offered.iter().find(|own| asked.iter().any(|one| one == **own)) else {
        return Err(Status::bad_request(format!(
            "unable to negotiate protocol: client supports [{}], server accepts [{}]",
            asked.join(" "),
            offered.join(" ")
        )));
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    match kind {
        Kind::Spdy => {
            answer.insert(header::UPGRADE, HeaderValue::from_static("SPDY/3.1"));
            answer.insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
        }
        Kind::WebSocket => {
            let key = headers.get("sec-websocket-key").and_then(|key| key.to_str().ok());
            let key = key.ok_or_else(|| Status::bad_request("Sec-WebSocket-Key is missing"))?;
            let accept = HeaderValue::from_str(&accept(key)).map_err(Status::internal)?;
            answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            answer.insert("sec-websocket-accept", accept);
            answer.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        }
    }
    Ok(Agreed { kind, response })
}

fn accept(key: &str) -> String {
    let text = format!("{key}{MAGIC}");
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_common_protocol_is_agreed_on() {
        // The key and the answer of RFC 6455, section 1.3.
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let mut headers = HeaderMap::new();
        assert_eq!(agree(&headers, &["a"], &[]).unwrap_err().message, "Upgrade request required");
        headers.insert("upgrade", "WebSocket".parse().unwrap());
        headers.insert("sec-websocket-key", "k".parse().unwrap());
        headers.append("sec-websocket-protocol", "b, a".parse().unwrap());
        let agreed = agree(&headers, &["a", "b"], &[]).unwrap();
        assert_eq!(agreed.kind, Kind::WebSocket);
        assert_eq!(agreed.response.headers()["sec-websocket-protocol"], "a");
        assert_eq!(agreed.response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(agree(&headers, &["c"], &[]).unwrap_err().code, 400);
    }
}
