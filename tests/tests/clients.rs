//! Real clients against a world: every file under `fixtures/golden/CLIENT` is one test, in which its commands run one after
//! the other through `dryarc exec`. A client that is not installed is reported as ignored, by name.
//!
//! `DRYARC_TEST_KUBECONFIG` names a real cluster: the kubectl transcripts then run against that one, which is how their
//! content is checked against Kubernetes itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use e2e_tests::clients::Client;
use e2e_tests::command::{Ran, Sandbox};
use e2e_tests::{repository, transcript};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))
}

fn transcripts(client: Client) -> Vec<PathBuf> {
    let folder = repository::root().join("fixtures/golden").join(client.name());
    let mut files: Vec<PathBuf> =
        folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "transcript"));
    files.sort();
    files
}

/// Folders to be searched first, so that the transcripts' commands find the clients by their plain names.
fn search_path(client: &Path) -> String {
    let folder = client.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    format!("{folder}:{}", std::env::var("PATH").unwrap_or_default())
}

/// A sandbox whose working directory holds the transcripts' input files.
fn sandbox(client: &Path) -> std::io::Result<Sandbox> {
    let sandbox = Sandbox::new(program())?.with_variable("PATH", search_path(client));
    let inputs = sandbox.work().join("inputs");
    std::fs::create_dir(&inputs)?;
    for entry in repository::root().join("fixtures/golden/inputs").read_dir()?.flatten() {
        std::fs::copy(entry.path(), inputs.join(entry.file_name()))?;
    }
    Ok(sandbox)
}

fn against_a_world(sandbox: &Sandbox, file: &Path) -> Result<(), Failed> {
    let world: Ran = sandbox.run(["up", "--detach", "--seed", "1"])?;
    if world.code != 0 {
        return Err(format!("no world: {}", world.stderr).into());
    }
    transcript::check(file, |command| sandbox.run(["exec", "--", "sh", "-c", command]))?;
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

fn run(client: Client, file: &Path) -> Result<Completion, Failed> {
    let Some(installed) = client.find() else {
        return Ok(Completion::ignored_with(format!("{} is not installed", client.name())));
    };
    let sandbox = sandbox(&installed)?;
    match std::env::var_os("DRYARC_TEST_KUBECONFIG").filter(|_| client == Client::Kubectl) {
        Some(kubeconfig) => against_a_cluster(&sandbox, file, &kubeconfig)?,
        None => against_a_world(&sandbox, file)?,
    }
    Ok(Completion::Completed)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each test has a world with a dozen processes of its own.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let trials = [Client::Az, Client::Kubectl].into_iter().flat_map(|client| {
        transcripts(client).into_iter().map(move |file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::ignorable_test(format!("{}::{name}", client.name()), move || run(client, &file))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
