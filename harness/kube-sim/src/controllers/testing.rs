//! A cluster without a server, for tests: the API with all controllers, scheduler and kubelet behind it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sim_core::clock::{Clock, Mode};
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::KeySource;
use sim_core::seed::Seed;

use super::{Controllers, ControllersConfig};
use crate::api::{Api, Caller, DeleteOptions, Sub, WriteOptions};
use crate::auth::TokenService;
use crate::kubelet::live::LiveContainers;
use crate::kubelet::{ContainerImage, KubeletConfig, Logs, NodeSpec, Workload};
use crate::registry::Kind;

/// The image whose containers run `/bin/sh -c` with their first argument.
pub(crate) const SHELL: &str = "shell:1";

/// A running control plane on a clock that only the test moves.
pub(crate) struct TestCluster {
    pub(crate) api: Api,
    pub(crate) clock: Clock,
    pub(crate) faults: FaultSet,
    pub(crate) logs: Logs,
    pub(crate) controllers: Controllers,
    pub(crate) work_dir: PathBuf,
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        // Best effort: a test that failed half-way leaves nothing behind either.
        let _ = std::fs::remove_dir_all(&self.work_dir);
    }
}

fn shell(image: &ContainerImage) -> Option<Workload> {
    (image.image == SHELL).then(|| Workload::Process {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), image.args.first().cloned().unwrap_or_default()],
        env: vec![("FROM_IMAGE".into(), "1".into())],
    })
}

impl TestCluster {
    /// A cluster of one node. `name` tells the tests' files apart.
    pub(crate) async fn start(name: &str) -> Self {
        Self::start_with(name, vec![NodeSpec::default()]).await
    }

    /// A cluster of these nodes.
    pub(crate) async fn start_with(name: &str, nodes: Vec<NodeSpec>) -> Self {
        let clock = Clock::new(Mode::Manual, "2030-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        let journal = Journal::new(clock.clone());
        let seed = Seed::new(1);
        let faults = FaultSet::new(seed, clock.clone(), journal.clone());
        let api = Api::new(name, clock.clone(), journal, seed);
        crate::bootstrap::fill(&api, ([127, 0, 0, 1], 6443).into(), "CA").unwrap();
        let tokens = TokenService::new(api.clone(), KeySource::fresh(), name);
        let logs = Logs::new(clock.clone());
        let work_dir = std::env::temp_dir().join(format!("kube-sim-{name}-{}", std::process::id()));
        let kubelet = KubeletConfig {
            images: Arc::new(shell),
            nodes,
            pod_env: vec![("DRYARC_TEST".into(), "yes".into())],
            work_dir: work_dir.clone(),
            tokens,
            faults: faults.clone(),
            cluster: name.into(),
        };
        let config = ControllersConfig {
            kubelet,
            ca_pem: "CA".into(),
            logs: logs.clone(),
            live: LiveContainers::default(),
        };
        let controllers = Controllers::start(&api, config).unwrap();
        clock.quiet().await;
        Self { api, clock, faults, logs, controllers, work_dir }
    }

    fn kind(&self, kind: &str) -> Arc<Kind> {
        let groups = [
            "",
            "apps",
            "batch",
            "discovery.k8s.io",
            "coordination.k8s.io",
            "policy",
            "apiextensions.k8s.io",
            "example.com",
        ];
        groups.iter().find_map(|group| self.api.registry().by_kind(group, kind)).unwrap()
    }

    fn user() -> Caller {
        Caller::controller("test")
    }

    pub(crate) fn create(&self, object: Value) -> Value {
        let kind = self.api.registry().of(&object).unwrap();
        let namespace =
            kind.namespaced.then(|| object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned());
        self.api.create(&Self::user(), &kind, namespace.as_deref(), object, &WriteOptions::default()).unwrap()
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let kind = self.kind(kind);
        self.api.get(&kind, kind.namespaced.then_some("default"), name).ok()
    }

    /// All objects of a kind in a namespace.
    pub(crate) fn list(&self, kind: &str, namespace: &str) -> Vec<Value> {
        self.api.list(&self.kind(kind), Some(namespace), &crate::api::Selection::default()).unwrap().items
    }

    pub(crate) fn edit(&self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let kind = self.kind(kind);
        let namespace = kind.namespaced.then_some("default");
        self.api
            .modify(&Self::user(), &kind, Sub::Main, namespace, name, |object| {
                change(object);
                true
            })
            .unwrap();
    }

    pub(crate) fn delete(&self, kind: &str, name: &str, options: &DeleteOptions) {
        let kind = self.kind(kind);
        let namespace = kind.namespaced.then_some("default");
        self.api.delete(&Self::user(), &kind, namespace, name, options).unwrap();
    }

    /// Waits, in wall time, until `holds`; the state at the end is the failure's message.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut watch = self.api.ledger().watch_all(self.api.ledger().revision()).unwrap();
        let waiting = async {
            while !holds(self) {
                watch.next().await.unwrap();
            }
        };
        if self.clock.wall_timeout(Duration::from_secs(20), waiting).await.is_err() {
            let pods = self.list("Pod", "default");
            panic!("{what} did not come true; pods: {}", serde_json::to_string_pretty(&pods).unwrap());
        }
    }

    /// Moves the clock and waits for quiet.
    pub(crate) async fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds)).await;
    }

    /// The messages of all events with this reason.
    pub(crate) fn events(&self, reason: &str) -> Vec<String> {
        let events = self.list("Event", "default").into_iter();
        let wanted = events.filter(|event| event["reason"] == json!(reason));
        wanted.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// A Deployment of one container.
pub(crate) fn deployment(name: &str, replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        },
    })
}

/// A pod of one shell container.
pub(crate) fn shell_pod(name: &str, script: &str, policy: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"restartPolicy": policy, "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "c", "image": SHELL, "args": [script]}]},
    })
}

/// The state of a pod's first container: `running`, `waiting/Reason`, `terminated/code`.
pub(crate) fn state(pod: &Value) -> String {
    let state = &pod["status"]["containerStatuses"][0]["state"];
    if let Some(waiting) = state.get("waiting") {
        return format!("waiting/{}", waiting["reason"].as_str().unwrap_or_default());
    }
    match state.get("terminated") {
        Some(ended) => format!("terminated/{}", ended["exitCode"]),
        None if state.get("running").is_some() => "running".to_owned(),
        None => String::new(),
    }
}
