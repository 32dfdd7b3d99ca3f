//! Starting a container: faults, image, environment, mounts, process or script.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use sim_core::faults::{Effect, Hook};
use tokio::task::JoinSet;

use super::container::{
    Body, Container, Ended, Run, State, Teller, Watch, later, start_hook, start_probes, start_process,
};
use super::env::{self, Env};
use super::expand::expand;
use super::fields::PodFacts;
use super::hooks::{self, Moment};
use super::image;
use super::live::Backing;
use super::pod::Worker;
use super::probes::{Place, Probe, ProbeKind, free_ports, wanted_ports};
use super::process::{ProcessSpec, Program};
use super::workload::{ContainerImage, Life, Script, Workload};
use super::{Kubelet, PATH};
use crate::controllers::events::Level;
use crate::controllers::manager::Next;
use crate::controllers::objects::{after, list, name, namespace, text};

/// How often a container that a fault holds back is looked at again.
const HELD_RETRY: i64 = 60;

/// How long `ErrImagePull` shows before it becomes `ImagePullBackOff`.
const PULL_ERROR_SHOWN: i64 = 1;

/// What keeps a container from starting.
enum Obstacle {
    /// The image cannot be pulled, and why.
    Pull(String),
    /// It waits for this reason and message, until then or until something changes.
    Wait(String, String, Next),
}

/// What a fault makes of a start that goes ahead.
#[derive(Default)]
struct Twist {
    crash: Option<String>,
    never_ready: bool,
}

impl Kubelet {
    /// Tries to start a container; what happens shows in its state.
    pub(super) fn start(
        &mut self,
        pod: &Value,
        spec: &Value,
        worker: &Worker,
        container: &mut Container,
    ) -> Next {
        let now = self.store.now();
        match self.try_start(pod, spec, worker, container, now) {
            Ok(()) => Next::At(now),
            Err(Obstacle::Pull(message)) => self.pull_failed(pod, spec, container, message, now),
            Err(Obstacle::Wait(reason, message, next)) => {
                container.wait(&reason, message);
                next
            }
        }
    }

    fn try_start(
        &mut self,
        pod: &Value,
        spec: &Value,
        worker: &Worker,
        container: &mut Container,
        now: Timestamp,
    ) -> Result<(), Obstacle> {
        let image_name = text(spec, "/image");
        if !image::is_valid(image_name) {
            let message = format!("couldn't parse image name \"{image_name}\": invalid reference format");
            self.container_event(pod, spec, Level::Warning, "InspectFailed", &message);
            return Err(Obstacle::Wait("InvalidImageName".into(), message, Next::Done));
        }
        self.check_pull_backoff(pod, spec, container, now)?;
        let twist = self.strike(pod, spec, worker, container, now)?;
        let environment = self.environment(pod, spec, worker, &[]);
        let lookup = |variable: &str| environment.as_ref().ok().and_then(|env| env.get(variable).cloned());
        let words = |field: &str| {
            let words = list(spec, field).iter().filter_map(Value::as_str);
            words.map(|word| expand(word, lookup)).collect()
        };
        let asked = ContainerImage {
            image: image_name.to_owned(),
            name: text(spec, "/name").to_owned(),
            command: words("/command"),
            args: words("/args"),
        };
        let known = (self.config.images)(&asked);
        let workload = self.pull(pod, spec, worker.node, known)?;
        container.pull = super::container::Pull::default();
        let config_error =
            |message: String| Obstacle::Wait("CreateContainerConfigError".into(), message, Next::Done);
        let own = match &workload {
            Workload::Process { env, .. } => env.as_slice(),
            Workload::Task(_) | Workload::Scripted(_) => &[],
        };
        let environment = self.environment(pod, spec, worker, own).map_err(|message| {
            self.container_event(pod, spec, Level::Warning, "Failed", &format!("Error: {message}"));
            config_error(message)
        })?;
        let root = worker
            .volumes
            .mount(pod, spec, |text| expand(text, |name| environment.get(name).cloned()))
            .map_err(config_error)?;
        if container.lives > 0 {
            container.restarts += 1;
        }
        container.lives += 1;
        let title = text(spec, "/name");
        self.container_event(pod, spec, Level::Normal, "Created", &format!("Created container: {title}"));
        self.launch(pod, spec, worker, container, Launch { workload, environment, root: &root, twist, now });
        Ok(())
    }

