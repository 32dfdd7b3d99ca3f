//! The command as a user meets it: the tour, the life of a world, and bad input.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use e2e_tests::command::{Ran, Sandbox};
use e2e_tests::waiting::eventually;
use serde_json::Value;

fn sandbox() -> Sandbox {
    Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))).unwrap()
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.run(arguments).unwrap()
}

fn assert_nothing_left(sandbox: &Sandbox) {
    sandbox.assert_nothing_left();
}

#[test]
fn the_quickstart_shows_every_step_of_the_page_and_leaves_nothing() {
    let sandbox = sandbox();
    let ran = run(&sandbox, &["quickstart", "--seed", "7"]).ok();
    for text in [
        "az provider register --namespace Microsoft.Kubernetes",
        "Registered",
        "az group create --name AzureArcTest --location EastUS --output table",
        "Location    Name\n----------  ------------\neastus      AzureArcTest",
        "\"connectivityStatus\": \"Connecting\"",
        "\"agentVersion\": null",
        "AzureArcTest1  eastus      AzureArcTest",
        "deployment.apps/clusterconnect-agent        1/1     1            1",
        "3/3     Running",
        "Connected",
        "az connectedk8s delete --name AzureArcTest1",
    ] {
        assert!(ran.stdout.contains(text), "{text:?} is not in\n{}\n{}", ran.stdout, ran.stderr);
    }
    assert_eq!(ran.stdout.matches("deployment.apps/").count(), 10, "{}", ran.stdout);
    assert_nothing_left(&sandbox);
}

#[test]
fn the_quickstart_reports_its_steps_as_json() {
    let sandbox = sandbox();
    let ran = run(&sandbox, &["quickstart", "--seed", "7", "-o", "json"]).ok();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 8, "{report}");
    assert_eq!(report["seed"], 7);
}

#[test]
fn a_world_is_started_used_and_ended_and_ending_it_twice_says_so() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach"]).ok();
    let status = run(&sandbox, &["status", "-o", "json"]).ok();
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["world"], "default", "{status}");
    let mode = std::fs::metadata(sandbox.state().join("worlds/default")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let again = run(&sandbox, &["up", "--detach"]);
    assert_eq!(again.code, 5, "{}", again.stderr);
    let code = run(
        &sandbox,
        &["exec", "--", "sh", "-c", "test -n \"$KUBECONFIG\" && test -f \"$REQUESTS_CA_BUNDLE\" && exit 41"],
    );
    assert_eq!(code.code, 41, "{}", code.stderr);
    run(&sandbox, &["down"]).ok();
    assert_nothing_left(&sandbox);
    let twice = run(&sandbox, &["down"]);
    assert_eq!(twice.code, 3, "{}", twice.stderr);
}

#[test]
fn two_worlds_do_not_disturb_each_other() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach", "--world", "a"]).ok();
    run(&sandbox, &["up", "--detach", "--world", "b"]).ok();
    let port = |world: &str| {
        run(&sandbox, &["exec", "--world", world, "--", "sh", "-c", "echo $HTTPS_PROXY"]).ok().stdout
    };
    assert_ne!(port("a"), port("b"));
    run(&sandbox, &["down", "--world", "a"]).ok();
    run(&sandbox, &["status", "--world", "b"]).ok();
    run(&sandbox, &["down", "--world", "b"]).ok();
    assert_nothing_left(&sandbox);
}

#[test]
fn exec_without_a_world_makes_one_for_the_duration() {
    let sandbox = sandbox();
    let ran = run(
        &sandbox,
        &["exec", "--", "sh", "-c", "cat \"$KUBECONFIG\" | grep -c certificate-authority-data"],
    )
    .ok();
    assert_eq!(ran.stdout.trim(), "1");
    assert!(!ran.stderr.contains("is not running"), "nobody named a world: {}", ran.stderr);
    let named = run(&sandbox, &["exec", "--world", "mistyped", "--", "true"]).ok();
    assert!(named.stderr.contains("world 'mistyped' is not running"), "{}", named.stderr);
    assert_nothing_left(&sandbox);
}

