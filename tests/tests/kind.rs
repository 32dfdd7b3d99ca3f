//! A world around a real cluster: the quickstart on one that kind makes, and the life of agents as real pods in one that was
//! there before. Needs Docker, kind and kubectl; without them every test is reported as ignored, with the reason.
//!
//! `DRYARC_TEST_KIND_IMAGE` names the node image; otherwise it is a local `kindest/node`, else kind's own default.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use e2e_tests::clients::on_path;
use e2e_tests::command::{Ran, Sandbox};
use e2e_tests::docker;
use e2e_tests::waiting::eventually;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;

type Checked = Result<(), Failed>;

/// What the tests need, or why it is not there.
#[derive(Debug, Clone)]
struct Machine {
    /// The node image for new clusters.
    image: Option<String>,
}

/// What a program prints; an error when it does not end well.
fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    docker::output(program, arguments).map(|printed| String::from_utf8_lossy(&printed).into_owned())
}

impl Machine {
    fn find() -> Result<Self, String> {
        for program in ["docker", "kind", "kubectl"] {
            on_path(program).ok_or_else(|| format!("{program} is not installed"))?;
        }
        output("docker", &["version", "--format", "{{.Server.Version}}"])
            .map_err(|_| "the Docker daemon does not answer".to_owned())?;
        let local = || {
            let format = ["images", "--format", "{{.Repository}}:{{.Tag}}", "kindest/node"];
            output("docker", &format).ok()?.lines().next().map(str::to_owned)
        };
        let named = std::env::var("DRYARC_TEST_KIND_IMAGE").ok();
        Ok(Self { image: named.or_else(local) })
    }

    fn image_options(&self, flag: &str) -> Vec<String> {
        self.image.iter().flat_map(|image| [flag.to_owned(), image.clone()]).collect()
    }
}

/// A kind cluster that the user had before; deleted when dropped.
struct Theirs {
    name: String,
    kubeconfig: PathBuf,
}

impl Theirs {
    fn create(machine: &Machine, sandbox: &Sandbox) -> Result<Self, String> {
        let name = format!("dryarc-test-{}", std::process::id());
        let kubeconfig = sandbox.work().join("theirs");
        let theirs = Self { name, kubeconfig };
        let mut arguments: Vec<String> = ["create", "cluster", "--wait", "180s", "--name", &theirs.name]
            .map(str::to_owned)
            .into_iter()
            .chain(["--kubeconfig".into(), theirs.kubeconfig.display().to_string()])
            .collect();
        arguments.extend(machine.image_options("--image"));
        output("kind", &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        theirs.kubectl(&[
            "-n",
            "kube-system",
            "rollout",
            "status",
            "deployment/coredns",
            "--timeout=120s",
        ])?;
        Ok(theirs)
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let file = self.kubeconfig.display().to_string();
        output("kubectl", &[&["--kubeconfig", &file], arguments].concat())
    }

    fn node(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    /// Everything of the cluster that a world could change and must not leave changed.
    fn state(&self) -> Result<State, String> {
        let corefile =
            ["-n", "kube-system", "get", "configmap", "coredns", "-o", "jsonpath={.data.Corefile}"];
        let wide = "namespaces,crd,clusterroles,clusterrolebindings,mutatingwebhookconfigurations";
        let objects = self.kubectl(&["get", wide, "-o", "name"])?;
        let images = output("docker", &["exec", &self.node(), "ctr", "-n", "k8s.io", "images", "ls", "-q"])?;
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        Ok(State { corefile: self.kubectl(&corefile)?, objects: lines(objects), images: lines(images) })
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let file = self.kubeconfig.display().to_string();
        // Nobody can do anything about it here.
        let _ = output("kind", &["delete", "cluster", "--name", &self.name, "--kubeconfig", &file]);
    }
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    corefile: String,
    objects: BTreeSet<String>,
    images: BTreeSet<String>,
}

/// What Docker has, beside the clusters of others.
fn docker_state() -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    for arguments in [
        ["images", "--format", "{{.Repository}}:{{.Tag}}"],
        ["ps", "--all", "--format={{.Names}}"],
        ["volume", "ls", "--quiet"],
    ] {
        let lines = output("docker", &arguments.map(|part| part))?;
        found.extend(
            lines
                .lines()
                .filter(|line| line.contains("dryarc") || line.contains("azurearck8s"))
                .map(str::to_owned),
        );
    }
    Ok(found)
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn ok(ran: Ran) -> Result<Ran, Failed> {
    match ran.code {
        0 => Ok(ran),
        code => Err(format!("ended with {code}\n{}\n{}", ran.stdout, ran.stderr).into()),
    }
}

fn sandbox() -> Result<Sandbox, Failed> {
    Ok(Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test")))?)
}

fn the_quickstart_makes_a_cluster_and_deletes_it_again(machine: &Machine) -> Checked {
    let (sandbox, before) = (sandbox()?, docker_state()?);
    let mut arguments: Vec<String> =
        ["quickstart", "--cluster", "kind", "--output", "json"].map(str::to_owned).to_vec();
    arguments.extend(machine.image_options("--kind-image"));
    let ran = ok(sandbox.run(&arguments)?)?;
    let report: Value = serde_json::from_str(&ran.stdout).map_err(|error| error.to_string())?;
    expect(report["outcome"] == "done", || ran.stdout.clone())?;
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    let connected = &steps.iter().find(|step| step["number"] == 6).cloned().unwrap_or_default()["result"];
    expect(connected["connectivityStatus"] == "Connected", || connected.to_string())?;
    expect(connected["distribution"] == "kind", || connected.to_string())?;
    expect(docker_state()? == before, || format!("{:?} was {before:?}", docker_state()))?;
    expect(std::fs::read_dir(sandbox.state())?.next().is_none(), || "a world is left".into())
}

/// One world with one resource in a cluster that was there before.
struct Lived<'a> {
    sandbox: &'a Sandbox,
    theirs: &'a Theirs,
}

impl Lived<'_> {
    fn dryarc(&self, arguments: &[&str]) -> Result<Ran, Failed> {
        ok(self.sandbox.run(arguments)?)
    }

    fn up(&self) -> Checked {
        let cluster = format!("kind={}", self.theirs.name);
        self.dryarc(&["up", "--detach", "--cluster", &cluster])?;
        self.register()
    }

    fn register(&self) -> Checked {
        for namespace in ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"] {
            self.dryarc(&["provider", "set", namespace, "--state", "Registered"])?;
        }
        Ok(())
    }

