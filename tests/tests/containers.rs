//! The image and `docker-compose.yml`, as people use them. Without Docker, or without the image that `tests/container-images`
//! makes, every test is reported as ignored, with the reason.

#![expect(clippy::print_stdout, reason = "figures are part of the report")]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use e2e_tests::clients::Client;
use e2e_tests::command::Ran;
use e2e_tests::docker::{
    Compose, Container, Docker, docker as in_docker, free_ports, output, speaks_tls, unpack,
};
use e2e_tests::repository;
use harness::testcontainers::{self as world, CLOUD, MockAzure};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;
use sim_core::clock::Clock;
use testcontainers::runners::AsyncRunner as _;

/// The largest image, in bytes.
const LARGEST: u64 = 25 << 20;

/// A start to readiness may take this long on a machine that does other things as well; what it takes is reported.
const READY: Duration = Duration::from_secs(10);

/// How long a container may take to end once it is asked to.
const ENDED: Duration = Duration::from_secs(5);

type Checked = Result<Completion, Failed>;

fn done() -> Checked {
    Ok(Completion::Completed)
}

fn holds(what: bool, else_say: impl Into<String>) -> Result<(), Failed> {
    if what { Ok(()) } else { Err(else_say.into().into()) }
}

fn wait<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work)?)
}

fn the_image_is_small_says_what_it_is_and_runs_as_nobody(docker: &Docker) -> Checked {
    let size: u64 = docker.image_field("{{.Size}}")?.parse()?;
    holds(size <= LARGEST, format!("the image has {size} bytes, {LARGEST} are allowed"))?;
    let config: Value = serde_json::from_str(&docker.image_field("{{json .Config}}")?)?;
    holds(config["User"] == "65532:65532", format!("its user is {}", config["User"]))?;
    let health = &config["Healthcheck"]["Test"];
    holds(health[0] == "CMD" && health[2] == "health", format!("its health check is {health}"))?;
    for label in ["title", "description", "licenses", "version", "revision", "created"] {
        let value =
            config["Labels"][format!("org.opencontainers.image.{label}")].as_str().unwrap_or_default();
        holds(!value.is_empty() && value != "unknown", format!("the label {label} is '{value}'"))?;
    }
    println!("image: {:.1} MiB", size as f64 / f64::from(1 << 20));
    done()
}

