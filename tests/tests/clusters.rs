//! Real clusters, when something is wrong with them: `kind` and `docker` are stand-ins on a private PATH here, which say
//! what the real ones say. What goes well is shown with the real ones, in `kind.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use e2e_tests::command::{Ran, Sandbox};
use rustix::process::{Pid, Signal, kill_process};

/// What a `docker` says that works.
const DOCKER: &str = "[ \"$1\" = version ] && echo 28.0.0";

/// A `kind` without clusters that writes down what it is asked for.
const KIND: &str = "case \"$1 $2\" in 'get clusters') ;; 'create cluster') echo created ;; esac";

/// A sandbox that knows these programs and no others.
fn sandbox(programs: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))).unwrap();
    let folder = sandbox.work().join("bin");
    std::fs::create_dir(&folder).unwrap();
    for (name, script) in programs {
        let file = folder.join(name);
        let log = sandbox.work().join("calls");
        let text = format!("#!/bin/sh\necho {name} \"$@\" >>'{}'\n{script}\n", log.display());
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox.with_variable("PATH", folder.display().to_string())
}

fn up(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.run(["up", "--detach"].iter().chain(arguments)).unwrap()
}

fn calls(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.work().join("calls")).unwrap_or_default()
}

fn assert_no_world(sandbox: &Sandbox) {
    let left: Vec<_> = std::fs::read_dir(sandbox.state()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Error, exit code, and what the advice must speak of.
fn assert_refused(sandbox: &Sandbox, arguments: &[&str], code: i32, what: &str, next: &str) {
    let ran = up(sandbox, arguments);
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert!(ran.stderr.contains(what), "{}", ran.stderr);
    let advice = ran.stderr.split("next:").nth(1).unwrap_or_else(|| panic!("no advice:\n{}", ran.stderr));
    assert!(advice.contains(next), "{}", ran.stderr);
    assert_no_world(sandbox);
}

#[test]
fn missing_programs_are_named_with_where_they_are_got() {
    let kind = ["--cluster", "kind"];
    assert_refused(&sandbox(&[]), &kind, 3, "'kind' was not found on PATH", "kind.sigs.k8s.io");
    assert_refused(
        &sandbox(&[("kind", KIND)]),
        &kind,
        3,
        "'docker' was not found on PATH",
        "docs.docker.com",
    );
}

#[test]
fn a_docker_that_does_not_answer_or_may_not_be_used_is_told_apart() {
    let with = |said: &str| sandbox(&[("kind", KIND), ("docker", &format!("echo '{said}' >&2; exit 1"))]);
    let silent = with(
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    );
    assert_refused(&silent, &["--cluster", "kind"], 4, "the Docker daemon does not answer", "DOCKER_HOST");
    let forbidden = with("permission denied while trying to connect to the Docker daemon socket");
    assert_refused(&forbidden, &["--cluster", "kind"], 4, "may not use Docker's socket", "usermod");
}

#[test]
fn a_cluster_that_cannot_be_created_is_explained_and_taken_away() {
    let with = |said: &str| {
        let kind = format!("case \"$1 $2\" in 'create cluster') echo '{said}' >&2; exit 1 ;; esac");
        sandbox(&[("kind", kind.as_str()), ("docker", DOCKER)])
    };
    let arguments = ["--cluster", "kind=ours", "--kind-image", "kindest/node:v9"];
    let unpulled = with("ERROR: failed to create cluster: failed to pull image \"kindest/node:v9\"");
    assert_refused(&unpulled, &arguments, 4, "the node image cannot be pulled", "--kind-image");
    let said = calls(&unpulled);
    assert!(said.contains("kind create cluster --name ours --wait"), "{said}");
    assert!(said.contains("--image kindest/node:v9"), "{said}");
    assert!(said.lines().last().unwrap().starts_with("kind delete cluster --name ours"), "{said}");
    let full = with("ERROR: failed to create cluster: no space left on device");
    assert_refused(&full, &["--cluster", "kind"], 4, "the disk is full", "docker system prune");
    let taken = with("Bind for 0.0.0.0:80 failed: port is already allocated");
    assert_refused(&taken, &["--cluster", "kind"], 4, "port", "--kind-config");
}

#[test]
fn a_cluster_of_that_name_that_was_there_is_never_deleted() {
    let kind = "case \"$1 $2\" in 'get clusters') echo theirs ;; 'get kubeconfig') echo 'cannot' >&2; exit 1 ;; esac";
    let sandbox = sandbox(&[("kind", kind), ("docker", DOCKER)]);
    let ran = up(&sandbox, &["--cluster", "kind=theirs"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("'theirs', which is yours: it is kept"), "{}", ran.stderr);
    assert!(!calls(&sandbox).contains("delete"), "{}", calls(&sandbox));
    assert_no_world(&sandbox);
}

/// A `kind` that takes its time to create.
const SLOW: &str = "case \"$1 $2\" in 'create cluster') exec /bin/sleep 600 ;; esac";

fn creating(sandbox: &Sandbox) -> Child {
    let child = sandbox
        .prepare(["up", "--cluster", "kind=slow"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !calls(sandbox).contains("create cluster") {
        std::thread::yield_now();
    }
    child
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn ctrl_c_while_a_cluster_is_created_leaves_nothing_half_made() {
    let sandbox = sandbox(&[("kind", SLOW), ("docker", DOCKER)]);
    let mut child = creating(&sandbox);
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(calls(&sandbox).contains("kind delete cluster --name slow"), "{}", calls(&sandbox));
    assert_no_world(&sandbox);
}

#[test]
fn what_a_killed_world_did_is_undone_by_the_next_command_whatever_it_is() {
    let sandbox = sandbox(&[("kind", SLOW), ("docker", DOCKER)]);
    let mut child = creating(&sandbox);
    send(&child, Signal::KILL);
    child.wait().unwrap();
    assert!(sandbox.state().join("worlds/default/undo.json").exists());
    let ran = sandbox.run(["status", "--all"]).unwrap().ok();
    assert!(ran.stderr.contains("world 'default' ended without order"), "{}", ran.stderr);
    assert!(calls(&sandbox).contains("kind delete cluster --name slow"), "{}", calls(&sandbox));
    assert_no_world(&sandbox);
}

#[test]
fn what_cannot_be_undone_yet_stays_written_down_and_keeps_the_name() {
    let broken = format!(
        "{SLOW}\n[ \"$1\" = delete ] && {{ echo 'Cannot connect to the Docker daemon' >&2; exit 1; }}\nexit 0"
    );
    let sandbox = sandbox(&[("kind", broken.as_str()), ("docker", DOCKER)]);
    let mut child = creating(&sandbox);
    send(&child, Signal::KILL);
    child.wait().unwrap();
    let ran = up(&sandbox, &[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: world 'default' has left something"), "{}", ran.stderr);
    assert!(sandbox.state().join("worlds/default/undo.json").exists());
    // The reason is mended.
    std::fs::write(sandbox.work().join("bin/kind"), "#!/bin/sh\n").unwrap();
    sandbox.run(["status", "--all"]).unwrap().ok();
    assert_no_world(&sandbox);
}

#[test]
fn a_context_is_looked_for_asked_about_and_never_guessed() {
    let sandbox = sandbox(&[]);
    let file = sandbox.work().join("kubeconfig");
    let config = "contexts: [{name: mine, context: {cluster: c, user: u}}, {name: torn, context: {cluster: gone, user: u}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: u, user: {}}]
";
    std::fs::write(&file, config).unwrap();
    let sandbox = sandbox.with_variable("KUBECONFIG", file.display().to_string());
    let mine = ["--cluster", "context=mine"];
    assert_refused(&sandbox, &mine, 2, "cluster 'mine' will be changed", "--yes");
    let other = ["--cluster", "context=other", "--yes"];
    assert_refused(&sandbox, &other, 3, "no context is named 'other'", "choose one of these: mine, torn");
    let torn = ["--cluster", "context=torn"];
    assert_refused(&sandbox, &torn, 4, "'gone', which is not in clusters", "kubectl config view");
}

#[test]
fn clocks_and_names_that_no_real_cluster_can_have_are_refused() {
    let sandbox = sandbox(&[]);
    let instant = ["--cluster", "kind", "--clock", "instant"];
    assert_refused(&sandbox, &instant, 2, "takes its own time", "--speed");
    let ran = up(&sandbox, &["--cluster", "kind=Not A Name"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
