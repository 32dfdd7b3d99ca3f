//! Real clients against a world: every file under `fixtures/golden/CLIENT` is one test, in which its commands run one after
//! the other through `dryarc exec`. A client that is not installed is reported as ignored, by name.
//!
//! `DRYARC_TEST_KUBECONFIG` names a real cluster: the kubectl and helm transcripts then run against that one, which is how
//! their content is checked against Kubernetes itself (those of helm need one with nodes).
//!
//! The transcripts under `fixtures/golden/world` use `dryarc` itself beside kubectl.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use e2e_tests::clients::{self, Client};
use e2e_tests::command::{Ran, Sandbox};
use e2e_tests::{charts, exchanges, polls, readme, repository, seen, seen_options, transcript};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))
}

/// Folders of transcripts, and the client that each needs.
const SUITES: &[(&str, Client)] = &[
    ("az", Client::Az),
    ("connectedk8s", Client::Connectedk8s),
    ("helm", Client::Helm),
    ("kubectl", Client::Kubectl),
    ("native", Client::Helm),
    ("world", Client::Kubectl),
];

fn transcripts(suite: &str) -> Vec<PathBuf> {
    let folder = repository::root().join("fixtures/golden").join(suite);
    let mut files: Vec<PathBuf> =
        folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "transcript"));
    files.sort();
    files
}

/// A sandbox whose working directory holds the transcripts' input files.
fn sandbox(clients: &[&Path]) -> std::io::Result<Sandbox> {
    let sandbox = clients::with_search_path(Sandbox::new(program())?, clients)?;
    let inputs = sandbox.work().join("inputs");
    copy(&repository::root().join("fixtures/golden/inputs"), &inputs)?;
    Ok(sandbox)
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in from.read_dir()?.flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Suites whose requests to Azure are a client's own, so that they tell what that client was seen to do.
const SEEN: [&str; 2] = ["az", "connectedk8s"];

fn against_a_world(suite: &str, sandbox: &Sandbox, file: &Path) -> Result<(), Failed> {
    let world: Ran = sandbox.run(["up", "--detach", "--seed", "1"])?;
    if world.code != 0 {
        return Err(format!("no world: {}", world.stderr).into());
    }
    transcript::check(file, |command| sandbox.run(["exec", "--", "sh", "-c", command]))?;
    if SEEN.contains(&suite) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        seen::hold(&format!("{suite}::{name}"), sandbox)?;
    }
    let down = sandbox.run(["down"])?;
    if down.code != 0 {
        return Err(format!("the world did not end: {}", down.stderr).into());
    }
    Ok(())
}

fn against_a_cluster(sandbox: &Sandbox, file: &Path, kubeconfig: &OsStr) -> Result<(), Failed> {
    let run = |command: &str| {
        let mut shell = sandbox.prepare_program("/bin/sh".as_ref(), ["-c", command]);
        shell.env("KUBECONFIG", kubeconfig).output().map(|output| Ran::from(&output))
    };
    transcript::check(file, run).map_err(Failed::from)
}

fn run(suite: &str, client: Client, file: &Path) -> Result<Completion, Failed> {
    let Some(installed) = client.find() else {
        return Ok(Completion::ignored_with(format!("{} is not installed", client.name())));
    };
    let sandbox = sandbox(&[&installed])?;
    match std::env::var_os("DRYARC_TEST_KUBECONFIG").filter(|_| matches!(suite, "kubectl" | "helm")) {
        Some(kubeconfig) => against_a_cluster(&sandbox, file, &kubeconfig)?,
        None => against_a_world(suite, &sandbox, file)?,
    }
    Ok(Completion::Completed)
}

/// Runs a command in the sandbox to its good end.
fn done(sandbox: &Sandbox, arguments: &[&str]) -> Result<Ran, Failed> {
    let ran = sandbox.run(arguments)?;
    if ran.code == 0 { Ok(ran) } else { Err(format!("{arguments:?}: {}", ran.stderr).into()) }
}

/// A world in which clusters can be connected, with group `g`.
fn prepared(sandbox: &Sandbox) -> Result<(), Failed> {
    done(sandbox, &["up", "--detach", "--seed", "1"])?;
    for namespace in
        ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration", "Microsoft.ExtendedLocation"]
    {
        done(sandbox, &["provider", "set", namespace, "--state", "Registered"])?;
    }
    done(sandbox, &["exec", "--", "az", "group", "create", "-n", "g", "-l", "eastus"]).map(drop)
}

/// What happened in the world behind a position of its journal.
fn journal(sandbox: &Sandbox, after: u64) -> Result<Vec<serde_json::Value>, Failed> {
    let ran = done(sandbox, &["journal", "--after", &after.to_string(), "--output", "json"])?;
    serde_json::from_str(&ran.stdout).map_err(|error| error.to_string().into())
}

