//! Frames of SPDY/3.1, as far as streams of Kubernetes clients need them.

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The largest frame that is read; clients cut data at 32 KiB or less.
const LIMIT: usize = 1024 * 1024;

const VERSION: u16 = 3;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GO_AWAY: u16 = 7;
const HEADERS: u16 = 8;

/// The flag of a sender's last frame of a stream.
const FIN: u8 = 1;

/// A frame that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A new stream, with its header block.
    Open { stream: u32, headers: Bytes, last: bool },
    /// More headers of a stream; the block has to be read because blocks depend on each other.
    Headers { headers: Bytes },
    /// Data of a stream.
    Data { stream: u32, data: Bytes, last: bool },
    /// The end of a stream, at once and in both directions.
    Reset { stream: u32 },
    /// A ping, to be sent back.
    Ping { id: u32 },
    /// The other side opens no more streams.
    GoAway,
    /// Anything else: settings, windows. Nothing here has a flow control of its own.
    Other,
}

/// What came in is no SPDY.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A frame that no client sends.
    #[error("a SPDY frame cannot be read")]
    Malformed,
}

/// The next frame; `None` at the end of the connection.
pub(super) async fn read(reader: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, ReadError> {
    let mut head = [0; 8];
    match reader.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let [a, b, c, d, flags, l1, l2, l3] = head;
    let length = usize::try_from(u32::from_be_bytes([0, l1, l2, l3])).map_err(|_| ReadError::Malformed)?;
    if length > LIMIT {
        return Err(ReadError::Malformed);
    }
    let mut body = BytesMut::zeroed(length);
    reader.read_exact(&mut body).await?;
    let body = body.freeze();
    let last = flags & FIN != 0;
    if a & 0x80 == 0 {
        return Ok(Some(Frame::Data { stream: u32::from_be_bytes([a, b, c, d]), data: body, last }));
    }
    if u16::from_be_bytes([a & 0x7f, b]) != VERSION {
        return Err(ReadError::Malformed);
    }
    control(u16::from_be_bytes([c, d]), body, last).map(Some)
}

fn control(kind: u16, body: Bytes, last: bool) -> Result<Frame, ReadError> {
    let number = || {
        let bytes = body.first_chunk::<4>().ok_or(ReadError::Malformed)?;
        Ok::<_, ReadError>(u32::from_be_bytes(*bytes) & 0x7fff_ffff)
    };
    let after = |start: usize| if body.len() < start { Bytes::new() } else { body.slice(start..) };
    Ok(match kind {
        SYN_STREAM => Frame::Open { stream: number()?, headers: after(10), last },
        HEADERS | SYN_REPLY => Frame::Headers { headers: after(4) },
        RST_STREAM => Frame::Reset { stream: number()? },
        PING => {
            let bytes = body.first_chunk::<4>().ok_or(ReadError::Malformed)?;
            Frame::Ping { id: u32::from_be_bytes(*bytes) }
        }
        GO_AWAY => Frame::GoAway,
        _ => Frame::Other,
    })
}

fn control_frame(kind: u16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + body.len());
    frame.put_u16(0x8000 | VERSION);
    frame.put_u16(kind);
    // Flags are none; the length has three bytes.
    frame.put_u32(u32::try_from(body.len()).unwrap_or_default() & 0x00ff_ffff);
    frame.put_slice(body);
    frame.freeze()
}

/// The answer to a new stream.
pub(super) fn reply(stream: u32, headers: &[u8]) -> Bytes {
    let mut body = stream.to_be_bytes().to_vec();
    body.extend(headers);
    control_frame(SYN_REPLY, &body)
}

/// Data of a stream; at most 16 MiB at a time.
pub(super) fn data(stream: u32, data: &[u8], last: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + data.len());
    frame.put_u32(stream & 0x7fff_ffff);
    let length = u32::try_from(data.len()).unwrap_or_default() & 0x00ff_ffff;
    frame.put_u32(u32::from(if last { FIN } else { 0 }) << 24 | length);
    frame.put_slice(data);
    frame.freeze()
}

/// A ping sent back.
pub(super) fn pong(id: u32) -> Bytes {
    control_frame(PING, &id.to_be_bytes())
}

/// A stream that nobody wants.
pub(super) fn reset(stream: u32) -> Bytes {
    // Status 3: REFUSED_STREAM.
    let mut body = stream.to_be_bytes().to_vec();
    body.extend(3_u32.to_be_bytes());
    control_frame(RST_STREAM, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_read_as_they_are_written() {
        let mut bytes = data(3, b"abc", true).to_vec();
        bytes.extend(pong(7));
        bytes.extend(reset(5));
        let mut reader = bytes.as_slice();
        let expected = [
            Frame::Data { stream: 3, data: Bytes::from_static(b"abc"), last: true },
            Frame::Ping { id: 7 },
            Frame::Reset { stream: 5 },
        ];
        for frame in expected {
            assert_eq!(read(&mut reader).await.unwrap(), Some(frame));
        }
        assert_eq!(read(&mut reader).await.unwrap(), None);
        let huge = [0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff];
        assert!(read(&mut huge.as_slice()).await.is_err());
    }
}
