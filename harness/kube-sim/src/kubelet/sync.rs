//! One look at a pod: the next step towards what the object asks for.

use jiff::Timestamp;
use serde_json::Value;

use super::Kubelet;
use super::container::{Container, Note, Notice, State};
use super::hooks::Moment;
use super::logs::Logs;
use super::pod::{Worker, grace};
use super::probes::{Failure, Outcome};
use super::process::Exit;
use super::status::is_sidecar;
use super::volumes::{NO_TOKEN_YET, Sources, below};
use crate::controllers::events::Level;
use crate::controllers::manager::Next;
use crate::controllers::objects::{after, deleting, list, name, namespace, number, text, time, uid};
use crate::controllers::pods::is_finished;

/// How much of a termination message is kept.
const MESSAGE_LIMIT: usize = 4096;

/// How much of the log serves as termination message.
const LOG_MESSAGE_LIMIT: usize = 2048;

impl Kubelet {
    /// Takes in what happened to processes and probes since the last look.
    pub(super) fn take_notices(&mut self) {
        while let Ok(notice) = self.notices.1.try_recv() {
            let key = self.workers.values().find(|worker| worker.uid == notice.pod_uid);
            let Some(key) = key.map(|worker| worker.key.clone()) else { continue };
            let Some(mut worker) = self.workers.remove(&key) else { continue };
            self.take_notice(&mut worker, &notice);
            self.workers.insert(key, worker);
        }
    }

    fn take_notice(&mut self, worker: &mut Worker, notice: &Notice) {
        let now = self.store.now();
        let dir = worker.volumes.dir().to_path_buf();
        let Some(container) = worker.containers.get_mut(&notice.container) else { return };
        if container.run().is_none_or(|run| run.life != notice.life) {
            return;
        }
        let pod = self.store.get(&self.store.kinds().pods.clone(), &worker.key);
        match &notice.note {
            Note::Exited(exit) => {
                let root = below(&dir.join("containers"), &notice.container);
                let message = pod.as_ref().and_then(|pod| {
                    let spec = spec_of(pod, &notice.container)?;
                    Some(termination_message(&self.logs, &worker.uid, spec, &root?, *exit))
                });
                container.end(*exit, now, message.unwrap_or_default());
                if let Some(pod) = pod {
                    self.journal(&pod, &notice.container, "container ended");
                }
            }
            Note::Probed(outcome) => {
                let restart = container.probed(outcome);
                if let Some(pod) = pod.filter(|pod| !deleting(pod)) {
                    self.report_probe(&pod, container, &notice.container, outcome, restart, now);
                }
            }
            Note::Hooked(moment, failure) => {
                if let Some(pod) = pod {
                    self.report_hook(&pod, container, &notice.container, *moment, failure.as_deref(), now);
                }
            }
        }
    }

    fn report_probe(
        &mut self,
        pod: &Value,
        container: &mut Container,
        title: &str,
        outcome: &Outcome,
        restart: bool,
        now: Timestamp,
    ) {
        let Some(spec) = spec_of(pod, title) else { return };
        let kind = outcome.kind.title();
        if let Some(failure) = &outcome.failure {
            let message = match failure {
                Failure::Failed(why) => format!("{kind} probe failed: {why}"),
                Failure::Errored(why) => {
                    format!("{kind} probe errored and resulted in unknown state: {why}")
                }
            };
            self.container_event(pod, spec, Level::Warning, "Unhealthy", &message);
        }
        if restart && container.stop(after(now, grace(pod)), now) {
            let message =
                format!("Container {title} failed {} probe, will be restarted", kind.to_lowercase());
            self.container_event(pod, spec, Level::Normal, "Killing", &message);
        }
    }

    fn report_hook(
        &mut self,
        pod: &Value,
        container: &mut Container,
        title: &str,
        moment: Moment,
        failure: Option<&str>,
        now: Timestamp,
    ) {
        let Some(spec) = spec_of(pod, title) else { return };
        if let Some(failure) = failure {
            tracing::debug!(container = title, failure, "a hook failed");
        }
        match (moment, failure) {
            (Moment::PreStop, failure) => {
                if failure.is_some() {
                    self.container_event(
                        pod,
                        spec,
                        Level::Warning,
                        "FailedPreStopHook",
                        "PreStopHook failed",
                    );
                }
                container.stop_after_hook(now);
            }
            (Moment::PostStart, None) => {
                if let Some(run) = container.run_mut() {
                    run.started_up = true;
                }
            }
            (Moment::PostStart, Some(_)) => {
                self.container_event(
                    pod,
                    spec,
                    Level::Warning,
                    "FailedPostStartHook",
                    "PostStartHook failed",
                );
                if container.stop(after(now, grace(pod)), now) {
                    self.container_event(pod, spec, Level::Normal, "Killing", "FailedPostStartHook");
                }
            }
        }
    }

