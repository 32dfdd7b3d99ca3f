//! What the tests need of the machine, and small words for checks.

use std::collections::BTreeSet;
use std::path::PathBuf;

use e2e_tests::clients::on_path;
use e2e_tests::command::{Ran, Sandbox};
use e2e_tests::docker;
use libtest_mimic::Failed;

pub(crate) type Checked = Result<(), Failed>;

/// What the tests need.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// The node image for new clusters.
    image: Option<String>,
}

impl Machine {
    /// # Errors
    /// What is not there.
    pub(crate) fn find() -> Result<Self, String> {
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

    pub(crate) fn image_options(&self, flag: &str) -> Vec<String> {
        self.image.iter().flat_map(|image| [flag.to_owned(), image.clone()]).collect()
    }
}

/// What a program prints.
///
/// # Errors
/// When it does not end well.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    docker::output(program, arguments).map(|printed| String::from_utf8_lossy(&printed).into_owned())
}

/// What Docker has of ours, beside the clusters of others.
pub(crate) fn docker_state() -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    for arguments in [
        ["images", "--format", "{{.Repository}}:{{.Tag}}"],
        ["ps", "--all", "--format={{.Names}}"],
        ["volume", "ls", "--quiet"],
    ] {
        let lines = output("docker", &arguments.map(|part| part))?;
        let ours = |line: &&str| line.contains("dryarc") || line.contains("azurearck8s");
        found.extend(lines.lines().filter(ours).map(str::to_owned));
    }
    Ok(found)
}

pub(crate) fn expect(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what().into()) }
}

pub(crate) fn ok(ran: Ran) -> Result<Ran, Failed> {
    match ran.code {
        0 => Ok(ran),
        code => Err(format!("ended with {code}\n{}\n{}", ran.stdout, ran.stderr).into()),
    }
}

pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))
}

pub(crate) fn sandbox() -> Result<Sandbox, Failed> {
    Ok(Sandbox::new(program())?)
}