    fn onboard(&self) -> Checked {
        self.dryarc(&["onboard", "-n", "c", "-g", "g", "-l", "eastus"]).map(drop)
    }

    fn status_is(&self, wanted: &str) -> Result<bool, String> {
        let ran = self.sandbox.run(["list", "--output", "json"]).map_err(|error| error.to_string())?;
        Ok(ran.stdout.contains(&format!("\"connectivityStatus\": \"{wanted}\"")))
    }

    fn agents_are_real_pods(&self) -> Checked {
        let pods =
            self.dryarc(&["exec", "--", "kubectl", "get", "pods", "-n", "azure-arc", "--no-headers"])?;
        let lines: Vec<&str> = pods.stdout.lines().collect();
        expect(lines.len() == 10, || pods.stdout.clone())?;
        expect(lines.iter().all(|line| line.contains("Running")), || pods.stdout.clone())?;
        let log = self.dryarc(&["logs", "clusteridentityoperator", "--container", "manager"])?;
        expect(log.stdout.contains("Identity certificate obtained"), || log.stdout)
    }

    /// A process of an agent is killed in its node; the kubelet starts it again, and it finds the world again.
    fn a_killed_agent_restarts(&self) -> Checked {
        let kill = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q 'agent resource-sync-agent' && kill -9 ${p#/proc/} && exit 0; done; exit 1";
        output("docker", &["exec", &self.theirs.node(), "bash", "-c", kill])?;
        let path =
            "jsonpath={range .items[*].status.containerStatuses[*]}{.name}={.restartCount}/{.ready} {end}";
        let component = "app.kubernetes.io/component=resource-sync-agent";
        let arguments = ["-n", "azure-arc", "get", "pods", "-l", component, "-o", path];
        let back = || Ok(self.theirs.kubectl(&arguments)?.contains("resource-sync-agent=1/true"));
        Ok(eventually("the killed agent is back", 90, back)?)
    }

    /// Nothing gets through to Azure; the agents are noticed missing, and noticed again.
    fn a_cut_line_is_offline_until_it_is_mended(&self) -> Checked {
        self.dryarc(&[
            "fault",
            "add",
            "--rule",
            "{id: cut, hook: wire, match: {facts: {host: '*.dp.kubernetesconfiguration.azure.com'}}, effect: refuse}",
        ])?;
        // A connection that is open already stays open, so the agent that sends the heartbeat begins anew.
        let agent = "deployment/resource-sync-agent";
        self.theirs.kubectl(&["-n", "azure-arc", "rollout", "restart", agent])?;
        self.theirs.kubectl(&["-n", "azure-arc", "rollout", "status", agent, "--timeout=90s"])?;
        self.dryarc(&["clock", "advance", "20m"])?;
        self.dryarc(&["fault", "clear", "cut"])?;
        expect(self.status_is("Offline")?, || "the cut was not noticed".into())?;
        Ok(eventually("the mended line is noticed", 120, || self.status_is("Connected"))?)
    }
}

fn agents_live_and_recover_in_a_cluster_that_is_left_as_it_was(machine: &Machine) -> Checked {
    let sandbox = sandbox()?;
    let file = sandbox.work().join("theirs").display().to_string();
    let sandbox = sandbox.with_variable("KUBECONFIG", file);
    let theirs = Theirs::create(machine, &sandbox)?;
    let before = theirs.state()?;
    let lived = Lived { sandbox: &sandbox, theirs: &theirs };
    lived.up()?;
    let second =
        sandbox.run(["up", "--detach", "--world", "other", "--cluster", &format!("kind={}", theirs.name)])?;
    let refused = second.code == 5 && second.stderr.contains("in a world already");
    expect(refused, || format!("a second world in one cluster was not refused: {second:?}"))?;
    lived.onboard()?;
    eventually("the cluster is connected", 60, || lived.status_is("Connected"))?;
    lived.agents_are_real_pods()?;
    lived.a_killed_agent_restarts()?;
    lived.a_cut_line_is_offline_until_it_is_mended()?;
    lived.dryarc(&["offboard", "-n", "c", "-g", "g", "--yes"])?;
    lived.dryarc(&["down"])?;
    let after = theirs.state()?;
    expect(after == before, || format!("{after:#?}\nwas\n{before:#?}"))?;
    killed_world(&lived, &before)?;
    any_context(&lived, &before)
}

/// A world dies with its agents in the cluster; the next command takes everything out.
fn killed_world(lived: &Lived<'_>, before: &State) -> Checked {
    lived.up()?;
    lived.onboard()?;
    let status = lived.dryarc(&["status", "--output", "json"])?;
    let status: Value = serde_json::from_str(&status.stdout).map_err(|error| error.to_string())?;
    output("kill", &["-KILL", &status["pid"].to_string()])?;
    // A process with many threads takes a moment to die.
    eventually("the next command undoes what the killed world did", 30, || {
        let ran = lived.sandbox.run(["status", "--all"]).map_err(|error| error.to_string())?;
        Ok(ran.stderr.contains("ended without order"))
    })?;
    let after = lived.theirs.state()?;
    expect(after == *before, || format!("{after:#?}\nwas\n{before:#?}"))
}

/// The same cluster as nothing but a context of the user's kubeconfig: how images get into its nodes has to be said.
fn any_context(lived: &Lived<'_>, before: &State) -> Checked {
    let cluster = format!("context=kind-{}", lived.theirs.name);
    let up = ["up", "--detach", "--cluster", &cluster, "--yes"];
    let unsaid = lived.sandbox.run(up)?;
    let refused = unsaid.code == 2 && unsaid.stderr.contains("--load-images");
    expect(refused, || format!("images got into nodes unasked: {unsaid:?}"))?;
    let load = format!("kind load image-archive {{}} --name {}", lived.theirs.name);
    lived.dryarc(&[&up[..], &["--load-images", &load]].concat())?;
    lived.register()?;
    lived.onboard()?;
    eventually("the cluster is connected", 60, || lived.status_is("Connected"))?;
    lived.dryarc(&["down"])?;
    let after = lived.theirs.state()?;
    let same = after.corefile == before.corefile && after.objects == before.objects;
    expect(same, || format!("{after:#?}\nwas\n{before:#?}"))
}

type Test = fn(&Machine) -> Checked;

const TESTS: [(&str, Test); 2] = [
    (
        "the_quickstart_makes_a_cluster_and_deletes_it_again",
        the_quickstart_makes_a_cluster_and_deletes_it_again,
    ),
    (
        "agents_live_and_recover_in_a_cluster_that_is_left_as_it_was",
        agents_live_and_recover_in_a_cluster_that_is_left_as_it_was,
    ),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two clusters at a time are too many for a small machine.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let machine = Machine::find();
    let trials = TESTS.into_iter().map(|(name, test)| {
        let machine = machine.clone();
        Trial::ignorable_test(name, move || match machine {
            Ok(machine) => test(&machine).map(|()| Completion::Completed),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
