//! Token buckets: what callers may still ask. They live beside the ledger, because every request counts, and are saved with it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// GET and HEAD.
    Read,
    /// PUT, PATCH and POST.
    Write,
    /// DELETE.
    Delete,
}

/// Whose bucket: of a subscription or (nil) the tenant, and of a principal or (none) all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The subscription, or nil.
    pub scope: Uuid,
    /// The principal's object id.
    pub principal: Option<Uuid>,
    /// The kind of request.
    pub class: Class,
}

/// What a bucket holds, in thousandths of a request, and since when in world time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Thousandths of a request.
    pub millis: u64,
    /// The last moment at which it was looked at.
    pub at: Timestamp,
}

/// Per permission (`namespace/type/read`) and principal: how many requests since when.
pub type Counts = HashMap<(String, Uuid), (u32, Timestamp)>;

/// All buckets of a cloud.
#[derive(Debug, Default)]
pub struct Buckets {
    levels: Mutex<HashMap<Key, Level>>,
    counts: Mutex<Counts>,
}

/// All buckets at one moment, in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    levels: Vec<(Key, Level)>,
    counts: Vec<((String, Uuid), (u32, Timestamp))>,
}

impl Buckets {
    /// The buckets of Resource Manager itself.
    pub fn levels(&self) -> MutexGuard<'_, HashMap<Key, Level>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts of providers.
    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is now.
    #[must_use]
    pub fn save(&self) -> Saved {
        let mut levels: Vec<_> = self.levels().iter().map(|(key, level)| (*key, *level)).collect();
        let mut counts: Vec<_> = self.counts().iter().map(|(key, count)| (key.clone(), *count)).collect();
        levels.sort_by_key(|(key, _)| (key.scope, key.principal, key.class as u8));
        counts.sort();
        Saved { levels, counts }
    }

    /// Puts back what was saved; whatever else there was is forgotten, so that new callers start with full buckets.
    pub fn load(&self, saved: &Saved) {
        *self.levels() = saved.levels.iter().copied().collect();
        *self.counts() = saved.counts.iter().cloned().collect();
    }
}
