//! Reading request bodies, within bounds.
//!
//! A body is read before anything is answered, even when it will not be looked at: a client that still sends while it
//! is answered may never see the answer.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt as _;

/// How big a body may be.
pub(super) const LIMIT: usize = 8 * 1024 * 1024;

/// How much of a body that is too big is read and thrown away, so that the client gets to read why.
const PATIENCE: usize = 64 * 1024 * 1024;

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is bigger than [`LIMIT`].
    TooLarge,
    /// The client stopped sending.
    Broken,
}

/// The whole body.
pub(super) async fn read(headers: &HeaderMap, mut body: Body) -> Result<Bytes, BodyError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // Who asks before sending is answered before sending.
    if announced.is_some_and(|length| length > LIMIT as u64) && headers.contains_key(EXPECT) {
        return Err(BodyError::TooLarge);
    }
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        length += data.len();
        if length > PATIENCE {
            break;
        }
        match &first {
            _ if length > LIMIT => {
                (first, whole) = (None, BytesMut::new());
            }
            None if whole.is_empty() => first = Some(data),
            Some(start) => {
                whole.extend_from_slice(start);
                whole.extend_from_slice(&data);
                first = None;
            }
            None => whole.extend_from_slice(&data),
        }
    }
    match first {
        _ if length > LIMIT => Err(BodyError::TooLarge),
        Some(only) => Ok(only),
        None => Ok(whole.freeze()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(parts: &[&'static [u8]]) -> Result<Bytes, BodyError> {
        let parts: Vec<Result<Bytes, std::io::Error>> =
            parts.iter().map(|part| Ok(Bytes::from_static(part))).collect();
        read(&HeaderMap::new(), Body::from_stream(futures::stream::iter(parts))).await
    }

    #[tokio::test]
    async fn bodies_in_parts_are_put_together_and_big_ones_refused() {
        assert_eq!(of(&[]).await.unwrap(), "");
        assert_eq!(of(&[b"one"]).await.unwrap(), "one");
        assert_eq!(of(&[b"one", b"two", b"three"]).await.unwrap(), "onetwothree");
        static PART: [u8; 1 << 20] = [b' '; 1 << 20];
        assert_eq!(of(&[PART.as_slice(); 8]).await.map(|body| body.len()), Ok(8 << 20));
        assert_eq!(of(&[PART.as_slice(); 10]).await, Err(BodyError::TooLarge));
    }
}