    fn launch(
        &mut self,
        pod: &Value,
        spec: &Value,
        worker: &Worker,
        container: &mut Container,
        launch: Launch<'_>,
    ) {
        let Launch { workload, environment, root, twist, now } = launch;
        let title = text(spec, "/name");
        let id = self.container_id();
        let log = self.logs.begin(&worker.uid, title);
        let mut run = Run {
            id: id.clone(),
            life: container.lives,
            started: now,
            body: Body::Starting,
            probes: JoinSet::new(),
            watch: None,
            registration: None,
            started_up: true,
            startup_passed: true,
            ready: true,
            kill_at: None,
        };
        if let Some(message) = twist.crash {
            log.line(message.as_bytes());
            run.body = Body::Script {
                script: Script { exit: Some((std::time::Duration::ZERO, 1)), ..Script::default() },
                written: 0,
                log,
            };
        } else {
            let program = match workload {
                Workload::Process { program, args, .. } => Ok(Program::File(program, args)),
                Workload::Task(task) => Ok(Program::Task(task)),
                Workload::Scripted(script) => Err(script),
            };
            match program {
                Err(mut script) => {
                    if twist.never_ready {
                        script.ready_after = std::time::Duration::MAX;
                    }
                    run.ready = false;
                    run.body = Body::Script { script, written: 0, log };
                }
                Ok(program) => {
                    let teller = self.teller(worker, title, container.lives);
                    let probes = Probe::all(spec);
                    let started = free_ports(&wanted_ports(spec, &probes)).and_then(|ports| {
                        let env = with_ports(environment, root, &ports);
                        let dir = root.to_path_buf();
                        let process = ProcessSpec { program, env: env.clone(), dir: dir.clone() };
                        let process = start_process(&process, log, teller.clone(), self.store.clock())?;
                        Ok((process, Backing::Process { env, dir, ports }))
                    });
                    match started {
                        Ok((process, backing)) => {
                            run.body = Body::Process(process);
                            self.watch(spec, worker, &mut run, (probes, backing), teller, &twist);
                        }
                        Err(error) => return self.start_failed(pod, spec, container, id, &error, now),
                    }
                }
            }
        }
        if run.registration.is_none() {
            run.registration = Some(self.live.register(&worker.uid, title, Backing::Script));
        }
        container.state = State::Running(Box::new(run));
        self.container_event(pod, spec, Level::Normal, "Started", &format!("Started container {title}"));
        self.journal(pod, title, "container started");
    }

    /// Makes a process known and starts its probes and the hook that follows its start.
    fn watch(
        &self,
        spec: &Value,
        worker: &Worker,
        run: &mut Run,
        (mut probes, backing): (Vec<Probe>, Backing),
        teller: Teller,
        twist: &Twist,
    ) {
        let registration = self.live.register(&worker.uid, text(spec, "/name"), backing);
        run.startup_passed = !probes.iter().any(|probe| probe.kind == ProbeKind::Startup);
        run.ready = !probes.iter().any(|probe| probe.kind == ProbeKind::Readiness) && !twist.never_ready;
        if twist.never_ready {
            probes.retain(|probe| probe.kind != ProbeKind::Readiness);
        }
        let (first, gated) = if run.startup_passed {
            (probes, Vec::new())
        } else {
            probes.into_iter().partition(|probe| probe.kind == ProbeKind::Startup)
        };
        let address = worker.ip.clone().unwrap_or_default();
        let place = Place { live: registration.live().clone(), address };
        let pre_stop = hooks::Hook::of(spec, Moment::PreStop);
        let watch = Watch { gated, pre_stop, place, teller, clock: self.store.clock().clone() };
        start_probes(&mut run.probes, first, &watch);
        if let Some(hook) = hooks::Hook::of(spec, Moment::PostStart) {
            run.started_up = false;
            start_hook(&mut run.probes, hook, Moment::PostStart, &watch);
        }
        run.watch = Some(watch);
        run.registration = Some(registration);
    }

