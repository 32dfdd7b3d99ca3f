//! The kubelet: pods become child processes and scripted containers.
//!
//! One controller plays the kubelet of every node of the cluster. It is level-triggered: a look at a pod compares what
//! the object asks for with what runs, does the next step, and writes the status. Processes, probes and clocks only
//! make it look again.
//!
//! What a process finds in its environment, beside what its pod states: `DRYARC_ROOT` (the directory under which its
//! mounts appear), `DRYARC_PORT_n` (the free port of this machine that stands for container port n, for every stated and
//! every probed port) and [`PARENT_PIPE`]. Pod addresses are those of a simulated network that nothing routes.
//!
//! Not modelled, and said so by a waiting reason: volume types other than `configMap`, `secret`, `emptyDir`, `projected`,
//! `downwardAPI`, `persistentVolumeClaim` and `hostPath`. Not modelled and without effect: security contexts, resource
//! limits, ephemeral containers, and probes and hooks of scripted containers.

mod backoff;
pub(crate) mod command;
mod config;
mod container;
mod env;
mod expand;
mod fields;
mod hooks;
mod http;
mod image;
pub(crate) mod live;
mod logs;
mod node;
mod pod;
mod probes;
mod process;
mod profile;
mod start;
mod status;
mod sync;
mod task;
#[cfg(test)]
mod tests;
mod volumes;
mod workload;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;
use sim_core::journal::Entry;
use sim_core::ledger::Change;
use sim_core::seed::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::container::{Notice, Teller};
use self::live::LiveContainers;
use self::pod::{Worker, container_reference};
use self::volumes::Volumes;
use crate::controllers::events::{Level, Recorder};
use crate::controllers::manager::{Controller, Next, Nudger};
use crate::controllers::objects::{condition, deleting, name, namespace, split, text, uid};
use crate::controllers::pods::is_finished;
use crate::controllers::store::Store;
use crate::status::Status;

pub use self::config::{KubeletConfig, NodeSpec};
pub use self::logs::{LIFE_LIMIT, LogError, LogOptions, Logs};
pub(crate) use self::node::Nodes;
pub use self::process::PARENT_PIPE;
pub use self::profile::{NodeGroup, check_nodes, nodes, parse_nodes};
pub use self::task::{Task, TaskContext, TaskOutput};
pub use self::workload::{
    ContainerImage, ImageResolver, LIFE_ANNOTATION, Script, Workload, parse_program, programs,
};

/// The search path of a container whose image sets none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The key under which all volumes are brought up to date; no pod is called so.
const ALL_VOLUMES: &str = "*";

/// How often tokens are looked at for renewal, in wall time.
const TOKEN_ROUND: Duration = Duration::from_secs(240);

/// What a kubelet remembers about its node.
#[derive(Debug, Default)]
struct NodeMemory {
    /// Images pulled so far.
    images: BTreeSet<String>,
    /// Last parts of the pod addresses in use.
    addresses: BTreeSet<u8>,
}

/// The kubelets of all nodes.
#[derive(Debug)]
pub(crate) struct Kubelet {
    store: Store,
    config: KubeletConfig,
    events: Recorder,
    logs: Logs,
    live: LiveContainers,
    nudger: Nudger,
    notices: (mpsc::UnboundedSender<Notice>, mpsc::UnboundedReceiver<Notice>),
    /// By key.
    workers: HashMap<String, Worker>,
    nodes: Vec<NodeMemory>,
    ids: Stream,
    renewal: JoinHandle<()>,
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.renewal.abort();
        // Kills what runs before its files go.
        for (_, worker) in self.workers.drain() {
            let Worker { containers, volumes, .. } = worker;
            drop(containers);
            volumes.remove();
        }
    }
}

impl Kubelet {
    /// The kubelets of the nodes in `config`. Must be called within a tokio runtime.
    pub(crate) fn new(
        store: &Store,
        config: KubeletConfig,
        (logs, live): (Logs, LiveContainers),
        nudger: Nudger,
    ) -> Self {
        let store = store.named("kubelet");
        let events = Recorder::new(&store, "kubelet");
        let ids = store.api().seed().stream(&format!("kube/{}/containers", config.cluster));
        let nodes = config.nodes.iter().map(|_| NodeMemory::default()).collect();
        let (clock, renewer, tokens) = (store.clock().clone(), nudger.clone(), config.tokens.clone());
        let renewal = tokio::spawn(async move {
            // The world waits for the signing key, without which no pod with a token starts.
            let busy = clock.busy();
            if let Err(error) = tokens.ready().await {
                tracing::error!(%error, "service account tokens cannot be issued");
            }
            renewer.nudge(ALL_VOLUMES, busy);
            loop {
                clock.wall_sleep(TOKEN_ROUND).await;
                renewer.nudge(ALL_VOLUMES, clock.busy());
            }
        });
        let notices = mpsc::unbounded_channel();
        Self {
            store,
            config,
            events,
            logs,
            live,
            nudger,
            notices,
            workers: HashMap::new(),
            nodes,
            ids,
            renewal,
        }
    }

    fn teller(&self, worker: &Worker, container: &str, life: u64) -> Teller {
        Teller {
            notices: self.notices.0.clone(),
            nudger: self.nudger.clone(),
            pod_key: worker.key.clone(),
            pod_uid: worker.uid.clone(),
            container: container.to_owned(),
            life,
        }
    }

    fn container_id(&self) -> String {
        let mut bytes = [0; 32];
        self.ids.fill(&mut bytes);
        image::hex(&bytes)
    }

