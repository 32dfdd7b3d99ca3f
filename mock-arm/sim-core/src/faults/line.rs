//! What can happen to the bytes of a connection that was let through.

use serde::{Deserialize, Serialize};

/// An effect of the `wire` hook on a connection that is open already. Bytes are counted from the target to the client, after
/// the proxy's own answer; times are the world's. The client's direction is never cut by count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Line {
    /// A reset after this many bytes.
    ResetAt {
        /// Bytes that still pass.
        bytes: u64,
    },
    /// An orderly end after this many bytes: a body that is too short.
    Truncate {
        /// Bytes that still pass.
        bytes: u64,
    },
    /// After this many bytes nothing passes any more in either direction, and nobody is told: a firewall that forgot the
    /// connection, or packets that are too large for some link.
    Stall {
        /// Bytes that still pass.
        bytes: u64,
    },
    /// After this many bytes the target's connection is gone, and the client is not told: what it sends is taken and lost.
    HalfOpen {
        /// Bytes that still pass.
        bytes: u64,
    },
    /// A reset after this long, however busy the connection is.
    Cut {
        /// Milliseconds from when the connection was let through.
        millis: u64,
    },
    /// A slow link: everything comes late, and no more than so much of it at a time.
    Slow {
        /// Milliseconds that every byte takes, each way.
        #[serde(default)]
        millis: u64,
        /// Up to so many milliseconds more, drawn from the seed for each piece.
        #[serde(default)]
        jitter: u64,
        /// Bytes per second, each way; no limit when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_per_second: Option<u64>,
    },
    /// The end of the answer comes this much later than its last byte.
    SlowClose {
        /// Milliseconds between last byte and end.
        millis: u64,
    },
}

impl Line {
    /// After how many bytes of the answer something happens.
    #[must_use]
    pub fn limit(self) -> Option<u64> {
        match self {
            Self::ResetAt { bytes }
            | Self::Truncate { bytes }
            | Self::Stall { bytes }
            | Self::HalfOpen { bytes } => Some(bytes),
            Self::Cut { .. } | Self::Slow { .. } | Self::SlowClose { .. } => None,
        }
    }
}