    fn start_failed(
        &mut self,
        pod: &Value,
        spec: &Value,
        container: &mut Container,
        id: String,
        error: &std::io::Error,
        now: Timestamp,
    ) {
        let message = format!("failed to start container \"{}\": {error}", text(spec, "/name"));
        self.container_event(pod, spec, Level::Warning, "Failed", &format!("Error: {message}"));
        container.state = State::Ended(Ended {
            id,
            started: Timestamp::UNIX_EPOCH,
            finished: now,
            code: 128,
            signal: None,
            reason: "StartError".into(),
            message,
        });
    }

    /// The environment of a container: what every container has, what its image sets, what it states itself.
    fn environment(
        &self,
        pod: &Value,
        spec: &Value,
        worker: &Worker,
        image_env: &[(String, String)],
    ) -> Result<Env, String> {
        let mut environment = Env::new();
        environment.insert("PATH".into(), PATH.into());
        let host = text(pod, "/spec/hostname");
        environment.insert("HOSTNAME".into(), if host.is_empty() { name(pod) } else { host }.to_owned());
        env::add_service_links(&mut environment, &self.store, pod);
        environment.extend(self.config.pod_env.iter().cloned());
        environment.extend(image_env.iter().cloned());
        env::add_own(&mut environment, &self.store, self.facts(pod, worker), spec)?;
        Ok(environment)
    }

