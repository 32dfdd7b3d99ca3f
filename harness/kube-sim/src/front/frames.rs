//! Events of watches as text, written once for all who watch the same kind.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sim_core::ledger::Change;

use crate::registry::Kind;

/// How many events are kept at most.
const MOST: usize = 512;

/// How much text is kept at most, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// The latest events that were written. Watchers that keep up find theirs here; one that lags writes its own.
#[derive(Debug, Default)]
pub(crate) struct Frames(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    frames: VecDeque<Frame>,
    size: usize,
}

#[derive(Debug)]
struct Frame {
    /// The change, told by the text of its key, which all copies of it share.
    key: Arc<str>,
    revision: u64,
    kind: Arc<Kind>,
    event: &'static str,
    text: Bytes,
}

impl Frames {
    /// The text of an event; `write` makes it unless it is there.
    pub(super) fn text(
        &self,
        change: &Change,
        kind: &Arc<Kind>,
        event: &'static str,
        write: impl FnOnce() -> Bytes,
    ) -> Bytes {
        let same = |frame: &&Frame| {
            Arc::ptr_eq(&frame.key, &change.key) && frame.event == event && Arc::ptr_eq(&frame.kind, kind)
        };
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let kept = lock();
            let latest = kept.frames.iter().rev().take_while(|frame| frame.revision >= change.revision);
            if let Some(frame) = latest.into_iter().find(same) {
                return frame.text.clone();
            }
        }
        let text = write();
        let mut kept = lock();
        // Only what comes last is kept, so that the revisions stay in order.
        if kept.frames.back().is_none_or(|last| last.revision <= change.revision) {
            kept.size += text.len();
            let (key, kind) = (change.key.clone(), kind.clone());
            kept.frames.push_back(Frame { key, revision: change.revision, kind, event, text: text.clone() });
            while kept.frames.len() > MOST || kept.size > LARGEST {
                let Some(oldest) = kept.frames.pop_front() else { break };
                kept.size -= oldest.text.len();
            }
        }
        text
    }
}
