//! The loop under all controllers: changes become keys, keys are reconciled, one at a time.
//!
//! One task runs every controller, as one process does in a real control plane. Controllers are synchronous and
//! level-triggered: a key says that something about an object may have changed, never what. What fails is tried again
//! after a growing wait of world time. With one task the order of effects depends on the order of changes only.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sim_core::clock::Busy;
use sim_core::ledger::{Change, Ledger, Revision, Watch};
use tokio::sync::mpsc;

use crate::api::Api;
use crate::status::Status;

/// How many keys are reconciled before other tasks get their turn.
const BATCH: usize = 32;

/// The longest wait between two attempts at a key that fails.
const MAX_RETRY: Duration = Duration::from_secs(300);

/// When a key wants to be looked at again without a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Only when something changes.
    Done,
    /// At this moment of world time at the latest.
    At(Timestamp),
}

impl Next {
    /// The earlier of the two.
    pub(crate) fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(two)) => Self::At(one.min(two)),
            (Self::Done, next) | (next, Self::Done) => next,
        }
    }

    /// At this moment, if there is one.
    pub(crate) fn at(moment: Option<Timestamp>) -> Self {
        moment.map_or(Self::Done, Self::At)
    }
}

/// A reconciler of one kind of key.
pub(crate) trait Controller: Send {
    /// Its name, for logs.
    fn name(&self) -> &'static str;

    /// The keys that a change makes worth looking at. At the start every object is presented as created.
    fn keys(&mut self, change: &Change, keys: &mut Vec<String>);

    /// Brings the world one step nearer to what the object of this key asks for.
    ///
    /// # Errors
    /// What the API refused; the key is tried again later.
    fn reconcile(&mut self, key: &str) -> Result<Next, Status>;
}

/// A key that somebody outside of the loop wants looked at, and the guard that keeps the world from moving on first.
type Nudge = (usize, String, Option<Busy>);

/// Makes one controller look at a key.
#[derive(Debug, Clone)]
pub(crate) struct Nudger {
    controller: usize,
    sender: mpsc::UnboundedSender<Nudge>,
}

impl Nudger {
    /// Asks for a look at `key`; `busy` is held until then.
    pub(crate) fn nudge(&self, key: &str, busy: Busy) {
        // Without a receiver the cluster is being shut down.
        let _ = self.sender.send((self.controller, key.to_owned(), Some(busy)));
    }
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<String>,
    queued: BTreeSet<String>,
    failures: HashMap<String, u32>,
    due: HashMap<String, Timestamp>,
}

impl Queue {
    fn push(&mut self, key: String) {
        if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn pop(&mut self) -> Option<String> {
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        Some(key)
    }
}

/// The controllers with their queues.
pub(crate) struct Manager {
    api: Api,
    controllers: Vec<Box<dyn Controller>>,
    queues: Vec<Queue>,
    timers: BTreeMap<Timestamp, BTreeSet<(usize, String)>>,
    sender: mpsc::UnboundedSender<Nudge>,
    nudges: mpsc::UnboundedReceiver<Nudge>,
    /// Guards of writes that this loop has not seen yet.
    writes: mpsc::UnboundedReceiver<Busy>,
}

impl Manager {
    /// A loop without controllers.
    pub(crate) fn new(api: Api) -> Self {
        let (sender, nudges) = mpsc::unbounded_channel();
        let writes = api.announce_writes();
        Self {
            api,
            controllers: Vec::new(),
            queues: Vec::new(),
            timers: BTreeMap::new(),
            sender,
            nudges,
            writes,
        }
    }

    /// Adds a controller, which is given the means to call for itself.
    pub(crate) fn add<C: Controller + 'static>(&mut self, make: impl FnOnce(Nudger) -> C) {
        let nudger = Nudger { controller: self.controllers.len(), sender: self.sender.clone() };
        self.controllers.push(Box::new(make(nudger)));
        self.queues.push(Queue::default());
    }