fn the_image_lists_its_parts(docker: &Docker) -> Checked {
    let container = Container(in_docker(&["create", &docker.image])?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sbom.json");
    let from = format!("{}:/usr/share/doc/dryarc/sbom.cdx.json", container.0);
    output("docker", &["cp", &from, &file.display().to_string()])?;
    let parts: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    holds(parts["bomFormat"] == "CycloneDX", "it is no CycloneDX document")?;
    let components = parts["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    for name in ["rustls", "tokio", "aws-lc-rs"] {
        holds(components.iter().any(|one| one["name"] == name), format!("{name} is not listed"))?;
    }
    done()
}

fn a_world_is_ready_and_healthy_and_ends_at_once_when_asked(docker: &Docker) -> Checked {
    let clock = Clock::running(1.0);
    let watch = clock.stopwatch();
    let container = docker.start(&[], &[])?;
    wait(container.until_ready(&clock))?;
    let ready = watch.elapsed();
    holds(ready <= READY, format!("ready after {ready:?}"))?;
    wait(container.until(&clock, "healthy", |own| {
        own.field("{{.State.Health.Status}}").is_ok_and(|status| status == "healthy")
    }))?;
    let user = docker_top(&container)?;
    holds(user == "65532", format!("it runs as {user}"))?;
    let watch = clock.stopwatch();
    in_docker(&["stop", "--time", "20", &container.0])?;
    let ended = watch.elapsed();
    holds(ended <= ENDED, format!("it took {ended:?} to end"))?;
    let code = container.field("{{.State.ExitCode}}")?;
    holds(code == "143", format!("it ended with {code}:\n{}", container.logs()?))?;
    println!("container: ready after {} ms, ended after {} ms", ready.as_millis(), ended.as_millis());
    done()
}

/// The number of the user that the container's first process has.
fn docker_top(container: &Container) -> Result<String, String> {
    let text = in_docker(&["top", &container.0, "-o", "uid,pid"])?;
    let line = text.lines().nth(1).unwrap_or_default().to_owned();
    Ok(line.split_whitespace().next().unwrap_or_default().to_owned())
}

fn any_user_may_run_it(docker: &Docker) -> Checked {
    let clock = Clock::running(1.0);
    let container = docker.start(&["--user", "12345:0"], &[])?;
    wait(container.until_ready(&clock))?;
    done()
}

/// Removes a network when dropped.
struct Network(String);

impl Drop for Network {
    fn drop(&mut self) {
        // Nothing to be done about one that is in use.
        let _ = in_docker(&["network", "rm", &self.0]);
    }
}

fn a_relay_leads_to_the_cloud_by_name(docker: &Docker) -> Checked {
    let clock = Clock::running(1.0);
    let name = format!("dryarc-test-{}", std::process::id());
    in_docker(&["network", "create", &name])?;
    let network = Network(name);
    let azure = docker.start(&["--network", &network.0, "--network-alias", "azure"], &[])?;
    wait(azure.until_ready(&clock))?;
    let options = ["--network", &network.0, "--publish", "127.0.0.1:0:443", "--no-healthcheck"];
    let relay = docker.start(&options, &["relay", "--port", "443", "--to", "azure:7440"])?;
    let port = relay.published(443)?;
    wait(relay.until(&clock, "leading to the cloud", |_| speaks_tls(port)))?;
    drop((relay, azure));
    drop(network);
    done()
}

fn the_same_image_plays_agents_and_their_companions(docker: &Docker) -> Checked {
    let clock = Clock::running(1.0);
    let agent = docker.start(&["--env", "DRYARC_ROLE=cluster-identity", "--no-healthcheck"], &["agent"])?;
    let ended = |own: &Container| own.field("{{.State.Status}}").is_ok_and(|status| status == "exited");
    wait(agent.until(&clock, "ended", ended))?;
    let logs = agent.logs()?;
    holds(logs.contains("AZURE_SUBSCRIPTION_ID"), format!("an agent without a cluster says:\n{logs}"))?;
    let companion = docker.start(&["--no-healthcheck"], &["agent", "fluent-bit"])?;
    let running = |own: &Container| own.field("{{.State.Status}}").is_ok_and(|status| status == "running");
    wait(companion.until(&clock, "running", running))?;
    let watch = clock.stopwatch();
    in_docker(&["stop", "--time", "20", &companion.0])?;
    holds(watch.elapsed() <= ENDED, format!("a companion took {:?} to end", watch.elapsed()))?;
    done()
}

/// A composition under a name and on ports of its own; taken down when dropped.
struct Composed {
    compose: Compose,
    project: String,
    image: String,
    ports: Vec<u16>,
}

impl Composed {
    fn new(docker: &Docker, compose: Compose, project: &str) -> Result<Self, Failed> {
        let project = format!("dryarc-test-{}-{project}", std::process::id());
        Ok(Self { compose, project, image: docker.image.clone(), ports: free_ports(4)? })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (program, words) = self.compose.words().split_first().unwrap_or((&"docker", &[]));
        let mut command = Command::new(program);
        command.args(words).args(["--project-name", &self.project]).args(arguments);
        command.current_dir(repository::root()).env("DRYARC_IMAGE", &self.image);
        for (name, port) in ["CLOUD", "GATEWAY", "CONTROL", "CLUSTER"].iter().zip(&self.ports) {
            command.env(format!("DRYARC_{name}_PORT"), port.to_string());
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let ran = self.command(arguments).output().map_err(|error| error.to_string())?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        let ran = Ran::from(&ran);
        Err(format!("compose {} ended with {}:\n{}{}", arguments.join(" "), ran.code, ran.stdout, ran.stderr))
    }
}

impl Drop for Composed {
    fn drop(&mut self) {
        // What cannot be taken down shows in the next run.
        let _ = self.run(&["down", "--volumes", "--timeout", "5"]);
    }
}

fn a_program_on_this_machine_uses_the_composition_through_published_ports(
    docker: &Docker,
    compose: Compose,
) -> Checked {
    let clock = Clock::running(1.0);
    let composed = Composed::new(docker, compose, "up")?;
    composed.run(&["up", "--detach", "--no-build"])?;
    let azure = container_of(&composed)?;
    wait(azure.until(&clock, "healthy", |own| {
        own.field("{{.State.Health.Status}}").is_ok_and(|status| status == "healthy")
    }))?;
    let folder = tempfile::tempdir()?;
    let place = folder.path().display().to_string();
    let archive = composed.run(&["exec", "-T", "azure", "dryarc", "env", "--export", "-", "--as", &place])?;
    unpack(&archive, folder.path())?;
    let port = &composed.ports[1].to_string();
    let env = std::fs::read_to_string(folder.path().join("env.sh"))?;
    holds(env.contains(&format!("HTTPS_PROXY='http://127.0.0.1:{port}'")), env)?;
    let Some(kubectl) = Client::Kubectl.find() else {
        return Ok(Completion::ignored_with("kubectl is not installed"));
    };
    let nodes = in_world(folder.path(), &kubectl, "kubectl get nodes --output name")?;
    holds(nodes.contains("node/"), nodes)?;
    let Some(az) = Client::Az.find() else { return Ok(Completion::ignored_with("az is not installed")) };
    let group = in_world(folder.path(), &az, "az group create --name g --location eastus --output json")?;
    let group: Value = serde_json::from_str(&group)?;
    holds(group["properties"]["provisioningState"] == "Succeeded", group.to_string())?;
    done()
}

fn container_of(composed: &Composed) -> Result<Container, String> {
    let id = composed.run(&["ps", "--quiet", "azure"])?;
    Ok(Container(String::from_utf8_lossy(&id).trim().to_owned()))
}

/// Runs a line of shell as somebody who has read the exported variables, and returns what it prints.
fn in_world(folder: &Path, client: &Path, line: &str) -> Result<String, String> {
    let script = format!(". {}/env.sh && {line}", folder.display());
    let tools = client.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap_or_default());
    let ran = Command::new("/bin/sh").args(["-c", &script]).env("PATH", path).output();
    let ran = Ran::from(&ran.map_err(|error| error.to_string())?);
    if ran.code == 0 {
        Ok(ran.stdout)
    } else {
        Err(format!("{line} ended with {}:\n{}", ran.code, ran.stderr))
    }
}

fn the_quickstart_of_the_composition_ends_well(docker: &Docker, compose: Compose) -> Checked {
    let composed = Composed::new(docker, compose, "tour")?;
    let ran = Ran::from(&composed.command(&["run", "--rm", "-T", "quickstart"]).output()?);
    holds(ran.code == 0, format!("it ended with {}:\n{}{}", ran.code, ran.stdout, ran.stderr))?;
    done()
}

fn the_composition_is_sound_with_every_profile(docker: &Docker, compose: Compose) -> Checked {
    let composed = Composed::new(docker, compose, "config")?;
    let mut command = composed.command(&["config", "--services"]);
    let ran = Ran::from(&command.env("COMPOSE_PROFILES", "quickstart,kind").output()?);
    for service in ["azure", "quickstart", "kind"] {
        holds(
            ran.stdout.lines().any(|line| line == service),
            format!("{service}: {}{}", ran.stdout, ran.stderr),
        )?;
    }
    done()
}

fn a_rust_test_starts_a_world_with_testcontainers(docker: &Docker) -> Checked {
    let Some(kubectl) = Client::Kubectl.find() else {
        return Ok(Completion::ignored_with("kubectl is not installed"));
    };
    let folder = tempfile::tempdir()?;
    let (nodes, cloud) = wait(async {
        let azure = MockAzure::from_image(&docker.image)
            .with_seed(1)
            .start()
            .await
            .map_err(|error| error.to_string())?;
        let client = world::Client::export(&azure, folder.path()).await.map_err(|error| error.to_string())?;
        let nodes = client
            .command(&kubectl.display().to_string())
            .args(["get", "nodes", "--output", "name"])
            .output();
        let nodes = Ran::from(&nodes.map_err(|error| error.to_string())?);
        let cloud = client.variable("DRYARC_CLOUD_URL").unwrap_or_default().to_owned();
        let port = azure.get_host_port_ipv4(CLOUD).await.map_err(|error| error.to_string())?;
        azure.rm().await.map_err(|error| error.to_string())?;
        // The host is this machine as the crate sees it: loopback, or Docker's gateway from inside of a container.
        Ok((nodes, cloud.starts_with("https://") && cloud.ends_with(&format!(":{port}"))))
    })?;
    holds(nodes.code == 0 && nodes.stdout.contains("node/"), format!("{}{}", nodes.stdout, nodes.stderr))?;
    holds(cloud, "the cloud's address is not that of the published port")?;
    done()
}

type Test = fn(&Docker) -> Checked;

const TESTS: &[(&str, Test)] = &[
    (
        "the_image_is_small_says_what_it_is_and_runs_as_nobody",
        the_image_is_small_says_what_it_is_and_runs_as_nobody,
    ),
    ("the_image_lists_its_parts", the_image_lists_its_parts),
    (
        "a_world_is_ready_and_healthy_and_ends_at_once_when_asked",
        a_world_is_ready_and_healthy_and_ends_at_once_when_asked,
    ),
    ("any_user_may_run_it", any_user_may_run_it),
    ("a_relay_leads_to_the_cloud_by_name", a_relay_leads_to_the_cloud_by_name),
    ("the_same_image_plays_agents_and_their_companions", the_same_image_plays_agents_and_their_companions),
    ("a_rust_test_starts_a_world_with_testcontainers", a_rust_test_starts_a_world_with_testcontainers),
];

type OfComposition = fn(&Docker, Compose) -> Checked;

const OF_COMPOSITION: [(&str, OfComposition); 3] = [
    (
        "a_program_on_this_machine_uses_the_composition_through_published_ports",
        a_program_on_this_machine_uses_the_composition_through_published_ports,
    ),
    ("the_quickstart_of_the_composition_ends_well", the_quickstart_of_the_composition_ends_well),
    ("the_composition_is_sound_with_every_profile", the_composition_is_sound_with_every_profile),
];

/// Every test of the composition, with one program that reads it.
fn with(compose: Compose, found: &Result<Docker, String>) -> Vec<Trial> {
    let words = compose.words().join(" ");
    let trial = |(name, test): (&str, OfComposition)| {
        let (found, words) = (found.clone(), words.clone());
        Trial::ignorable_test(format!("{name}::{}", words.replace(' ', "_")), move || match &found {
            Ok(_) if !compose.is_installed() => {
                Ok(Completion::ignored_with(format!("{words} is not installed")))
            }
            Ok(docker) => test(docker, compose),
            Err(missing) => Ok(Completion::ignored_with(missing.clone())),
        })
    };
    OF_COMPOSITION.into_iter().map(trial).collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each measures how long something takes.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let found = if arguments.list { Err(String::new()) } else { Docker::find() };
    let trial = |(name, test): &(&str, Test)| {
        let (found, test) = (found.clone(), *test);
        Trial::ignorable_test(*name, move || match &found {
            Ok(docker) => test(docker),
            Err(missing) => Ok(Completion::ignored_with(missing.clone())),
        })
    };
    let mut trials: Vec<Trial> = TESTS.iter().map(trial).collect();
    for compose in [Compose::PlugIn, Compose::Program] {
        trials.extend(with(compose, &found));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