    /// What the downward API may show of a pod.
    pub(super) fn facts<'a>(&'a self, pod: &'a Value, worker: &'a Worker) -> PodFacts<'a> {
        let node = self.config.nodes.get(worker.node);
        PodFacts {
            pod,
            pod_ip: worker.ip.as_deref().unwrap_or_default(),
            host_ip: &worker.host_ip,
            node_cpu: node.map_or("0", |node| &node.cpu),
            node_memory: node.map_or("0", |node| &node.memory),
        }
    }

    fn check_pull_backoff(
        &mut self,
        pod: &Value,
        spec: &Value,
        container: &Container,
        now: Timestamp,
    ) -> Result<(), Obstacle> {
        let Some((failed, message)) = &container.pull.failed else { return Ok(()) };
        let due = container.pull.backoff.due(*failed);
        if now >= due {
            return Ok(());
        }
        let image = text(spec, "/image");
        let shown = after(*failed, PULL_ERROR_SHOWN);
        if now < shown {
            return Err(Obstacle::Wait("ErrImagePull".into(), message.clone(), Next::At(shown)));
        }
        let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {message}");
        let already =
            matches!(&container.state, State::Waiting { reason, .. } if reason == "ImagePullBackOff");
        if !already {
            let backing_off = format!("Back-off pulling image \"{image}\"");
            self.container_event(pod, spec, Level::Normal, "BackOff", &backing_off);
            self.container_event(pod, spec, Level::Warning, "Failed", "Error: ImagePullBackOff");
        }
        Err(Obstacle::Wait("ImagePullBackOff".into(), message, Next::At(due)))
    }

    fn pull_failed(
        &mut self,
        pod: &Value,
        spec: &Value,
        container: &mut Container,
        message: String,
        now: Timestamp,
    ) -> Next {
        let image = text(spec, "/image");
        self.container_event(pod, spec, Level::Normal, "Pulling", &format!("Pulling image \"{image}\""));
        let failed = format!("Failed to pull image \"{image}\": {message}");
        self.container_event(pod, spec, Level::Warning, "Failed", &failed);
        self.container_event(pod, spec, Level::Warning, "Failed", "Error: ErrImagePull");
        container.wait("ErrImagePull", message.clone());
        container.pull.backoff.attempt(now, now);
        container.pull.failed = Some((now, message));
        Next::At(after(now, PULL_ERROR_SHOWN))
    }

    /// Gets the image, or says why that fails. Takes no time.
    fn pull(
        &mut self,
        pod: &Value,
        spec: &Value,
        node: usize,
        known: Option<Workload>,
    ) -> Result<Workload, Obstacle> {
        let image = text(spec, "/image");
        let policy = text(spec, "/imagePullPolicy");
        let full = image::normalised(image);
        let present = self.nodes.get(node).is_some_and(|node| node.images.contains(&full));
        if policy == "Never" && !present && known.is_none() {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            self.container_event(pod, spec, Level::Warning, "ErrImageNeverPull", &message);
            return Err(Obstacle::Wait("ErrImageNeverPull".into(), message, Next::Done));
        }
        let workload = match known {
            Some(workload) => workload,
            None => match Life::of(pod, text(spec, "/name")) {
                Ok(Life::ImagePullBackOff) => {
                    let why = format!("failed to resolve reference \"{full}\": {full}: not found");
                    return Err(Obstacle::Pull(format!(
                        "rpc error: code = NotFound desc = failed to pull and unpack image \"{full}\": {why}"
                    )));
                }
                Ok(life) => Workload::Scripted(life.script()),
                Err(unknown) => {
                    let (reason, message) = ("CreateContainerConfigError".into(), unknown.to_string());
                    return Err(Obstacle::Wait(reason, message, Next::Done));
                }
            },
        };
        if policy == "Never" || (present && !image::always_pulled(image, policy)) {
            let message = format!("Container image \"{image}\" already present on machine");
            self.container_event(pod, spec, Level::Normal, "Pulled", &message);
        } else {
            self.container_event(pod, spec, Level::Normal, "Pulling", &format!("Pulling image \"{image}\""));
            let message = format!("Successfully pulled image \"{image}\" in 0s (0s including waiting)");
            self.container_event(pod, spec, Level::Normal, "Pulled", &message);
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.images.insert(full);
        }
        Ok(workload)
    }

    /// Asks the fault rules about this start.
    fn strike(
        &self,
        pod: &Value,
        spec: &Value,
        worker: &Worker,
        container: &mut Container,
        now: Timestamp,
    ) -> Result<Twist, Obstacle> {
        match container.held_until.take() {
            Some(until) if now < until => {
                container.held_until = Some(until);
                return Err(held("", Next::At(until)));
            }
            Some(_) => return Ok(Twist::default()),
            None => {}
        }
        let node = self.config.nodes.get(worker.node).map_or("", |node| &node.name);
        let facts = [
            ("action", "start"),
            ("cluster", self.config.cluster.as_str()),
            ("node", node),
            ("namespace", namespace(pod)),
            ("pod", name(pod)),
            ("container", text(spec, "/name")),
            ("image", text(spec, "/image")),
        ];
        match self.config.faults.strike(Hook::Kubelet, &facts) {
            None | Some(Effect::Line(_)) => Ok(Twist::default()),
            Some(Effect::Delay { millis }) => {
                let until = later(now, std::time::Duration::from_millis(millis));
                container.held_until = Some(until);
                Err(held("", Next::At(until)))
            }
            Some(Effect::Hang | Effect::Stuck) => Err(held("", Next::At(after(now, HELD_RETRY)))),
            Some(Effect::Reset | Effect::Refuse) => {
                Ok(Twist { crash: Some("killed by a fault rule".into()), ..Twist::default() })
            }
            Some(Effect::Fail { code, message } | Effect::Respond { code, message, .. }) => {
                match code.as_str() {
                    "ErrImagePull" | "ImagePullBackOff" => Err(Obstacle::Pull(message)),
                    "CrashLoopBackOff" | "Error" => Ok(Twist { crash: Some(message), ..Twist::default() }),
                    "NotReady" => Ok(Twist { never_ready: true, ..Twist::default() }),
                    _ => Err(Obstacle::Wait(code, message, Next::At(after(now, HELD_RETRY)))),
                }
            }
        }
    }
}

struct Launch<'a> {
    workload: Workload,
    environment: Env,
    root: &'a Path,
    twist: Twist,
    now: Timestamp,
}

fn held(message: &str, next: Next) -> Obstacle {
    Obstacle::Wait("ContainerCreating".into(), message.into(), next)
}

fn with_ports(environment: Env, root: &Path, ports: &[(u16, u16)]) -> Vec<(String, String)> {
    let ports = ports.iter().map(|(port, host)| (format!("DRYARC_PORT_{port}"), host.to_string()));
    let root = ("DRYARC_ROOT".to_owned(), root.display().to_string());
    environment.into_iter().chain([root]).chain(ports).collect()
}