    /// Runs until aborted.
    pub(crate) async fn run(mut self) {
        let clock = self.api.clock().clone();
        let ledger = self.api.ledger().clone();
        let mut watch = self.start_over(&ledger);
        loop {
            let busy = clock.busy();
            self.settle(&mut watch, &ledger).await;
            drop(busy);
            let due = self.timers.keys().next().copied();
            let timer = async {
                match due {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                nudge = self.nudges.recv() => {
                    if let Some(nudge) = nudge {
                        self.take_nudge(nudge, &mut watch, &ledger).await;
                    }
                }
                Some(guard) = self.writes.recv() => {
                    self.settle(&mut watch, &ledger).await;
                    drop(guard);
                }
                changes = watch.next() => match changes {
                    Ok(changes) => self.distribute(&changes),
                    Err(_) => watch = self.start_over(&ledger),
                },
                busy = timer => {
                    self.fire(clock.now());
                    self.settle(&mut watch, &ledger).await;
                    drop(busy);
                }
            }
        }
    }

    async fn take_nudge(&mut self, nudge: Nudge, watch: &mut Watch, ledger: &Ledger) {
        let (controller, key, busy) = nudge;
        if let Some(queue) = self.queues.get_mut(controller) {
            queue.push(key);
        }
        self.settle(watch, ledger).await;
        drop(busy);
    }

    /// Works until every queue is empty and no change is left unseen.
    async fn settle(&mut self, watch: &mut Watch, ledger: &Ledger) {
        let mut guards = Vec::new();
        loop {
            // Guards first: what they announce is in the feed by now.
            while let Ok(guard) = self.writes.try_recv() {
                guards.push(guard);
            }
            match watch.take() {
                Ok(changes) => self.distribute(&changes),
                Err(_) => *watch = self.start_over(ledger),
            }
            if !self.batch() {
                return;
            }
            guards.truncate(1);
            tokio::task::yield_now().await;
        }
    }

    /// Reconciles some keys; false when there were none.
    fn batch(&mut self) -> bool {
        let mut worked = false;
        for index in 0..self.controllers.len() {
            for _ in 0..BATCH {
                let Some(key) = self.queues[index].pop() else { break };
                worked = true;
                self.reconcile(index, &key);
            }
        }
        worked
    }

    fn reconcile(&mut self, index: usize, key: &str) {
        let controller = &mut self.controllers[index];
        let queue = &mut self.queues[index];
        let next = match controller.reconcile(key) {
            Ok(next) => {
                queue.failures.remove(key);
                next
            }
            Err(error) => {
                let failures = queue.failures.entry(key.to_owned()).or_default();
                *failures += 1;
                tracing::debug!(controller = controller.name(), key, %error, failures, "will try again");
                let wait = Duration::from_secs(1 << (*failures - 1).min(9)).min(MAX_RETRY);
                let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
                Next::At(self.api.now().checked_add(wait).unwrap_or(Timestamp::MAX))
            }
        };
        self.schedule(index, key, next);
    }

    fn schedule(&mut self, index: usize, key: &str, next: Next) {
        let Next::At(due) = next else {
            self.unschedule(index, key);
            return;
        };
        if due <= self.api.now() {
            self.unschedule(index, key);
            self.queues[index].push(key.to_owned());
        } else if self.queues[index].due.get(key) != Some(&due) {
            self.unschedule(index, key);
            self.queues[index].due.insert(key.to_owned(), due);
            self.timers.entry(due).or_default().insert((index, key.to_owned()));
        }
    }

    fn unschedule(&mut self, index: usize, key: &str) {
        let Some(due) = self.queues[index].due.remove(key) else { return };
        if let Some(keys) = self.timers.get_mut(&due) {
            keys.remove(&(index, key.to_owned()));
            if keys.is_empty() {
                self.timers.remove(&due);
            }
        }
    }

    fn fire(&mut self, now: Timestamp) {
        let later = self.timers.split_off(&now);
        let mut due = std::mem::replace(&mut self.timers, later);
        if let Some(keys) = self.timers.remove(&now) {
            due.insert(now, keys);
        }
        for (index, key) in due.into_values().flatten() {
            self.queues[index].due.remove(&key);
            self.queues[index].push(key);
        }
    }

    fn distribute(&mut self, changes: &[Change]) {
        let mut keys = Vec::new();
        for change in changes {
            for (controller, queue) in self.controllers.iter_mut().zip(&mut self.queues) {
                controller.keys(change, &mut keys);
                for key in keys.drain(..) {
                    queue.push(key);
                }
            }
        }
    }

    /// Presents everything that is there as created, and watches from then on.
    fn start_over(&mut self, ledger: &Ledger) -> Watch {
        loop {
            let (revision, rows) = everything(ledger);
            if let Ok(watch) = ledger.watch_all(revision) {
                self.distribute(&rows);
                return watch;
            }
        }
    }
}

fn everything(ledger: &Ledger) -> (Revision, Vec<Change>) {
    let snapshot = ledger.snapshot();
    let rows = snapshot.tables.into_iter().flat_map(|(table, rows)| {
        let table: Arc<str> = table.into();
        rows.into_iter().map(move |(key, row)| Change {
            revision: row.modified,
            table: table.clone(),
            key: key.into(),
            before: None,
            after: Some(row),
        })
    });
    (snapshot.revision, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sooner_of_two_moments_counts() {
        let (one, two) = (Next::At(Timestamp::UNIX_EPOCH), Next::At(Timestamp::MAX));
        assert_eq!(one.sooner(two), one);
        assert_eq!(Next::Done.sooner(two), two);
        assert_eq!(one.sooner(Next::Done), one);
    }
}
