//! Blobs, whole or in part.

use bytes::Bytes;

use super::refuse;
use crate::surfaces::reply::SurfaceReply;

const BINARY: &str = "application/octet-stream";

/// A part of a blob: first byte and the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it: no range, or one that need not be honoured (RFC 9110, section 14.2).
    Whole,
    /// These bytes.
    Bytes(usize, usize),
    /// A range that the blob does not have.
    Outside,
}

fn part(range: Option<&str>, length: usize) -> Part {
    let Some(range) = range.and_then(|range| range.trim().strip_prefix("bytes=")) else { return Part::Whole };
    let Some((first, last)) = range.split_once('-') else { return Part::Whole };
    let (start, end) = match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
        (Ok(start), Ok(last)) if start <= last => (start, last.saturating_add(1).min(length)),
        (Ok(start), Err(_)) if last.trim().is_empty() => (start, length),
        (Err(_), Ok(count)) if first.trim().is_empty() => (length.saturating_sub(count), length),
        // Several ranges, or nonsense.
        _ => return Part::Whole,
    };
    if start < end { Part::Bytes(start, end) } else { Part::Outside }
}

/// The reply for a blob.
pub(super) fn serve(blob: &Bytes, digest: &str, range: Option<&str>) -> SurfaceReply {
    let length = blob.len();
    let (status, body, content_range) = match part(range, length) {
        Part::Whole => (200, blob.clone(), None),
        Part::Bytes(start, end) => {
            (206, blob.slice(start..end), Some(format!("bytes {start}-{}/{length}", end.saturating_sub(1))))
        }
        Part::Outside => {
            return refuse(416, "RANGE_INVALID", format!("the blob has {length} bytes"))
                .with("content-range", format!("bytes */{length}"));
        }
    };
    let mut reply = SurfaceReply { status, headers: Vec::new(), body, content_type: BINARY }
        .with("docker-content-digest", digest)
        .with("etag", format!("\"{digest}\""))
        .with("accept-ranges", "bytes");
    if let Some(content_range) = content_range {
        reply = reply.with("content-range", content_range);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_honoured_when_there_is_one() {
        assert_eq!(part(None, 10), Part::Whole);
        assert_eq!(part(Some("bytes=2-4"), 10), Part::Bytes(2, 5));
        assert_eq!(part(Some("bytes=2-400"), 10), Part::Bytes(2, 10));
        assert_eq!(part(Some("bytes=4-"), 10), Part::Bytes(4, 10));
        assert_eq!(part(Some("bytes=-3"), 10), Part::Bytes(7, 10));
        assert_eq!(part(Some("bytes=10-"), 10), Part::Outside);
        assert_eq!(part(Some("bytes=0-1,4-5"), 10), Part::Whole);
        assert_eq!(part(Some("lines=1-2"), 10), Part::Whole);
        assert_eq!(part(Some("bytes=-0"), 10), Part::Outside);
    }
}
