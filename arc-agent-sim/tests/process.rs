//! An agent as a process: how it starts, and above all how it ends.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sim_core::pki::{Authority, Constraints};

const PROGRAM: &str = env!("CARGO_BIN_EXE_arc-agent-sim");

/// A pod's file system and environment, with an API server that nobody serves.
struct Pod {
    root: PathBuf,
}

impl Pod {
    fn new(name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let folder = root.join("var/run/secrets/kubernetes.io/serviceaccount");
        std::fs::create_dir_all(&folder).unwrap();
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let authority = Authority::new("test", &Constraints::default(), now).unwrap();
        for (file, content) in [("token", "token"), ("namespace", "azure-arc"), ("ca.crt", authority.pem())] {
            std::fs::write(folder.join(file), content).unwrap();
        }
        Self { root }
    }

    fn command(&self, role: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg(role)
            .env_clear()
            .env("DRYARC_ROOT", &self.root)
            .env("DRYARC_CA_FILE", self.root.join("var/run/secrets/kubernetes.io/serviceaccount/ca.crt"))
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", "1")
            .env("AZURE_SUBSCRIPTION_ID", "s")
            .env("AZURE_RESOURCE_GROUP", "g")
            .env("AZURE_RESOURCE_NAME", "n")
            .env("AZURE_REGION", "eastus")
            .env("AZURE_TENANT_ID", "t")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Waits for the first line of its log.
fn started(child: &mut Child) -> BufReader<ChildStdout> {
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(line["Message"].as_str().unwrap().starts_with("Starting "));
    log
}

#[test]
fn it_ends_well_at_sigterm() {
    let mut child = Pod::new("sigterm").command("config-agent").spawn().unwrap();
    let _log = started(&mut child);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn it_does_not_outlive_a_parent_that_holds_its_pipe() {
    let mut child =
        Pod::new("parent").command("metrics-agent").env("DRYARC_PARENT_PIPE", "1").spawn().unwrap();
    let _log = started(&mut child);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn without_an_api_server_it_logs_and_lives_on() {
    let mut child = Pod::new("alone").command("cluster-metadata-operator").spawn().unwrap();
    let mut log = started(&mut child);
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("Failed to update cluster metadata") && line.contains("127.0.0.1"), "{line}");
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_keeps_it_from_starting_is_told_with_its_exit_code() {
    let pod = Pod::new("refused");
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&mut pod.command("guardian"));
    assert_eq!(code, Some(2));
    assert!(text.contains("'guardian' is not an agent role"), "{text}");
    let (code, text) = run(pod.command("config-agent").env_remove("AZURE_REGION"));
    assert_eq!(code, Some(1));
    assert!(text.contains("AZURE_REGION is not set"), "{text}");
    let (code, text) = run(pod.command("config-agent").env("DRYARC_CLOCK", "127.0.0.1:1/x"));
    assert_eq!(code, Some(1));
    assert!(text.contains("DRYARC_CLOCK"), "{text}");
}