    /// One step for one pod; says when to look again without a change.
    pub(super) fn sync(&mut self, pod: &Value, worker: &mut Worker) -> Next {
        let now = self.store.now();
        if deleting(pod) {
            worker.terminating = true;
            let deadline = time(pod, "/metadata/deletionTimestamp").unwrap_or(now);
            return self.stop_all(pod, worker, deadline, "Stopping container");
        }
        if is_finished(pod) {
            return Next::Done;
        }
        let limit = number(pod, "/spec/activeDeadlineSeconds").map(|seconds| after(worker.started, seconds));
        if limit.is_some_and(|limit| limit <= now) && worker.failed.is_none() {
            let message = "Pod was active on the node longer than the specified deadline";
            worker.failed = Some(("DeadlineExceeded".into(), message.into()));
            self.pod_event(pod, Level::Normal, "DeadlineExceeded", message);
        }
        if worker.failed.is_some() {
            return self.stop_all(pod, worker, after(now, grace(pod)), "Stopping container");
        }
        let next = Next::at(limit);
        if !self.mount(pod, worker) {
            return next;
        }
        if worker.ip.is_none() {
            worker.ip = self.assign_address(pod, worker);
        }
        next.sooner(self.sync_containers(pod, worker))
    }

    fn sync_containers(&mut self, pod: &Value, worker: &mut Worker) -> Next {
        let mut next = Next::Done;
        for spec in list(pod, "/spec/initContainers") {
            next = next.sooner(self.sync_container(pod, spec, worker));
            let container = worker.containers.get(text(spec, "/name"));
            let passed = container.is_some_and(|container| {
                if is_sidecar(spec) {
                    container.run().is_some_and(|run| run.startup_passed)
                } else {
                    container.ended().is_some_and(|ended| ended.code == 0)
                }
            });
            if !passed {
                return next;
            }
        }
        for spec in list(pod, "/spec/containers") {
            next = next.sooner(self.sync_container(pod, spec, worker));
        }
        next
    }

    fn sync_container(&mut self, pod: &Value, spec: &Value, worker: &mut Worker) -> Next {
        let title = text(spec, "/name");
        let Some(slot) = worker.containers.get_mut(title) else { return Next::Done };
        let mut container = std::mem::replace(slot, Container::waiting("", 0));
        let next = self.step(pod, spec, worker, &mut container);
        worker.containers.insert(title.to_owned(), container);
        next
    }

    fn step(&mut self, pod: &Value, spec: &Value, worker: &Worker, container: &mut Container) -> Next {
        let now = self.store.now();
        let next = container.tick(now);
        if container.run().is_some() {
            return next;
        }
        if let Some(ended) = container.ended() {
            if !restarts(pod, spec, ended.code) {
                return Next::Done;
            }
            let ended = ended.clone();
            let due = container.crash.due(ended.finished);
            container.last = Some(ended);
            if now < due {
                self.crash_loop(pod, spec, container);
                return Next::At(due);
            }
        } else if let Some(last) = &container.last
            && matches!(&container.state, State::Waiting { reason, .. } if reason == "CrashLoopBackOff")
        {
            let due = container.crash.due(last.finished);
            if now < due {
                return Next::At(due);
            }
        }
        if let Some(last) = &container.last
            && !matches!(&container.state, State::Waiting { reason, .. } if reason != "CrashLoopBackOff")
        {
            container.crash.attempt(last.finished, now);
        }
        self.start(pod, spec, worker, container)
    }

    fn crash_loop(&mut self, pod: &Value, spec: &Value, container: &mut Container) {
        let Some(last) = &container.last else { return };
        let wait = container.crash.wait(last.finished).unwrap_or_default();
        let (title, place) = (text(spec, "/name"), format!("{}_{}({})", name(pod), namespace(pod), uid(pod)));
        let wait = shown(wait.as_secs());
        container.wait(
            "CrashLoopBackOff",
            format!("back-off {wait} restarting failed container={title} pod={place}"),
        );
        let message = format!("Back-off restarting failed container {title} in pod {place}");
        self.container_event(pod, spec, Level::Warning, "BackOff", &message);
    }

