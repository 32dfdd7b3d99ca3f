//! What surrounds a world: extensions, advice, faults by hand, interruptions, and what is on the machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use e2e_tests::clients::on_path;
use e2e_tests::command::{Ran, Sandbox};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dryarc-under-test");

fn sandbox() -> Sandbox {
    Sandbox::new(PathBuf::from(PROGRAM)).unwrap()
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.run(arguments).unwrap()
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

fn extension(folder: &Path, version: &str) {
    std::fs::create_dir_all(folder.join(format!("connectedk8s/connectedk8s-{version}.dist-info"))).unwrap();
}

#[test]
fn extensions_that_come_after_the_world_are_taken_over_by_exec_and_env() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach"]).ok();
    let list = ["exec", "--", "sh", "-c", "ls \"$AZURE_EXTENSION_DIR\""];
    assert_eq!(run(&sandbox, &list).ok().stdout, "");
    extension(&sandbox.home().join(".azure/cliextensions"), "1.10.0");
    assert_eq!(run(&sandbox, &list).ok().stdout, "connectedk8s\n");
    let other = sandbox.work().join("extensions");
    extension(&other, "1.11.2");
    std::fs::create_dir_all(other.join("k8s-extension/k8s_extension-1.6.4.dist-info")).unwrap();
    let env = sandbox.prepare(["env"]).env("DRYARC_AZ_EXTENSION_DIR", &other).output().unwrap();
    let said = String::from_utf8_lossy(&env.stderr).into_owned();
    assert!(said.contains("keeps connectedk8s 1.10.0; yours is 1.11.2") && said.contains("next: "), "{said}");
    assert_eq!(run(&sandbox, &list).ok().stdout, "connectedk8s\nk8s-extension\n");
    run(&sandbox, &["down"]).ok();
    sandbox.assert_nothing_left();
}

#[test]
fn every_wrong_step_says_what_to_do_next() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach"]).ok();
    let script = sandbox.work().join("script");
    std::fs::write(&script, "echo hi\n").unwrap();
    let script = script.display().to_string();
    for (arguments, code, next) in [
        (&["frobnicate"][..], 2, "choose one of"),
        (&["fault", "add"], 2, "--rule"),
        (&["fault", "add", "--rule", "{hook: wire, effect: reset, macht: {}}"], 2, "dryarc fault add --help"),
        (&["clock", "speed", "1e8"], 2, "dryarc clock advance"),
        (&["clock", "speed", "abc"], 2, "dryarc clock speed --help"),
        (&["exec", "--", script.as_str()], 126, "chmod +x"),
        (&["exec", "--", "no-such-program"], 127, "check the name"),
        (&["exec", "--seed", "5", "--", "true"], 2, "leave out --seed"),
        (&["offboard", "-n", "c", "-g", "g"], 2, "--yes"),
        (&["logs", "no-such-pod"], 3, "--namespace"),
        (&["onboard", "-n", "c", "-g", "g", "--kube-config", "/no/such/file"], 2, "--kube-config"),
    ] {
        let ran = run(&sandbox, arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        let advice = ran.stderr.split("next: ").nth(1).unwrap_or_default();
        assert!(advice.contains(next), "{arguments:?}: {}", ran.stderr);
    }
    run(&sandbox, &["down"]).ok();
    sandbox.assert_nothing_left();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let sandbox = sandbox();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for option in ["--gateway-port", "--control-port", "--cluster-port", "--cloud-port"] {
        let ran = run(&sandbox, &["up", "--detach", option, &port]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("in use") && ran.stderr.contains("next: choose another port"),
            "{}",
            ran.stderr
        );
        sandbox.assert_nothing_left();
    }
}

/// Mere delays, so that everything still comes true.
const RULES: [&str; 5] = [
    "{id: w, hook: wire, match: {facts: {host: login.microsoftonline.com}, nth: [1]}, effect: delay, millis: 1}",
    "{id: b, hook: before, match: {facts: {method: PUT, path: \"*/connectedClusters/*\"}}, effect: delay, millis: 1}",
    "{id: a, hook: after, match: {facts: {method: PUT, path: \"*/resourcegroups/*\"}, nth: [1]}, effect: delay, millis: 1}",
    "{id: s, hook: settle, match: {facts: {operation: Microsoft.Kubernetes/connectedClusters/write}, nth: [1]}, effect: delay, millis: 1}",
    "{id: k, hook: kubelet, match: {facts: {action: start, container: config-agent}, nth: [1]}, effect: delay, millis: 1}",
];

