//! The life of an onboarded cluster, check by check: the same checks on the embedded cluster and on one of kind.

use std::path::{Path, PathBuf};

use e2e_tests::clients::{self, Client};
use e2e_tests::command::{Ran, Sandbox};
use e2e_tests::waiting::eventually;
use e2e_tests::{repository, transcript};
use libtest_mimic::Failed;
use serde_json::Value;

use crate::machine::{Checked, expect, ok};
use crate::theirs::Theirs;

/// Finds the process of one agent among those it sees, by its command line, and kills it.
const KILL: &str = "for p in /proc/[0-9]*; do \
    { tr '\\0' ' ' <$p/cmdline; } 2>/dev/null | grep -q 'agent resource-sync-agent' && MINE && kill -9 ${p#/proc/} && exit 0; \
    done; exit 1";

/// A world, and the cluster that it is around: the embedded one, or the user's.
pub(crate) struct Life<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) theirs: Option<&'a Theirs>,
}

/// How a check ended when it did not fail.
pub(crate) enum Seen {
    Working,
    /// What it needs is not installed.
    Missing(&'static str),
}

type Check = fn(&Life<'_>) -> Result<Seen, Failed>;

/// The checks in their order. One builds on the ones before.
pub(crate) const CHECKS: [(&str, Check); 14] = [
    ("up --detach", |life| life.up().map(working)),
    ("exec -- kubectl get namespaces", |life| life.namespaces().map(working)),
    ("exec -- az group create, list", |life| life.groups()),
    ("onboard until ARM says Connected", |life| life.onboard_and_connect().map(working)),
    ("ten agents as pods, Running", |life| life.agents_are_pods().map(working)),
    ("logs of an agent", |life| life.agents_log().map(working)),
    ("killed agent is restarted", |life| life.a_killed_agent_restarts().map(working)),
    ("line cut: Offline", |life| life.a_cut_line_is_noticed().map(working)),
    ("line mended: Connected", |life| life.a_mended_line_is_noticed().map(working)),
    ("offboard", |life| life.offboard().map(working)),
    ("namespaces of the agents are gone", |life| life.nothing_is_left_by_agents().map(working)),
    ("the page's az commands", |life| life.the_page_by_az()),
    ("namespaces are gone again", |life| life.nothing_is_left_by_agents().map(working)),
    ("down", |life| life.dryarc(&["down"]).map(drop).map(working)),
];

fn working((): ()) -> Seen {
    Seen::Working
}

impl Life<'_> {
    pub(crate) fn dryarc(&self, arguments: &[&str]) -> Result<Ran, Failed> {
        ok(self.sandbox.run(arguments)?)
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String, Failed> {
        Ok(self.dryarc(&[&["exec", "--", "kubectl"], arguments].concat())?.stdout)
    }

    pub(crate) fn up(&self) -> Checked {
        let cluster =
            self.theirs.map_or_else(|| "embedded".to_owned(), |theirs| format!("kind={}", theirs.name));
        self.dryarc(&["up", "--detach", "--speed", "60", "--cluster", &cluster])?;
        self.register()
    }

    pub(crate) fn register(&self) -> Checked {
        for namespace in
            ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration", "Microsoft.ExtendedLocation"]
        {
            self.dryarc(&["provider", "set", namespace, "--state", "Registered"])?;
        }
        Ok(())
    }

    fn namespaces(&self) -> Checked {
        let found = self.kubectl(&["get", "namespaces", "-o", "name"])?;
        expect(found.contains("namespace/kube-system"), || found)
    }

    fn groups(&self) -> Result<Seen, Failed> {
        if Client::Az.find().is_none() {
            return Ok(Seen::Missing("az"));
        }
        self.dryarc(&["exec", "--", "az", "group", "create", "--name", "mine", "--location", "westeurope"])?;
        let listed =
            self.dryarc(&["exec", "--", "az", "group", "list", "--output", "tsv", "--query", "[].name"])?;
        expect(listed.stdout.trim() == "mine", || listed.stdout)?;
        Ok(Seen::Working)
    }

    pub(crate) fn onboard(&self) -> Checked {
        self.dryarc(&["onboard", "-n", "c", "-g", "g", "-l", "eastus"]).map(drop)
    }

    pub(crate) fn onboard_and_connect(&self) -> Checked {
        self.onboard()?;
        Ok(eventually("the cluster is connected", 60, || self.status_is("Connected"))?)
    }

    fn status_is(&self, wanted: &str) -> Result<bool, String> {
        let ran = self.sandbox.run(["list", "--output", "json"]).map_err(|error| error.to_string())?;
        Ok(ran.stdout.contains(&format!("\"connectivityStatus\": \"{wanted}\"")))
    }

    fn agents_are_pods(&self) -> Checked {
        let pods = self.kubectl(&["get", "pods", "-n", "azure-arc", "--no-headers"])?;
        let lines: Vec<&str> = pods.lines().collect();
        expect(lines.len() == 10 && lines.iter().all(|line| line.contains("Running")), || pods.clone())
    }

    fn agents_log(&self) -> Checked {
        let log = self.dryarc(&["logs", "clusteridentityoperator", "--container", "manager"])?;
        expect(log.stdout.contains("Identity certificate obtained"), || log.stdout)
    }

    /// A process of an agent is killed where it runs; the kubelet starts it again, and it finds the world again.
    fn a_killed_agent_restarts(&self) -> Checked {
        match self.theirs {
            Some(theirs) => drop(theirs.in_node(&KILL.replace("MINE", "true"))?),
            None => self.kill_ours()?,
        }
        let path =
            "jsonpath={range .items[*].status.containerStatuses[*]}{.name}={.restartCount}/{.ready} {end}";
        let component = "app.kubernetes.io/component=resource-sync-agent";
        let back = || {
            let arguments = ["-n", "azure-arc", "get", "pods", "-l", component, "-o", path];
            let states = self.kubectl(&arguments).map_err(|failed| format!("{failed:?}"))?;
            Ok(states.contains("resource-sync-agent=1/true"))
        };
        Ok(eventually("the killed agent is back", 90, back)?)
    }

    /// Agents of the embedded cluster are processes of this machine, as are those of other worlds.
    fn kill_ours(&self) -> Checked {
        let state = self.sandbox.state().display().to_string();
        let mine = format!("tr '\\0' '\\n' <$p/environ | grep -qF '{state}'");
        let script = KILL.replace("MINE", &mine);
        let killed = self.sandbox.prepare_program("/bin/sh".as_ref(), ["-c", &script]).status()?;
        expect(killed.success(), || "no process of the agent was found".into())
    }

    /// Nothing gets through to Azure, and the agents are noticed missing.
    fn a_cut_line_is_noticed(&self) -> Checked {
        let rule = "{id: cut, hook: wire, match: {facts: {host: '*.dp.kubernetesconfiguration.azure.com'}}, effect: refuse}";
        self.dryarc(&["fault", "add", "--rule", rule])?;
        // A connection that is open already stays open, so the agent that sends the heartbeat begins anew.
        let agent = "deployment/resource-sync-agent";
        self.kubectl(&["-n", "azure-arc", "rollout", "restart", agent])?;
        self.kubectl(&["-n", "azure-arc", "rollout", "status", agent, "--timeout=90s"])?;
        self.dryarc(&["clock", "advance", "20m"])?;
        expect(self.status_is("Offline")?, || "the cut was not noticed".into())
    }

    fn a_mended_line_is_noticed(&self) -> Checked {
        self.dryarc(&["fault", "clear", "cut"])?;
        Ok(eventually("the mended line is noticed", 120, || self.status_is("Connected"))?)
    }

    fn offboard(&self) -> Checked {
        self.dryarc(&["offboard", "-n", "c", "-g", "g", "--yes"])?;
        let listed = self.dryarc(&["list", "--output", "json"])?;
        expect(listed.stdout.trim() == "[]", || listed.stdout)
    }

    /// The commands of the quickstart page with the real extension; what it prints is compared with a recording per backend.
    fn the_page_by_az(&self) -> Result<Seen, Failed> {
        if Client::Connectedk8s.find().is_none() {
            return Ok(Seen::Missing(Client::Connectedk8s.name()));
        }
        let folder = if self.theirs.is_some() { "kind" } else { "connectedk8s" };
        let file = repository::root().join("fixtures/golden").join(folder).join("page.transcript");
        transcript::check(&file, |command| self.sandbox.run(["exec", "--", "sh", "-c", command]))?;
        Ok(Seen::Working)
    }

    fn nothing_is_left_by_agents(&self) -> Checked {
        let gone = || {
            let found = self.kubectl(&["get", "namespaces", "-o", "name"]);
            Ok(!found.map_err(|failed| format!("{failed:?}"))?.contains("azure-arc"))
        };
        Ok(eventually("the namespaces of the agents are gone", 90, gone)?)
    }

    /// Memory that the agents hold in the node, in MiB: their share of pages that they share included.
    pub(crate) fn memory(theirs: &Theirs) -> Result<u64, Failed> {
        let sum = "for p in /proc/[0-9]*; do \
            { tr '\\0' ' ' <$p/cmdline; } 2>/dev/null | grep -q ' agent ' && grep ^Pss: $p/smaps_rollup; \
            done | awk '{ kib += $2 } END { print int(kib / 1024 + 0.5) }'";
        let printed = theirs.in_node(sum)?;
        printed.trim().parse().map_err(|error| format!("{printed:?}: {error}").into())
    }

    pub(crate) fn pid(&self) -> Result<Value, Failed> {
        let status = self.dryarc(&["status", "--output", "json"])?;
        let status: Value = serde_json::from_str(&status.stdout).map_err(|error| error.to_string())?;
        Ok(status["pid"].clone())
    }
}

/// A sandbox in which the clients that are installed are found by their names.
pub(crate) fn with_clients(sandbox: Sandbox) -> Result<Sandbox, Failed> {
    let found: Vec<PathBuf> =
        [Client::Az, Client::Helm, Client::Kubectl].into_iter().filter_map(Client::find).collect();
    let found: Vec<&Path> = found.iter().map(PathBuf::as_path).collect();
    Ok(clients::with_search_path(sandbox, &found)?)
}