    fn container_event(
        &mut self,
        pod: &Value,
        spec: &Value,
        level: Level,
        reason: &'static str,
        message: &str,
    ) {
        let involved = container_reference(pod, text(spec, "/name"));
        self.events.event_at(involved, level, reason, message, Some(text(pod, "/spec/nodeName")));
    }

    fn pod_event(&mut self, pod: &Value, level: Level, reason: &'static str, message: &str) {
        let involved = crate::controllers::store::reference(&self.store.kinds().pods, pod);
        self.events.event_at(involved, level, reason, message, Some(text(pod, "/spec/nodeName")));
    }

    fn journal(&self, pod: &Value, container: &str, kind: &'static str) {
        let entry = Entry::new(format!("kubelet/{}", text(pod, "/spec/nodeName")), kind)
            .fact("cluster", self.config.cluster.as_str())
            .fact("namespace", namespace(pod))
            .fact("pod", name(pod))
            .fact("container", container);
        self.store.api().journal().record(entry);
    }

    fn new_worker(&self, pod: &Value, key: &str, node: usize) -> Worker {
        let base = self.config.work_dir.as_path();
        let dir = base.join("pods").join(uid(pod).replace('/', "-"));
        let node_dir = base.join("nodes").join(text(pod, "/spec/nodeName"));
        let volumes = Volumes::new(dir, node_dir);
        Worker::new(pod, key, node, &node::address(node), volumes, self.store.now())
    }

    /// Ends what is left of a pod at once.
    fn forget(&mut self, key: &str) {
        let Some(worker) = self.workers.remove(key) else { return };
        if let (Some(node), Some(ip)) = (self.nodes.get_mut(worker.node), &worker.ip)
            && let Some(last) = ip.rsplit('.').next().and_then(|last| last.parse().ok())
        {
            node.addresses.remove(&last);
        }
        let Worker { containers, volumes, uid, .. } = worker;
        drop(containers);
        volumes.remove();
        self.logs.forget(&uid);
    }

    fn look_at(&mut self, key: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().pods.clone();
        let pod = self.store.get(&kind, key);
        let same = |worker: &Worker| pod.as_ref().is_some_and(|pod| uid(pod) == worker.uid);
        if self.workers.get(key).is_some_and(|worker| !same(worker)) {
            self.forget(key);
        }
        let Some(pod) = pod else { return Ok(Next::Done) };
        let bound = text(&pod, "/spec/nodeName");
        let Some(node) = self.config.nodes.iter().position(|node| node.name == bound) else {
            return Ok(Next::Done);
        };
        if self.is_lost(bound) {
            return Ok(Next::Done);
        }
        let mut worker = match self.workers.remove(key) {
            Some(worker) => worker,
            None if is_finished(&pod) => {
                if deleting(&pod) {
                    self.store.delete_now(&kind, &pod)?;
                }
                return Ok(Next::Done);
            }
            None => self.new_worker(&pod, key, node),
        };
        let next = self.sync(&pod, &mut worker);
        let over = worker.terminating && worker.all_ended();
        let reported = self.report(key, &worker);
        self.workers.insert(key.to_owned(), worker);
        reported?;
        if over {
            self.store.delete_now(&kind, &pod)?;
            self.forget(key);
            return Ok(Next::Done);
        }
        Ok(next)
    }

    /// Whether the control plane does not hear of a node; nor does the node hear of its pods then.
    fn is_lost(&self, node: &str) -> bool {
        let node = self.store.get(&self.store.kinds().nodes, node);
        let ready = node.as_ref().and_then(|node| condition(node, "Ready"));
        ready.is_some_and(|ready| text(ready, "/status") == "Unknown")
    }

    fn report(&self, key: &str, worker: &Worker) -> Result<(), Status> {
        let kind = &self.store.kinds().pods;
        let now = self.store.now();
        let written = self.store.modify(kind, crate::api::Sub::Status, key, |pod| {
            let status = status::pod_status(pod, worker, now);
            let changed = pod["status"] != status;
            pod["status"] = status;
            changed
        });
        match written {
            Err(status) if !status.is_not_found() => Err(status),
            _ => Ok(()),
        }
    }
}

impl Controller for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.pods.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.nodes.table() {
            let ready = |row: &Option<sim_core::ledger::Row>| {
                let ready = row.as_ref().and_then(|row| condition(&row.value, "Ready"));
                ready.map(|ready| text(ready, "/status").to_owned())
            };
            if ready(&change.before) != ready(&change.after) {
                let pods = self.store.list(&kinds.pods, "");
                let here = pods.iter().filter(|pod| text(pod, "/spec/nodeName") == &*change.key);
                keys.extend(here.map(|pod| crate::controllers::objects::key(pod)));
            }
        } else if *change.table == *kinds.config_maps.table() || *change.table == *kinds.secrets.table() {
            let (space, name) = split(&change.key);
            for worker in
                self.workers.values_mut().filter(|worker| worker.mentions(space, &change.table, name))
            {
                worker.stale = true;
                keys.push(worker.key.clone());
            }
            // The workers are a hash map; the order of looks must not depend on it.
            keys.sort_unstable();
        }
    }

    fn reconcile(&mut self, key: &str) -> Result<Next, Status> {
        self.take_notices();
        if key == ALL_VOLUMES {
            let mut keys: Vec<_> = self.workers.keys().cloned().collect();
            keys.sort_unstable();
            for key in keys {
                if let Some(worker) = self.workers.get_mut(&key) {
                    worker.stale = true;
                }
                self.nudger.nudge(&key, self.store.clock().busy());
            }
            return Ok(Next::Done);
        }
        self.look_at(key)
    }
}