#[test]
fn a_fault_rule_fires_at_each_hook() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach", "--speed", "600"]).ok();
    for namespace in ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"] {
        run(&sandbox, &["provider", "set", namespace, "--state", "Registered"]).ok();
    }
    for rule in RULES {
        run(&sandbox, &["fault", "add", "--rule", rule]).ok();
    }
    run(&sandbox, &["onboard", "-n", "c", "-g", "g", "-l", "eastus"]).ok();
    let rules = json(&run(&sandbox, &["fault", "list", "-o", "json"]).ok());
    assert_eq!(rules.as_array().unwrap().len(), RULES.len());
    for rule in rules.as_array().unwrap() {
        assert!(rule["fired"].as_u64().unwrap() >= 1, "{rule}");
    }
    let told = run(&sandbox, &["fault", "explain", "a"]).ok().stdout;
    assert!(told.contains("a (after: delay) fired 1 times"), "{told}");
    assert!(told.contains("  fired   ") && told.contains("method=PUT"), "{told}");
    let told = json(&run(&sandbox, &["fault", "explain", "b", "-o", "json"]).ok());
    assert!(told["seen"].as_u64() > told["matched"].as_u64(), "{told}");
    assert!(told["nearMisses"][0]["missed"][0].as_str().unwrap().contains(", not "), "{told}");
    let ran = run(&sandbox, &["fault", "explain", "no-such"]);
    assert!(ran.code == 3 && ran.stderr.contains("next: "), "{}", ran.stderr);
    run(&sandbox, &["down"]).ok();
    sandbox.assert_nothing_left();
}

#[test]
fn an_interruption_at_any_moment_of_a_start_leaves_nothing() {
    let timeout = on_path("timeout").expect("coreutils' timeout, which tells moments");
    let sandbox = sandbox();
    for command in [&["up"][..], &["up", "--detach"], &["quickstart"], &["exec", "--", "sleep", "9"]] {
        for moment in ["0.005", "0.05", "0.1", "0.2", "0.3", "0.5"] {
            let line = ["--foreground", "--preserve-status", "--signal=INT", moment, PROGRAM];
            let arguments = line.iter().chain(command);
            let ran = Ran::from(&sandbox.prepare_program(&timeout, arguments).output().unwrap());
            assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
            if ran.code == 0 {
                // It was faster.
                run(&sandbox, &["down"]).ok();
            } else {
                assert_eq!(ran.code, 130, "{command:?} at {moment}: {}", ran.stderr);
            }
            sandbox.assert_nothing_left();
        }
    }
}

#[test]
fn the_doctor_says_what_is_here_and_how_to_get_the_rest() {
    let sandbox = sandbox().with_variable("PATH", "/nowhere");
    let found = json(&run(&sandbox, &["doctor", "--output", "json"]).ok());
    let state = |name: &str| {
        let one = found.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
        assert!(!one["get"].as_str().unwrap().is_empty() && one["neededFor"].is_string(), "{one}");
        one["state"].as_str().unwrap().to_owned()
    };
    for program in ["az", "az extension connectedk8s", "kubectl", "helm", "docker", "kind"] {
        assert_eq!(state(program), "missing", "{program}");
    }
    assert_eq!(state("state directory"), "ok");
    assert_eq!(state("loopback ports"), "ok");
    let people = run(&sandbox, &["doctor"]).ok().stdout;
    assert!(people.contains("az extension add --name connectedk8s"), "{people}");
    let file = sandbox.work().join("file");
    std::fs::write(&file, "").unwrap();
    let blocked = sandbox.prepare(["doctor"]).env("DRYARC_STATE_HOME", file.join("state")).output().unwrap();
    let blocked = Ran::from(&blocked);
    assert_eq!(blocked.code, 1, "{}", blocked.stderr);
    assert!(blocked.stdout.contains("state directory is unusable"), "{}", blocked.stdout);
}

#[test]
fn a_seed_repeats_the_ids_of_a_world_and_of_its_clusters() {
    let principal = || {
        let sandbox = sandbox();
        run(&sandbox, &["up", "--detach", "--speed", "600", "--seed", "7"]).ok();
        for namespace in ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"] {
            run(&sandbox, &["provider", "set", namespace, "--state", "Registered"]).ok();
        }
        let ran = run(&sandbox, &["onboard", "-n", "c", "-g", "g", "-l", "eastus", "--no-wait"]).ok();
        run(&sandbox, &["down"]).ok();
        json(&ran)["identity"].clone()
    };
    let one = principal();
    assert!(one["principalId"].is_string(), "{one}");
    assert_eq!(one, principal());
}
