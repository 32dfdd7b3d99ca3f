//! Tokens whose signatures were checked before.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Caller;

/// How many checked tokens are remembered. The oldest is forgotten first; it costs one more check when it comes back.
pub(super) const REMEMBERED: usize = 4096;

/// A token whose signature was found good.
pub(super) struct Checked {
    pub(super) token: Box<str>,
    pub(super) caller: Arc<Caller>,
    pub(super) issuer: String,
    pub(super) nbf: i64,
    pub(super) exp: i64,
}

/// The end of a token, which lies in its signature: as good as random, so that few tokens share it.
pub(super) type Tail = [u8; 16];

pub(super) fn tail(token: &str) -> Option<Tail> {
    token.as_bytes().last_chunk().copied()
}

#[derive(Default)]
pub(super) struct Cache {
    by_tail: HashMap<Tail, Arc<Checked>>,
    order: VecDeque<Tail>,
}

impl Cache {
    /// What is known of exactly this token.
    pub(super) fn get(&self, tail: Tail, token: &str) -> Option<Arc<Checked>> {
        self.by_tail.get(&tail).filter(|checked| *checked.token == *token).cloned()
    }

    pub(super) fn insert(&mut self, tail: Tail, checked: Arc<Checked>) {
        if self.by_tail.insert(tail, checked).is_none() {
            self.order.push_back(tail);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.by_tail.remove(&oldest);
            }
        }
    }

    /// How much is remembered, by both of its ways.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.by_tail.len(), self.order.len())
    }
}
