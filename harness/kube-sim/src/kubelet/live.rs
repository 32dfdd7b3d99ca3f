//! The containers that run at this moment, for those who want something of one from outside of the kubelet's loop: a
//! command in it, a connection to one of its ports.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;

/// What stands behind a running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Backing {
    /// A child process with this environment and this root.
    Process {
        /// The whole environment; nothing is inherited.
        env: Vec<(String, String)>,
        /// Where it starts, and where its mounts appear.
        dir: PathBuf,
        /// Container ports, and the ports of this machine that stand for them.
        ports: Vec<(u16, u16)>,
    },
    /// A script: there is nothing to run a command in.
    Script,
}

/// A running container.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) backing: Backing,
    /// Process groups of the commands that run in it.
    commands: Commands,
    gone: watch::Receiver<()>,
}

/// The process groups of a container's commands, by number. They end with the container at the latest.
#[derive(Debug, Clone, Default)]
pub(super) struct Commands(Arc<Mutex<BTreeSet<i32>>>);

impl Commands {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, group: Pid) {
        self.lock().insert(group.as_raw_nonzero().get());
    }

    /// Kills a group that is still known. After this its number may belong to somebody else.
    pub(super) fn end(&self, group: Pid) {
        if self.lock().remove(&group.as_raw_nonzero().get()) {
            // It may have ended by itself, which is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn end_all(&self) {
        let groups: Vec<_> = self.lock().iter().filter_map(|group| Pid::from_raw(*group)).collect();
        groups.into_iter().for_each(|group| self.end(group));
    }
}

impl Live {
    /// A container that nobody registered, for as long as the sender lives.
    pub(crate) fn new(backing: Backing) -> (Self, watch::Sender<()>) {
        let (sender, gone) = watch::channel(());
        (Self { backing, commands: Commands::default(), gone }, sender)
    }

    /// The port of this machine that stands for a container's port.
    pub(crate) fn port(&self, wanted: u16) -> Option<u16> {
        let Backing::Process { ports, .. } = &self.backing else { return None };
        ports.iter().find(|(own, _)| *own == wanted).map(|(_, here)| *here)
    }

    /// The commands that run in it.
    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Waits until the container has ended.
    pub(crate) async fn ended(&mut self) {
        // Nothing is ever sent: a change is the end of the sender.
        while self.gone.changed().await.is_ok() {}
    }
}

type Key = (String, String);
type Table = HashMap<Key, Live>;

/// The running containers of a cluster. Cheap to clone; clones share the content.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveContainers(Arc<Mutex<Table>>);

/// Keeps a container registered. When dropped, the container has ended.
#[derive(Debug)]
pub(crate) struct Registration {
    table: LiveContainers,
    key: Key,
    live: Live,
    sender: watch::Sender<()>,
}

impl LiveContainers {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers the container `name` of the pod with this uid.
    pub(crate) fn register(&self, uid: &str, name: &str, backing: Backing) -> Registration {
        let (live, sender) = Live::new(backing);
        let key = (uid.to_owned(), name.to_owned());
        self.lock().insert(key.clone(), live.clone());
        Registration { table: self.clone(), key, live, sender }
    }

    /// The running containers of the pod with this uid.
    pub(crate) fn of_pod(&self, uid: &str) -> Vec<Live> {
        self.lock().iter().filter(|((pod, _), _)| pod == uid).map(|(_, live)| live.clone()).collect()
    }

    /// The container, if it runs.
    pub(crate) fn find(&self, uid: &str, name: &str) -> Option<Live> {
        self.lock().get(&(uid.to_owned(), name.to_owned())).cloned()
    }
}

impl Registration {
    /// What is registered.
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.live.commands.end_all();
        let mut table = self.table.lock();
        // A successor may have taken the place already.
        let own = table.get(&self.key).is_some_and(|live| self.sender.subscribe().same_channel(&live.gone));
        if own {
            table.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_container_is_found_while_it_is_registered_and_its_end_is_told() {
        let table = LiveContainers::default();
        let first = table.register("u", "c", Backing::Script);
        let mut live = table.find("u", "c").unwrap();
        let second = table.register("u", "c", Backing::Script);
        drop(first);
        live.ended().await;
        assert!(table.find("u", "c").is_some(), "the successor stays");
        drop(second);
        assert!(table.find("u", "c").is_none());
    }
}