#[test]
fn onboarding_connects_stays_connected_over_a_jump_and_offboards() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach", "--clock", "manual"]).ok();
    // The native driver registers nothing: that is the user's step, as with the real CLI.
    let refused = run(&sandbox, &["onboard", "--name", "c", "--resource-group", "g", "--location", "eastus"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    for namespace in
        ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration", "Microsoft.ExtendedLocation"]
    {
        run(&sandbox, &["provider", "set", namespace, "--state", "Registered"]).ok();
    }
    run(&sandbox, &["clock", "speed", "600"]).ok();
    run(&sandbox, &["onboard", "--name", "c", "--resource-group", "g", "--location", "eastus"]).ok();
    run(&sandbox, &["clock", "advance", "11m"]).ok();
    let listed = |sandbox: &Sandbox| -> Value {
        serde_json::from_str(&run(sandbox, &["list", "-o", "json"]).ok().stdout).unwrap()
    };
    let cluster = listed(&sandbox)[0].clone();
    assert_eq!(cluster["connectivityStatus"], "Connected", "{cluster}");
    assert!(cluster["managedIdentityCertificateExpirationTime"].is_string(), "{cluster}");
    run(&sandbox, &["clock", "advance", "20m"]).ok();
    assert_eq!(
        listed(&sandbox)[0]["connectivityStatus"],
        "Connected",
        "live agents stay Connected over a jump"
    );
    run(&sandbox, &["offboard", "--name", "c", "--resource-group", "g", "--yes"]).ok();
    assert_eq!(listed(&sandbox), serde_json::json!([]));
    run(&sandbox, &["down"]).ok();
    assert_nothing_left(&sandbox);
}

#[test]
fn bad_command_lines_are_usage_errors_with_a_hint() {
    let sandbox = sandbox();
    for arguments in [
        &["--no-such-flag"][..],
        &["up", "--speed", "fast"],
        &["up", "--clock", "sundial"],
        &["no-such-command"],
        &["exec"],
        &["clock", "advance", "eleven"],
        &["clock", "advance", "-5m"],
        &["up", "--seed", "-1"],
        &["up", "--subscription", "mine"],
        &["up", "--detach", "--kind-config", "kind.yaml"],
        &["up", "--detach", "--cluster", "embedded", "--advertise", "192.0.2.1"],
        &["cluster", "create", "no name"],
    ] {
        let ran = run(&sandbox, arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {} {}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("error"), "{}", ran.stderr);
    }
    assert_nothing_left(&sandbox);
}

#[test]
fn commands_without_a_world_say_how_to_start_one() {
    let sandbox = sandbox();
    for arguments in [&["status"][..], &["env"], &["down"], &["clock", "show"], &["journal"], &["list"]] {
        let ran = run(&sandbox, arguments);
        assert_eq!(ran.code, 3, "{arguments:?}: {} {}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("dryarc up"), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named() {
    let place = sandbox();
    let file = place.work().join("file");
    std::fs::write(&file, "").unwrap();
    let blocked = sandbox().with_variable("DRYARC_STATE_HOME", file.display().to_string());
    let ran = run(&blocked, &["up", "--detach"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains(&file.display().to_string()), "{}", ran.stderr);
}

#[test]
fn a_world_of_another_version_is_refused_and_named() {
    let sandbox = sandbox();
    let folder = sandbox.state().join("worlds/default");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("world.json"), r#"{"format": 999}"#).unwrap();
    let ran = run(&sandbox, &["status"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("999"), "{}", ran.stderr);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_world_whose_owner_was_killed_is_cleaned_up_by_the_next_command() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach"]).ok();
    let text = std::fs::read_to_string(sandbox.state().join("worlds/default/world.json")).unwrap();
    let world: Value = serde_json::from_str(&text).unwrap();
    let pid = world["pid"].as_u64().unwrap();
    let killed = sandbox.prepare_program("/bin/sh".as_ref(), ["-c", &format!("kill -9 {pid}")]).status();
    assert!(killed.unwrap().success());
    // A process with many threads takes a moment to die.
    eventually("the killed world is gone", 30, || Ok(sandbox.processes().is_empty())).unwrap();
    let status = run(&sandbox, &["status"]);
    assert_eq!(status.code, 3, "{}", status.stderr);
    assert_nothing_left(&sandbox);
    run(&sandbox, &["up", "--detach"]).ok();
    run(&sandbox, &["down"]).ok();
}

#[test]
fn a_world_whose_folder_was_removed_ends_and_leaves_its_successor_alone() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach"]).ok();
    let folder = sandbox.state().join("worlds/default");
    std::fs::remove_dir_all(&folder).unwrap();
    run(&sandbox, &["up", "--detach"]).ok();
    let worlds = || sandbox.processes().into_iter().filter(|line| line.contains(" up ")).count();
    eventually("the first world has ended", 30, || Ok(worlds() == 1)).unwrap();
    run(&sandbox, &["status"]).ok();
    run(&sandbox, &["down"]).ok();
    assert_nothing_left(&sandbox);
}

#[test]
fn env_prints_what_a_shell_can_evaluate_and_explains_it() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach"]).ok();
    let env = run(&sandbox, &["env"]).ok();
    let script = format!(
        "{}\ntest -d \"$AZURE_CONFIG_DIR\" && test \"$HOME\" != '{}'",
        env.stdout,
        sandbox.home().display()
    );
    let shell = sandbox.prepare_program("/bin/sh".as_ref(), ["-c", &script]).status().unwrap();
    assert!(shell.success(), "{}", env.stdout);
    let explained = run(&sandbox, &["env", "--explain"]).ok();
    assert!(explained.stdout.contains("AZURE_CONFIG_DIR"), "{}", explained.stdout);
    run(&sandbox, &["down"]).ok();
}

#[test]
fn hosts_that_are_not_simulated_are_refused_and_journalled() {
    let sandbox = sandbox();
    run(&sandbox, &["up", "--detach"]).ok();
    let variables = run(&sandbox, &["env", "--format", "json"]).ok().stdout;
    let variables: Value = serde_json::from_str(&variables).unwrap();
    let read = |name: &str| variables[name].as_str().map(str::to_owned);
    let http = sim_core::net::Net::from_env(read).unwrap().http();
    let get = |uri: &str| {
        let request = http::Request::get(uri).body(bytes::Bytes::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(http.send(request))
    };
    let refused = get("https://example.com/").unwrap_err().to_string();
    assert!(refused.contains("403"), "{refused}");
    let served = get("https://management.azure.com/metadata/endpoints?api-version=2022-09-01").unwrap();
    assert!(String::from_utf8_lossy(served.body()).contains("login.microsoftonline.com"));
    let journal = run(&sandbox, &["journal", "--unmatched", "-o", "json"]).ok();
    assert!(journal.stdout.contains("example.com"), "{}", journal.stdout);
    run(&sandbox, &["down"]).ok();
}

#[test]
fn clusters_without_a_cloud_come_and_go_several_at_once() {
    let sandbox = sandbox();
    run(&sandbox, &["cluster", "create"]).ok();
    run(&sandbox, &["cluster", "create", "ci", "--nodes", "3"]).ok();
    assert_eq!(run(&sandbox, &["cluster", "create", "ci"]).code, 5);
    let listed: Value =
        serde_json::from_str(&run(&sandbox, &["cluster", "list", "-o", "json"]).ok().stdout).unwrap();
    let shown: Vec<_> = listed.as_array().unwrap().iter().map(|one| (&one["name"], &one["nodes"])).collect();
    assert_eq!(shown, [(&Value::from("ci"), &Value::from(3)), (&Value::from("default"), &Value::from(1))]);
    let path = run(&sandbox, &["cluster", "kubeconfig", "ci", "--path"]).ok().stdout;
    let text = std::fs::read_to_string(path.trim()).unwrap();
    assert_eq!(run(&sandbox, &["cluster", "kubeconfig", "ci"]).ok().stdout, text);
    assert!(text.contains(listed[0]["url"].as_str().unwrap()));
    let mode = std::fs::metadata(path.trim()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let arm = "name=arm,arch=arm64,taint=arch=arm64:NoSchedule";
    let mixed = run(&sandbox, &["cluster", "create", "mixed", "--node", "count=2", "--node", arm]).ok();
    assert!(mixed.stderr.contains("(3 nodes)") || mixed.stdout.contains("(3 nodes)"), "{mixed:?}");
    let refused = run(&sandbox, &["cluster", "create", "odd", "--node", "cores=4"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("'cores' is nothing that nodes have"), "{refused:?}");
    let real = run(&sandbox, &["up", "--detach", "--cluster", "kind", "--node", "count=2"]);
    assert_eq!(real.code, 2, "{real:?}");
    assert!(real.stderr.contains("the nodes of a real cluster are what they are"), "{real:?}");
    run(&sandbox, &["cluster", "delete", "ci"]).ok();
    assert_eq!(run(&sandbox, &["cluster", "kubeconfig", "ci"]).code, 3);
    run(&sandbox, &["cluster", "delete", "--all"]).ok();
    assert_eq!(run(&sandbox, &["cluster", "delete"]).code, 3);
    assert_nothing_left(&sandbox);
}