    fn stop_all(&mut self, pod: &Value, worker: &mut Worker, deadline: Timestamp, word: &str) -> Next {
        let now = self.store.now();
        let mut next = Next::Done;
        let titles: Vec<String> = worker.containers.keys().cloned().collect();
        for title in titles {
            let Some(container) = worker.containers.get_mut(&title) else { continue };
            if container.stop(deadline, now)
                && let Some(spec) = spec_of(pod, &title)
            {
                self.container_event(pod, spec, Level::Normal, "Killing", &format!("{word} {title}"));
            }
            next = next.sooner(container.tick(now));
        }
        next
    }

    /// Makes the pod's volumes, or brings them up to date. False while something is missing.
    fn mount(&mut self, pod: &Value, worker: &mut Worker) -> bool {
        if worker.mounted && !worker.stale {
            return true;
        }
        let mut volumes = std::mem::replace(&mut worker.volumes, super::Volumes::new("".into(), "".into()));
        let sources =
            Sources { store: &self.store, tokens: &self.config.tokens, facts: self.facts(pod, worker) };
        let refreshed = volumes.refresh(sources);
        worker.volumes = volumes;
        worker.stale = false;
        match refreshed {
            Ok(()) => {
                worker.mounted = true;
                worker.mount_error = None;
                true
            }
            Err(error) => {
                let message =
                    format!("MountVolume.SetUp failed for volume \"{}\" : {}", error.volume, error.message);
                if worker.mount_error.as_ref() != Some(&message) && error.message != NO_TOKEN_YET {
                    self.pod_event(pod, Level::Warning, "FailedMount", &message);
                    worker.mount_error = Some(message);
                }
                worker.mounted
            }
        }
    }

    /// An address of the node's part of the pod network (a /24 of 10.244.0.0/16), or the node's own.
    fn assign_address(&mut self, pod: &Value, worker: &Worker) -> Option<String> {
        if pod.pointer("/spec/hostNetwork") == Some(&Value::Bool(true)) {
            return Some(worker.host_ip.clone());
        }
        let node = self.nodes.get_mut(worker.node)?;
        let free = (2..=254).find(|last| !node.addresses.contains(last))?;
        node.addresses.insert(free);
        Some(format!("10.244.{}.{free}", worker.node % 256))
    }
}

fn spec_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let fields = ["containers", "initContainers"];
    let mut specs = fields.iter().flat_map(|field| list(pod, &format!("/spec/{field}")));
    specs.find(|spec| text(spec, "/name") == container)
}

/// Whether a container that ended with `code` is started again.
fn restarts(pod: &Value, spec: &Value, code: i32) -> bool {
    let init = list(pod, "/spec/initContainers").iter().any(|init| init["name"] == spec["name"]);
    match (text(pod, "/spec/restartPolicy"), init) {
        _ if is_sidecar(spec) => true,
        ("Never", _) => false,
        ("OnFailure", _) | (_, true) => code != 0,
        _ => true,
    }
}

/// A wait as Go shows a duration of whole seconds: `10s`, `1m20s`, `5m0s`.
fn shown(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

/// What a container left in its termination file, or, when it asked for that and failed, at the end of its log.
fn termination_message(logs: &Logs, uid: &str, spec: &Value, root: &std::path::Path, exit: Exit) -> String {
    let path = match text(spec, "/terminationMessagePath") {
        "" => "/dev/termination-log",
        path => path,
    };
    let written = below(root, path).and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
    let written = String::from_utf8_lossy(&written[..written.len().min(MESSAGE_LIMIT)]).into_owned();
    if written.is_empty()
        && exit.code != 0
        && text(spec, "/terminationMessagePolicy") == "FallbackToLogsOnError"
    {
        return logs.tail(uid, text(spec, "/name"), LOG_MESSAGE_LIMIT);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_restart_policy_decides() {
        let pod =
            |policy: &str| json!({"spec": {"restartPolicy": policy, "initContainers": [{"name": "i"}]}});
        let (app, init) = (json!({"name": "c"}), json!({"name": "i"}));
        assert!(restarts(&pod("Always"), &app, 0));
        assert!(!restarts(&pod("Always"), &init, 0));
        assert!(restarts(&pod("Always"), &init, 1));
        assert!(!restarts(&pod("OnFailure"), &app, 0));
        assert!(!restarts(&pod("Never"), &app, 1));
        assert_eq!(shown(80), "1m20s");
    }
}
