//! Events as controllers and the kubelet report them: one object per thing that happens, counted when it repeats.

use std::collections::HashMap;

use serde_json::{Value, json};
use sim_core::seed::Stream;

use super::objects::{join, namespace, stamp};
use super::store::{Store, reference};
use crate::api::Sub;
use crate::registry::Kind;

/// How many distinct events are remembered for counting; older ones start anew.
const REMEMBERED: usize = 4096;

/// `Normal` or `Warning`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    Normal,
    Warning,
}

/// Reports events under one component's name. An event that cannot be written is lost, as in a real cluster.
#[derive(Debug)]
pub(crate) struct Recorder {
    store: Store,
    component: &'static str,
    names: Stream,
    known: HashMap<(String, &'static str, String), String>,
}

impl Recorder {
    /// A recorder for `component`.
    pub(crate) fn new(store: &Store, component: &'static str) -> Self {
        let names = store.api().seed().stream(&format!("kube/events/{component}"));
        Self { store: store.clone(), component, names, known: HashMap::new() }
    }

    /// Reports that something happened to `object`.
    pub(crate) fn event(
        &mut self,
        kind: &Kind,
        object: &Value,
        level: Level,
        reason: &'static str,
        message: &str,
    ) {
        self.event_at(reference(kind, object), level, reason, message, None);
    }

    /// As [`Recorder::event`], about a part of the object, reported by the node `host`.
    pub(crate) fn event_at(
        &mut self,
        involved: Value,
        level: Level,
        reason: &'static str,
        message: &str,
        host: Option<&str>,
    ) {
        let uid = involved["uid"].as_str().unwrap_or_default();
        let path = involved["fieldPath"].as_str().unwrap_or_default();
        let identity = (format!("{uid}{path}"), reason, message.to_owned());
        let now = stamp(self.store.now());
        if let Some(key) = self.known.get(&identity) {
            let repeated = self.store.modify(&self.store.kinds().events, Sub::Main, key, |event| {
                event["count"] = json!(event["count"].as_i64().unwrap_or(1) + 1);
                event["lastTimestamp"] = json!(now);
                true
            });
            if repeated.is_ok() {
                return;
            }
        }
        let space = match namespace(&json!({"metadata": {"namespace": involved["namespace"]}})) {
            "" => "default".to_owned(),
            space => space.to_owned(),
        };
        let name =
            format!("{}.{:016x}", involved["name"].as_str().unwrap_or_default(), self.names.next_u64());
        let mut source = json!({"component": self.component});
        if let Some(host) = host {
            source["host"] = json!(host);
        }
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": space},
            "involvedObject": involved, "reason": reason, "message": message, "source": source,
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
            "type": match level { Level::Normal => "Normal", Level::Warning => "Warning" },
            "eventTime": null, "reportingComponent": self.component,
            "reportingInstance": host.unwrap_or_default(),
        });
        let key = join(&space, &name);
        match self.store.create(&self.store.kinds().events, &space, event) {
            Ok(_) => {
                if self.known.len() >= REMEMBERED {
                    self.known.clear();
                }
                self.known.insert(identity, key);
            }
            Err(error) => tracing::debug!(%error, reason, "an event was lost"),
        }
    }
}