/// The recorded exchanges are those of a fresh run.
fn the_extension_sends_what_is_recorded() -> Result<Completion, Failed> {
    let Some(az) = Client::Connectedk8s.find() else {
        return Ok(Completion::ignored_with(format!("{} is not installed", Client::Connectedk8s.name())));
    };
    let sandbox = sandbox(&[&az])?;
    prepared(&sandbox)?;
    let mut position = journal(&sandbox, 0)?.len() as u64;
    let mut complaints = String::new();
    for (verb, options) in exchanges::VERBS {
        let target: &[&str] = if *verb == "list" { &[] } else { &["-n", "c"] };
        let az = ["exec", "--", "az", "connectedk8s", verb, "-g", "g"];
        done(&sandbox, &[&az, target, options].concat())?;
        let events = journal(&sandbox, position)?;
        position = events.last().and_then(|event| event["seq"].as_u64()).unwrap_or(position);
        let sent = exchanges::requests(&events);
        let recorded = exchanges::recorded(verb)?;
        let recorded: Vec<String> = recorded.iter().map(exchanges::Exchange::line).collect();
        if sent != recorded {
            complaints += &format!("{verb} recorded:\n{}\nsent:\n{}\n", recorded.join("\n"), sent.join("\n"));
        }
        if let Some(why) = (*verb == "connect").then(|| polls::costs_too_much(&events)).flatten() {
            complaints += &why;
        }
    }
    done(&sandbox, &["down"])?;
    if complaints.is_empty() { Ok(Completion::Completed) } else { Err(complaints.into()) }
}

/// The verbs' options are those that the extension's own help lists.
fn every_option_of_the_extension_is_listed() -> Result<Completion, Failed> {
    let Some(az) = Client::Connectedk8s.find() else {
        return Ok(Completion::ignored_with(format!("{} is not installed", Client::Connectedk8s.name())));
    };
    let sandbox = sandbox(&[&az])?;
    done(&sandbox, &["up", "--detach", "--seed", "1"])?;
    let mut list = String::new();
    for verb in [
        "connect",
        "show",
        "list",
        "update",
        "upgrade",
        "delete",
        "enable-features",
        "disable-features",
        "proxy",
        "troubleshoot",
    ] {
        let help = done(&sandbox, &["exec", "--", "az", "connectedk8s", verb, "--help"])?;
        list += &seen_options::of_help(verb, &help.stdout);
    }
    done(&sandbox, &["down"])?;
    transcript::held_against(&seen_options::listed(), &list)?;
    Ok(Completion::Completed)
}

/// The whole tour, performed by the real Azure CLI.
fn the_quickstart_comes_true_with_the_real_cli() -> Result<Completion, Failed> {
    let (Some(az), Some(_)) = (Client::Connectedk8s.find(), Client::Kubectl.find()) else {
        let names = [Client::Connectedk8s.name(), Client::Kubectl.name()].join(" and ");
        return Ok(Completion::ignored_with(format!("{names} are not all installed")));
    };
    let sandbox = sandbox(&[&az])?;
    let ran = sandbox.run(["quickstart", "--driver", "az", "--seed", "1", "--output", "json"])?;
    let report: serde_json::Value = serde_json::from_str(&ran.stdout)
        .map_err(|error| format!("{error}\n{}\n{}", ran.stdout, ran.stderr))?;
    let steps = report["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let done = steps.iter().filter(|step| step["outcome"] == "done").count();
    if (ran.code, done) == (0, 8) && sandbox.worlds().is_empty() {
        return Ok(Completion::Completed);
    }
    Err(format!("{done} of {} steps are done\n{report:#}\n{}", steps.len(), ran.stderr).into())
}

/// Every command of README, one after the other, as somebody who follows it would type them.
fn every_command_of_the_readme_runs() -> Result<Completion, Failed> {
    let (Some(az), Some(kubectl)) = (Client::Az.find(), Client::Kubectl.find()) else {
        return Ok(Completion::ignored_with("az and kubectl are not both installed"));
    };
    let sandbox = sandbox(&[&az, &kubectl])?;
    let commands = readme::commands()?;
    if commands.len() < 8 {
        return Err(format!("README has only these examples: {commands:?}").into());
    }
    for command in commands {
        let mut shell = sandbox.prepare_program("/bin/sh".as_ref(), ["-c", &command]);
        let ran = Ran::from(&shell.output()?);
        if ran.code != 0 {
            return Err(format!("{command} ended with {}\n{}\n{}", ran.code, ran.stdout, ran.stderr).into());
        }
    }
    Ok(Completion::Completed)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each test has a world with a dozen processes of its own.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let trials = SUITES.iter().flat_map(|(suite, client)| {
        transcripts(suite).into_iter().map(move |file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::ignorable_test(format!("{suite}::{name}"), move || run(suite, *client, &file))
        })
    });
    let mut charts = charts::trials();
    charts.push(Trial::ignorable_test("connectedk8s::recording", the_extension_sends_what_is_recorded));
    charts.push(Trial::ignorable_test("connectedk8s::options", every_option_of_the_extension_is_listed));
    charts
        .push(Trial::ignorable_test("connectedk8s::quickstart", the_quickstart_comes_true_with_the_real_cli));
    let readme = Trial::ignorable_test("readme::commands", every_command_of_the_readme_runs);
    libtest_mimic::run(&arguments, trials.chain(charts).chain([readme]).collect()).exit_code()
}
