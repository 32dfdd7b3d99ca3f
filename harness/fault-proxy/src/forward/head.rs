//! The head of the first request of a connection, read strictly: what two programs could understand differently is refused.

use std::io;

use bytes::BytesMut;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::reply::Reply;

/// The most headers that a request may have.
const HEADERS: usize = 100;

/// What of a request decides where it goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    /// Spoken by a client of HTTP/1.0.
    pub(super) http10: bool,
    /// The value of `Proxy-Authorization`.
    pub(super) authorization: Option<String>,
    /// How many bytes it takes.
    pub(super) length: usize,
}

/// No head came.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The client ended, or broke off.
    Gone(io::Error),
    /// What came is refused.
    Refused(Reply),
}

/// Reads into `buffer` until the head of a request is there; whatever came behind it stays in the buffer.
///
/// # Errors
/// [`NoHead`]
pub(super) async fn read<S>(stream: &mut S, buffer: &mut BytesMut, limit: usize) -> Result<Head, NoHead>
where
    S: AsyncRead + Unpin,
{
    // Parsed again only when there is twice as much, or an end: byte by byte costs no more than at once.
    let (mut parsed, mut seen) = (0, 0);
    loop {
        if !buffer.is_empty() && (buffer.len() >= parsed * 2 || has_end(buffer, seen)) {
            parsed = buffer.len();
            if let Some(head) = parse(buffer).map_err(NoHead::Refused)? {
                return if head.length > limit { Err(NoHead::Refused(too_large())) } else { Ok(head) };
            }
        }
        if buffer.len() >= limit {
            return Err(NoHead::Refused(too_large()));
        }
        seen = buffer.len();
        if stream.read_buf(buffer).await.map_err(NoHead::Gone)? == 0 {
            return Err(NoHead::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Whether an empty line ends behind the first `seen` bytes.
fn has_end(buffer: &[u8], seen: usize) -> bool {
    let fresh = buffer.get(seen.saturating_sub(3)..).unwrap_or_default();
    fresh.windows(2).any(|two| two == b"\n\n") || fresh.windows(4).any(|four| four == b"\r\n\r\n")
}

fn too_large() -> Reply {
    let text = "The head of the request is larger than this proxy takes.\n";
    Reply::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text.into())
}

/// The head at the start of `bytes`; `None` when it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<Head>, Reply> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(too_large()),
        Err(error) => return Err(Reply::bad_request(&format!("The request cannot be read: {error}."))),
    };
    let mut head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        http10: request.version == Some(0),
        authorization: None,
        length,
    };
    check_framing(&head, request.headers)?;
    let authorization = values(request.headers, "proxy-authorization").next();
    head.authorization = authorization.map(|value| String::from_utf8_lossy(value).into_owned());
    Ok(Some(head))
}

fn values<'a>(headers: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Refuses requests of which two programs could disagree where they end or whom they are for.
fn check_framing(head: &Head, headers: &[httparse::Header<'_>]) -> Result<(), Reply> {
    let ambiguous = |what: &str| Err(Reply::bad_request(&format!("The request is ambiguous: {what}.")));
    let lengths: Vec<&[u8]> = values(headers, "content-length").collect();
    let encodings: Vec<&[u8]> = values(headers, "transfer-encoding").collect();
    if !lengths.is_empty() && !encodings.is_empty() {
        return ambiguous("it has a Content-Length and a Transfer-Encoding");
    }
    if lengths.len() > 1 || lengths.iter().any(|length| !is_number(length)) {
        return ambiguous("its Content-Length is not one number");
    }
    if encodings.len() > 1 || encodings.iter().any(|encoding| !encoding.eq_ignore_ascii_case(b"chunked")) {
        return ambiguous("its Transfer-Encoding is not 'chunked'");
    }
    if head.http10 && !encodings.is_empty() {
        return ambiguous("HTTP/1.0 has no Transfer-Encoding");
    }
    if values(headers, "host").count() > 1 {
        return ambiguous("it has more than one Host");
    }
    let body = !encodings.is_empty() || lengths.iter().any(|length| *length != b"0");
    if head.method == "CONNECT" && body {
        return ambiguous("a CONNECT has no body");
    }
    Ok(())
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.len() < 20 && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> u16 {
        parse(text.as_bytes()).unwrap_err().status.as_u16()
    }

    #[test]
    fn a_head_is_taken_apart_and_what_is_ambiguous_is_refused() {
        let text = "CONNECT a.test:443 HTTP/1.0\r\nProxy-Authorization: Basic eA==\r\n\r\nearly";
        let head = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (head.method.as_str(), head.target.as_str(), head.http10),
            ("CONNECT", "a.test:443", true)
        );
        assert_eq!((head.authorization.as_deref(), &text[head.length..]), (Some("Basic eA=="), "early"));
        assert_eq!(parse(b"GET http://a/ HT").unwrap(), None);
        for text in [
            "POST http://a/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nA\0: b\r\n\r\n",
            "\u{16}\u{3}\u{1}",
        ] {
            assert_eq!(refused(text), 400, "{text:?}");
        }
        let many = format!("GET http://a/ HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS + 1));
        assert_eq!(refused(&many), 431);
    }

    #[tokio::test]
    async fn an_endless_head_is_refused_at_the_limit_and_costs_no_more_byte_by_byte() {
        let (mut client, mut server) = tokio::io::duplex(1);
        let writer = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            while client.write_all(b"GET http://a/ HTTP/1.1\r\nA: ").await.is_ok() {
                while client.write_all(b"b").await.is_ok() {}
            }
        });
        let refused = read(&mut server, &mut BytesMut::new(), 20_000).await.unwrap_err();
        assert!(matches!(refused, NoHead::Refused(reply) if reply.status.as_u16() == 431));
        drop(server);
        writer.await.unwrap();
    }
}
